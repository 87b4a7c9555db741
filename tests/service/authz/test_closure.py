"""Chance at work on an organisation: whatever is tried in whatever order, what is handed out was there before."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from itertools import product
from typing import Any
from uuid import UUID

import msgspec
import pytest
import pytest_asyncio

from services.authz.facts import dossiers_of
from shared.db import Database
from staffgate.contracts.identity import StaffStatus
from staffgate.decision import Catalogue, Facts, Question, decide, difference, resolve, shipped
from tests.conftest import LONG
from tests.service.authz.conftest import IDS, Someone
from tests.service.authz.office import Change, Office, change, entry, on

CATALOGUE = Catalogue.from_manifests(shipped())
SEEDS = range(40 if LONG else 4)
STEPS = 80
PEOPLE = ("luke", "laya", "han", "jane", "leia", "chewie")
GIVERS = ("luke", "laya", "han")
SECTIONS = ("sms", "contacts", "telephony.settings", "core.permissions", "core.audit")
ROWS = {
    "sms": "inbox", "contacts": "contact", "telephony.settings": None, "core.permissions": "permissions",
    "core.audit": None,
}  # fmt: skip
ACTIONS = ("view", "create", "edit", "delete", "download", "approve")
LEVELS = ("deny", "read", "use", "full")


class World:
    """An office with people who administer parts of it, none of them an owner or administrator."""

    def __init__(self, office: Office, database: Database, dice: random.Random) -> None:
        self.office, self._database, self.dice = office, database, dice
        self.people: dict[str, Someone] = {}
        self.roles: list[str] = ["agent", "leader", "manager", "admin", "pbx.basic-user"]
        self.groups: list[str] = []
        self.teams: list[str] = []

    async def begin(self) -> None:
        office, dice = self.office, self.dice
        self.people = {
            name: await office.acme.add(default=dice.choice(LEVELS) if name not in GIVERS else "deny")
            for name in PEOPLE
        }
        await office.made(
            change("add_contract", key="7", label="Agreement 7", products=["telephony", "sms"]),
            change("add_tenant", key="acme", label="Acme"),
            change("add_tenant_members", tenant="acme", staff=[self.people["luke"], self.people["jane"]]),
        )
        luke, laya, han = (self.people[name] for name in GIVERS)
        await office.team("Management")
        await office.team("Sales", "Management", laya, self.people["jane"])
        await office.team("Operations", "Management", self.people["leia"])
        self.teams = [await office.root(), *office.teams.values()]
        core = entry("view create edit delete", "core")
        head = await office.role("Head", dice.choice(["team", "department"]), core, entry("view edit", "contacts"))
        silent = await office.role("Silent", "full", entry("", "sms"), entry("view", "contacts"))
        self.roles += [head, silent]
        self.groups = [(await office.one("add_group", name=name))["id"] for name in ("Support", "Service")]
        await office.made(
            change("set_grant", staff=luke, target=on("core"), level="full"),
            change("set_grant", staff=luke, target=on("sms"), level="use"),
            change("assign_role", staff=laya, role=head),
            change("set_access", staff=han, contract="7", product="core", level="administrator"),
            change("set_access", staff=han, contract="7", product="telephony", level="administrator"),
            change("assign_role", staff=self.people["leia"], role=silent),
            change("assign_role", group=self.groups[0], role=dice.choice(["agent", "admin", silent])),
            change("add_group_members", group=self.groups[0], staff=[self.people["chewie"]]),
            change("set_grant", staff=self.people["jane"], target=on("contacts"), level="deny"),
        )

    async def facts(self) -> dict[UUID, Facts]:
        ids = [self.office.ray.id, *(one.id for one in self.people.values())]
        async with self._database.begin(self.office.acme.org, snapshot=True) as tx:
            found = await dossiers_of(tx, self.office.acme.org, ids)
        return {id: dossier.everything for id, dossier in found.items()}

    # --- what chance tries ------------------------------------------------------------------------------------

    def attempt(self) -> Change:
        dice = self.dice
        who = self.people[dice.choice(PEOPLE)]
        group, role, team = dice.choice(self.groups), dice.choice(self.roles), dice.choice(self.teams)
        context = dice.choice([{}, {}, {"contract": "7"}, {"tenant": "acme"}])
        # Half of what is tried is somebody's to give.
        own = [on("sms"), on("sms", feature="sms.send"), on("contacts"), on("telephony.settings", contract="7")]
        target = dice.choice([*own, *own, *(on(section) for section in SECTIONS), {"product": "sms"}, {}])
        entries = [
            entry(" ".join(dice.sample(ACTIONS, dice.randint(0, 3))), section)
            for section in dice.sample(SECTIONS, dice.randint(0, 1))
        ]
        wide = dice.choice(["restricted", "team", "department", "full"])
        tries = [
            change("set_grant", staff=who, target=context | target, level=dice.choice(["deny", "read", "use"])),
            change("set_grant", staff=who, target=context | target, level=dice.choice(LEVELS)),
            change("set_section", staff=who, section="sms", default=dice.choice([None, *LEVELS])),
            change("reset_grants", staff=who),
            change("set_default_level", staff=who, level=dice.choice(LEVELS)),
            change("set_routing", staff=who, anywhere=dice.random() < 0.5),
            change("link_subscriber", staff=who, subscriber="101"),
            change("set_access", staff=who, contract="7", product=dice.choice(["core", "telephony", "sms"]),
                   level=dice.choice(["without", "user", "administrator", "owner"])),
            change("create_role", name=str(dice.random()), data_access=wide, entries=entries),
            change("edit_role", role=role, name=str(dice.random()), data_access=wide, entries=entries),
            change("reset_role", role=role),
            change("assign_role", staff=who, role=role, **context),
            change("assign_role", group=group, role=role),
            change("add_group_members", group=group, staff=[who]),
            change("remove_group_members", group=group, staff=[who]),
            change("add_tenant_members", tenant="acme", staff=[who]),
            change("add_team", name=str(dice.random()), parent=team),
            change("move_team", team=team, parent=dice.choice(self.teams)),
            change("place_members", team=team, staff=[who]),
        ]  # fmt: skip
        return dice.choice(tries)

    async def unassigned(self) -> Change | None:
        """Some role that somebody holds, taken away."""
        who = self.people[self.dice.choice(PEOPLE)]
        held = (await self.office.get(f"/v1/staff/{who.id}/roles"))["assignments"]
        return change("unassign_role", assignment=self.dice.choice(held)["id"]) if held else None

    def note(self, made: Change, after: Any) -> None:
        if made["kind"] == "create_role":
            self.roles.append(after["id"])
        if made["kind"] == "add_team":
            self.teams.append(after["id"])


@pytest_asyncio.fixture
async def opened(office: Office) -> AsyncIterator[Database]:
    async def nothing(*_: object) -> None: ...

    authz = office.acme.authz
    reading = Database(
        authz.database.app, clock=authz.clock, ids=IDS, write_events=nothing, committed=lambda: None, size=1
    )
    async with reading.opened():
        yield reading


def rights(facts: Facts, teams: list[str]) -> set[tuple[str, ...]]:
    """Everything of a grid of questions that somebody may do, once they are active."""
    snapshot = resolve(facts, CATALOGUE)
    held: set[tuple[str, ...]] = set()
    contexts: tuple[dict[str, str], ...] = ({}, {"contract": "7"}, {"tenant": "acme"})
    for section, action, (number, context) in product(SECTIONS, ACTIONS, enumerate(contexts)):
        rows = [("section", section, {}), *((ROWS[section], "x", {"team": team}) for team in teams if ROWS[section])]
        for kind, id, row in rows:
            assert kind is not None
            question = Question(f"{section}.{action}", kind, id, {**context, **row})
            if decide(snapshot, CATALOGUE, question).allowed:
                held.add((section, action, str(number), row.get("team", "")))
    listens = Question("recording.listen", "recording", "r", {"subscriber": "101"})
    if decide(snapshot, CATALOGUE, listens).allowed:
        held.add(("recording.listen",))
    return held | ({("route_anywhere",)} if snapshot.route_anywhere else set())


@pytest.mark.parametrize("seed", SEEDS)
async def test_no_order_of_changes_gives_more_than_some_giver_had(office: Office, opened: Database, seed: int) -> None:
    """Those who make the changes have parts of System [CORE] and of the rest. New teams are not asked about: they have
    no rows before they are there, so nobody can have had them."""
    world = World(office, opened, random.Random(seed))  # noqa: S311
    await world.begin()
    teams = list(world.teams)
    before = await world.facts()
    had = {id: rights(facts, teams) for id, facts in before.items()}
    by_somebody = set().union(*(had[world.people[name].id] for name in GIVERS))
    made = []
    for _ in range(STEPS):
        giver = world.people[world.dice.choice(GIVERS)]
        attempt = (world.dice.random() < 0.1 and await world.unassigned()) or world.attempt()
        answer = await office.make(attempt, by=giver)
        assert answer.status < 500, (attempt, answer.text)
        if answer.status == 200:
            made.append(attempt)
            world.note(attempt, answer.json["outcomes"][0]["after"])
    after = await world.facts()
    for id, facts in after.items():
        more = rights(facts, teams) - had[id] - by_somebody
        assert not more, (id, sorted(more)[:5], made)
        assert facts.type is before[id].type
        assert "owner" not in [access.level for access in facts.access]
    assert len(made) > 3, "a test in which everything is refused shows nothing"


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_preview_is_what_happens_then(office: Office, opened: Database, seed: int) -> None:
    world = World(office, opened, random.Random(1000 + seed))  # noqa: S311
    await world.begin()
    compared = 0
    for _ in range(12):
        attempts = [world.attempt() for _ in range(world.dice.randint(1, 3))]
        before = await world.facts()
        preview = await office.preview(*attempts)
        assert await world.facts() == before, "a preview changes nothing"
        answer = await office.make(*attempts)
        assert answer.status == preview.status
        if answer.status != 200:
            continue
        for attempt, outcome in zip(attempts, answer.json["outcomes"], strict=True):
            world.note(attempt, outcome["after"])
        after = await world.facts()
        shown = {
            person["staff"]: [(one["target"], one["gained"], one["lost"]) for one in person["differences"]]
            for person in preview.json["people"]
        }
        assert shown == _real(before, after), attempts
        compared += len(shown)
    assert compared, "a test in which nothing differs shows nothing"


def _real(before: dict[UUID, Facts], after: dict[UUID, Facts]) -> dict[str, Any]:
    found = {}
    for id in before:
        old, new = (
            resolve(msgspec.structs.replace(facts[id], status=StaffStatus.ACTIVE), CATALOGUE)
            for facts in (before, after)
        )
        differences = difference(old, new, CATALOGUE)
        if differences:
            found[str(id)] = [
                (msgspec.to_builtins(one.target), msgspec.to_builtins(one.gained), msgspec.to_builtins(one.lost))
                for one in differences
            ]
    return found
