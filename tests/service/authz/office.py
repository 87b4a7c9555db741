"""An organisation to be administered: changes as they are sent, and what the parts of its tree are called."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest

from tests.locks import until_held_up
from tests.service.authz.conftest import Answer, Organisation, Someone

Change = dict[str, Any]


def change(kind: str, **fields: Any) -> Change:
    """People by themselves, everything else by what it is called."""

    def written(value: Any) -> Any:
        if isinstance(value, Someone):
            return str(value.id)
        return [written(one) for one in value] if isinstance(value, list | tuple) else value

    return {"kind": kind} | {name: written(value) for name, value in fields.items()}


def on(section: str | None = None, **narrower: Any) -> dict[str, Any]:
    """A target."""
    return {"section": section, **narrower} if section else narrower


def entry(actions: str, section: str | None = None, **narrower: Any) -> dict[str, Any]:
    """What a role allows there: `entry("view edit", "contacts")`."""
    return {"target": on(section, **narrower), "actions": actions.split()}


@dataclass
class Office:
    acme: Organisation
    teams: dict[str, str] = field(default_factory=dict)

    @property
    def ray(self) -> Someone:
        return self.acme.ray

    async def ask(self, method: str, path: str, by: Someone | None = None, **options: Any) -> Answer:
        answer: Answer = await self.acme.authz.ask(method, path, token=(by or self.ray).token, **options)
        return answer

    async def get(self, path: str, by: Someone | None = None) -> Any:
        answer = await self.ask("GET", path, by)
        assert answer.status == 200, answer.text
        return answer.json

    async def make(self, *changes: Change, by: Someone | None = None) -> Answer:
        return await self.ask("POST", "/v1/changes", by, json={"changes": list(changes)})

    async def preview(self, *changes: Change, by: Someone | None = None) -> Answer:
        return await self.ask("POST", "/v1/changes/preview", by, json={"changes": list(changes)})

    async def made(self, *changes: Change, by: Someone | None = None) -> list[Any]:
        """What each of them came to."""
        answer = await self.make(*changes, by=by)
        assert answer.status == 200, answer.text
        return [outcome["after"] for outcome in answer.json["outcomes"]]

    async def one(self, kind: str, *, by: Someone | None = None, **fields: Any) -> Any:
        return (await self.made(change(kind, **fields), by=by))[0]

    async def refused(self, kind: str, *, by: Someone | None = None, **fields: Any) -> tuple[int, str]:
        """The status and code; and it changed nothing."""
        before = await self.acme.revision()
        answer = await self.make(change(kind, **fields), by=by)
        assert answer.status >= 400, answer.text
        assert await self.acme.revision() == before
        return answer.problem

    async def root(self) -> str:
        return str((await self.get("/v1/teams"))["root"]["id"])

    async def team(self, name: str, parent: str | None = None, *members: Someone) -> str:
        """A new team below the one of that name, or below the root, with these members."""
        above = await self.root() if parent is None else self.teams[parent]
        self.teams[name] = (await self.one("add_team", name=name, parent=above))["id"]
        if members:
            await self.one("place_members", team=self.teams[name], staff=list(members))
        return self.teams[name]

    async def role(self, name: str, data_access: str, *entries: dict[str, Any]) -> str:
        return str((await self.one("create_role", name=name, data_access=data_access, entries=list(entries)))["id"])

    async def assigned(self, role: str, who: Someone, **context: Any) -> str:
        return str((await self.one("assign_role", role=role, staff=who, **context))["id"])

    async def may(self, who: Someone, action: str, resource: str, **properties: Any) -> bool:
        type, _, id = resource.partition(":")
        body = {
            "subject": {"type": "staff", "id": str(who.id)},
            "action": {"name": action},
            "resource": {"type": type, "id": id, "properties": properties},
        }
        answer = await self.acme.authz.ask("POST", "/access/v1/evaluation", token=self.acme.authz.product, json=body)
        assert answer.status == 200, answer.text
        return bool(answer.json["decision"])

    async def audit(self, by: Someone | None = None, **query: Any) -> list[Any]:
        answer = await self.ask("GET", "/v1/audit", by, params={key: str(value) for key, value in query.items()})
        assert answer.status == 200, answer.text
        return list(answer.json["entries"])


async def clerk(office: Office, *grants: tuple[str, dict[str, Any]], **about: Any) -> Someone:
    """A standard person trusted with permissions, and with what these grants give."""
    who = await office.acme.add(**about)
    own = [("full", on("core")), *grants]
    await office.made(*(change("set_grant", staff=who, target=target, level=level) for level, target in own))
    return who


class Held:
    """Holds the first call of a function of a store's, and lets the others through: what comes meanwhile either waits
    in the database or goes by."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, store: ModuleType, name: str) -> None:
        self.reached, self.go = asyncio.Event(), asyncio.Event()
        self._real = getattr(store, name)
        self._shut = True
        monkeypatch.setattr(store, name, self)

    async def __call__(self, *args: Any) -> Any:
        if self._shut:
            self._shut = False
            self.reached.set()
            await self.go.wait()
        return await self._real(*args)

    async def race(self, owner: Any, first: Awaitable[Answer], second: Awaitable[Answer]) -> tuple[Answer, Answer]:
        """The second comes while the first is held; once it waits, or is through, the first goes on."""
        one = asyncio.ensure_future(first)
        await self.reached.wait()
        two = asyncio.ensure_future(second)
        await until_held_up(owner, unless=two.done)
        self.go.set()
        return await one, await two
