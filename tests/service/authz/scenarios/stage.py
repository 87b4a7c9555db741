"""The people of the five texts on a stage: a company whose staff, teams and groups go by their names.

All of it goes over HTTP: what is changed, through the administration; what is asked, through the decision API. What only
identity can do (somebody is hired, activated, suspended) comes by its events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from staffgate.contracts.authz import BaseAction
from staffgate.contracts.identity import StaffActivated, StaffEvent, StaffReactivated, StaffStatus, StaffSuspended
from staffgate.decision import Catalogue, shipped
from staffgate.decision.actions import BASE_ACTIONS
from tests.service.authz.conftest import Answer, Authz, Someone, registered
from tests.service.authz.conftest import Organisation as Registered
from tests.service.authz.scenarios.operations import operation

CATALOGUE = Catalogue.from_manifests(shipped())
ACTIONS: tuple[BaseAction, ...] = tuple(BASE_ACTIONS)  # type: ignore[arg-type]
VIEW, USE, FULL = "view", "view create edit", "view create edit delete"
OWNER = "Owner"  # who registered the company; in the texts that need no other name

_NAMED = {"add_team": "team", "add_group": "group", "create_role": "role"}  # what goes by its name from then on

Change = dict[str, Any]
Refused = tuple[int, str]


@contextmanager
def step(sentence: str) -> Iterator[None]:
    """What fails inside says which sentence of the text it is about."""
    try:
        yield
    except Exception as fault:
        fault.add_note(f'The text: "{sentence}"')
        raise


def change(kind: str, **fields: Any) -> Change:
    """One of several to be made together."""
    return {"kind": kind, **fields}


def entry(actions: str, *sections: str, **narrower: str) -> list[dict[str, Any]]:
    """What a role allows there: `entry("view edit", "contacts")`; with no actions, its own denial."""
    return [{"target": {"section": name, **narrower}, "actions": actions.split()} for name in sections]


@dataclass
class Company:
    """One of the texts' companies. People, teams, groups and roles are named as the text names them."""

    registered: Registered
    people: dict[str, Someone]
    named: dict[str, str] = field(default_factory=dict)  # teams, groups and custom roles: their ids
    revision: int = 0  # the newest that an answer has to know
    admin: str = OWNER  # who changes things where nobody else is named

    def __getitem__(self, name: str) -> str:
        """The id of whoever or whatever has that name."""
        return str(self.people[name].id) if name in self.people else self.named.get(name, name)

    # --- what identity tells --------------------------------------------------------------------------------

    async def hire(self, *names: str, type: str = "standard", status: str = "active", **about: Any) -> None:
        for name in names:
            self.people[name] = await self.registered.add(type, status, **about)
        self._heard()

    async def activate(self, name: str) -> None:
        await self._becomes(name, StaffActivated, StaffStatus.ACTIVE)

    async def suspend(self, name: str) -> None:
        await self._becomes(name, StaffSuspended, StaffStatus.SUSPENDED)

    async def reactivate(self, name: str) -> None:
        await self._becomes(name, StaffReactivated, StaffStatus.ACTIVE)

    async def _becomes(self, name: str, kind: type[StaffEvent], status: StaffStatus) -> None:
        await self.people[name].becomes(kind, status=status)
        self._heard()

    def _heard(self) -> None:
        """What is announced was committed before: the next answer has to know it."""
        told = self.registered.authz.heard.of(self.registered.org)
        self.revision = max([self.revision, *(event.revision for event in told)])

    # --- what products tell ---------------------------------------------------------------------------------

    async def register(self, *items: str, **about: str) -> None:
        """Each by the product that it belongs to."""
        for item in items:
            type, _, id = item.partition(":")
            section = CATALOGUE.holders[type]
            body = {"section": section, "label": id.title(), **{key: self[value] for key, value in about.items()}}
            token = self.registered.authz.identity.token(CATALOGUE.paths[section][-2][1:])
            path = f"/v1/organisations/{self.registered.org}/items/{type}/{id}"
            answer = await self.registered.authz.ask("PUT", path, token=token, json=body)
            assert answer.status == 200, answer.text
        self.revision = max(self.revision, await self.registered.revision())

    # --- administration -------------------------------------------------------------------------------------

    async def ask(self, who: str, method: str, path: str, **options: Any) -> Answer:
        """Over HTTP as that person. `{Jane}` in a path stands for her id."""
        path = path.format_map(_Ids(self))
        answer: Answer = await self.registered.authz.ask(method, path, token=self.people[who].token, **options)
        return answer

    async def page(self, who: str, path: str, **query: Any) -> Any:
        """What that person is shown there."""
        answer = await self.ask(who, "GET", path, params={key: self[value] for key, value in query.items()})
        assert answer.status == 200, (answer.status, answer.text)
        return answer.json

    async def change(self, kind: str, by: str = "", **fields: Any) -> None:
        """Make one change, by the operation of its own."""
        answer = await self._alone(change(kind, **fields), by)
        assert answer.status in (200, 201), (answer.status, answer.text)
        self.revision = answer.json["revision"]
        if kind in _NAMED:
            made = answer.json[_NAMED[kind]]
            self.named[made["name"]] = made["id"]

    async def change_all(self, *changes: Change, by: str = "") -> None:
        """All of them or none."""
        answer = await self._together(changes, by)
        assert answer.status == 200, (answer.status, answer.text)
        self.revision = answer.json["revision"]
        for outcome in answer.json["outcomes"]:
            if outcome["kind"] in _NAMED:
                self.named[outcome["after"]["name"]] = outcome["after"]["id"]

    async def refused(self, kind: str, by: str = "", **fields: Any) -> Refused:
        """The status and code of the refusal, the same alone and in a list."""
        alone = await self._alone(change(kind, **fields), by)
        together = await self._together([change(kind, **fields)], by)
        assert alone.status >= 400, (alone.status, alone.text)
        assert alone.problem == together.problem
        return alone.problem

    async def preview(self, *changes: Change, by: str = "") -> dict[str, list[Any]]:
        """By the name of each whom it concerns: what the changes would come to."""
        answer = await self._together(changes, by, "/v1/changes/preview")
        assert answer.status == 200, (answer.status, answer.text)
        names = {str(someone.id): name for name, someone in self.people.items()}
        return {names[person["staff"]]: person["differences"] for person in answer.json["people"]}

    async def _alone(self, one: Change, by: str) -> Answer:
        method, path, options = operation(self._resolved(one))
        return await self.ask(by or self.admin, method, path, **options)

    async def _together(self, changes: Iterable[Change], by: str, path: str = "/v1/changes") -> Answer:
        body = {"changes": [self._resolved(one) for one in changes]}
        return await self.ask(by or self.admin, "POST", path, json=body)

    def _resolved(self, change: Change) -> Change:
        def id(key: str, value: Any) -> Any:
            if key not in ("staff", "team", "parent", "group", "role") or value is None:
                return value
            return [self[one] for one in value] if isinstance(value, (list, tuple)) else self[value]

        return {key: id(key, value) for key, value in change.items()}

    async def grant(self, name: str, level: str, *, by: str = "", **target: str) -> None:
        await self.change("set_grant", by, staff=name, target=target, level=level)

    async def role(self, name: str, *roles: str, by: str = "", **context: str) -> None:
        """The person's roles are these from now on, as a select box of the role would have it."""
        held = await self.page(by or self.admin, f"/v1/staff/{self[name]}/roles")
        gone = [change("unassign_role", assignment=one["id"]) for one in held["assignments"]]
        new = [change("assign_role", staff=name, role=role, **context) for role in roles]
        await self.change_all(*gone, *new, by=by)

    # --- decisions ------------------------------------------------------------------------------------------

    async def may(self, who: str, action: str, on: str | None = None, **about: Any) -> bool:
        return bool((await self.answer(who, action, on, **about))["decision"])

    async def why(self, who: str, action: str, on: str | None = None, **about: Any) -> str:
        return str((await self.answer(who, action, on, **about))["reason"])

    async def sees(self, who: str, action: str, on: str | None = None, **about: Any) -> bool:
        """Whether there is, for this person, anything to be seen at all."""
        return bool((await self.answer(who, action, on, **about))["visible"])

    async def answer(self, who: str, action: str, on: str | None = None, **about: Any) -> dict[str, Any]:
        """The decision and what is behind it. An explanation asked for by the owner says the same."""
        question = self.question(action, on, **about)
        asked = await self._posted("evaluation", {**self._subject(who), **question, "context": self._context()})
        explained = await self._explained(who, question)
        answer = {"decision": asked["decision"], **asked["context"]}
        assert {key: explained[key] for key in ("decision", "reason", "visible")} == {
            key: answer[key] for key in ("decision", "reason", "visible")
        }
        return answer

    async def allowed(self, who: str, *actions: str, on: str | None = None, **about: Any) -> set[str]:
        """Those of the actions that the person may do, by one request for all of them."""
        questions = [self.question(action, on, **about) for action in actions]
        body = {**self._subject(who), "context": self._context(), "evaluations": questions}
        found = (await self._posted("evaluations", body))["evaluations"]
        assert not [one for one in found if "error" in one["context"]]
        return {action for action, one in zip(actions, found, strict=True) if one["decision"]}

    async def level(self, who: str, section: str, on: str | None = None, **about: Any) -> str:
        """The base actions that the person has there, as `view create edit`."""
        found = await self.allowed(who, *(f"{section}.{base}" for base in ACTIONS), on=on, **about)
        return " ".join(base for base in ACTIONS if f"{section}.{base}" in found)

    async def finds(self, who: str, action: str, type: str) -> list[str]:
        """The registered items of a type on which the person may do that."""
        body = {**self._subject(who), "action": {"name": action}, "resource": {"type": type}}
        found = await self._posted("search/resource", body | {"context": self._context()})
        return [one["id"] for one in found["results"]]

    async def who_can(self, action: str, on: str | None = None, **about: Any) -> set[str]:
        """The names of those who may."""
        question = self.question(action, on, **about)
        context = self._context() | {"organisation": str(self.registered.org)}
        found = await self._posted("search/subject", {"subject": {"type": "staff"}, **question, "context": context})
        names = {str(someone.id): name for name, someone in self.people.items()}
        return {names[one["id"]] for one in found["results"]}

    def question(self, action: str, on: str | None = None, **about: Any) -> dict[str, Any]:
        """Without `on` it is about a row of the action's section if anything says whose, else about the section."""
        section = CATALOGUE.actions[action].section
        kinds = CATALOGUE.sections[section].items if section else ()
        row = {"owner", "team", "subscriber"} & about.keys()
        type, _, id = (on or (f"{kinds[0]}:a-row" if row else f"section:{section}")).partition(":")
        properties: dict[str, Any] = {key: self[value] for key, value in about.items()}
        if "destination" in properties:
            there, _, where = properties["destination"].partition(":")
            properties["destination"] = {"type": there, "id": where}
        return {"action": {"name": action}, "resource": {"type": type, "id": id, "properties": properties}}

    async def _explained(self, who: str, question: dict[str, Any]) -> Any:
        resource = question["resource"]
        query = {"action": question["action"]["name"], "type": resource["type"], "id": resource["id"]}
        query |= resource["properties"]
        if "destination" in query:
            query["destination"] = "{type}:{id}".format(**query["destination"])
        return await self.page(OWNER, f"/v1/staff/{self[who]}/explanation", **query)

    async def _posted(self, what: str, body: Any) -> Any:
        authz = self.registered.authz
        answer = await authz.ask("POST", f"/access/v1/{what}", token=authz.product, json=body)
        assert answer.status == 200, answer.text
        return answer.json

    def _subject(self, who: str) -> dict[str, Any]:
        return {"subject": {"type": "staff", "id": self[who]}}

    def _context(self) -> dict[str, Any]:
        return {"explain": True, "min_revision": self.revision}


class _Ids(dict[str, str]):
    def __init__(self, company: Company) -> None:
        super().__init__()
        self._company = company

    def __missing__(self, name: str) -> str:
        return self._company[name]


async def founded(authz: Authz, name: str) -> Company:
    """A company that has its owner and nobody else."""
    place = await registered(authz, name)
    return Company(place, {OWNER: place.ray})


async def audited(company: Company, who: str = OWNER, **query: Any) -> list[Any]:
    """The audit log as that person sees it, the newest first."""
    entries: list[Any] = (await company.page(who, "/v1/audit", **query))["entries"]
    return entries
