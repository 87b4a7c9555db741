"""What is read of people: all of it, of many in as many queries as of one, and without what has expired."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from services.authz.facts import facts_of, facts_of_many, facts_until
from shared.db import Database, Tx
from staffgate.contracts.level import AccessLevel, Level
from tests.service.authz.conftest import IDS, NOBODY, Someone
from tests.service.authz.office import Office, change, entry, on


@pytest_asyncio.fixture
async def opened(office: Office) -> AsyncIterator[Database]:
    async def nothing(*_: object) -> None: ...

    authz = office.acme.authz
    reading = Database(
        authz.database.app, clock=authz.clock, ids=IDS, write_events=nothing, committed=lambda: None, size=1
    )
    async with reading.opened():
        yield reading


@pytest.fixture
async def jane(office: Office) -> Someone:
    """Somebody who has one of everything."""
    jane = await office.acme.add()
    sales = await office.team("Sales", None, jane)
    await office.team("East", "Sales")
    role = await office.role("Sender", "team", entry("view", "sms"))
    group = (await office.one("add_group", name="Support"))["id"]
    await office.made(
        change("add_contract", key="7", label="Agreement 7", products=["telephony", "sms"]),
        change("add_tenant", key="acme", label="Acme"),
        change("add_tenant_members", tenant="acme", staff=[jane]),
        change("set_grant", staff=jane, target=on("sms"), level="use"),
        change("set_grant", staff=jane, target=on("contacts"), level="read", expires_at="2026-11-22T10:00:00Z"),
        change("set_access", staff=jane, contract="7", product="telephony", level="user"),
        change("assign_role", staff=jane, role=role, contract="7"),
        change("assign_role", staff=jane, role="leader", expires_at="2026-11-22T11:00:00Z"),
        change("assign_role", group=group, role="agent"),
        change("add_group_members", group=group, staff=[jane]),
        change("link_subscriber", staff=jane, subscriber="101"),
        change("set_default_level", staff=jane, level="read"),
        change("set_routing", staff=jane, anywhere=True),
        change("move_team", team=sales, parent=await office.root()),
    )
    return jane


async def test_all_that_is_stored_is_in_it(office: Office, opened: Database, jane: Someone) -> None:
    org, now = office.acme.org, office.acme.authz.clock.now()
    async with opened.begin(org, snapshot=True) as tx:
        facts = await facts_of(tx, org, jane.id, now)
        assert await facts_of(tx, org, NOBODY, now) is None
    assert facts is not None
    assert (facts.revision, facts.default_level) == (await office.acme.revision(), Level.READ)
    assert facts.route_anywhere
    assert [(grant.target.section, grant.level) for grant in facts.grants] == [("contacts", "read"), ("sms", "use")]
    assert [(one.contract, one.product, one.level) for one in facts.access] == [("7", "telephony", AccessLevel.USER)]
    held = {(one.role.name, one.contract, one.group is not None) for one in facts.roles}
    assert held == {("Sender", "7", False), ("Leader", None, False), ("Agent", None, True)}
    assert facts.team == office.teams["Sales"]
    assert sorted(facts.teams) == sorted([office.teams["Sales"], office.teams["East"]])
    assert (facts.tenants, facts.subscribers) == (("acme",), ("101",))
    assert facts.organisation.contracts == {"7": ("sms", "telephony")}
    assert facts.organisation.tenants == ("acme",)


async def test_what_has_expired_is_not_and_it_says_until_when(office: Office, opened: Database, jane: Someone) -> None:
    org, now = office.acme.org, office.acme.authz.clock.now()
    async with opened.begin(org, snapshot=True) as tx:
        ends = []
        for hours in (0, 1, 2):
            found = await facts_until(tx, org, jane.id, now + timedelta(hours=hours))
            assert found is not None
            ends.append((len(found[0].grants), len(found[0].roles), found[1]))
    assert ends == [(2, 3, now + timedelta(hours=1)), (1, 3, now + timedelta(hours=2)), (1, 2, None)]


async def test_of_many_in_as_many_queries_as_of_one(
    office: Office, opened: Database, jane: Someone, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries: list[str] = []
    read_all, read_one = Tx.all, Tx.one

    async def all(self: Tx, kind: Any, sql: str, *args: object) -> Any:
        queries.append(sql)
        return await read_all(self, kind, sql, *args)

    async def one(self: Tx, kind: Any, sql: str, *args: object) -> Any:
        queries.append(sql)
        return await read_one(self, kind, sql, *args)

    others = [await office.acme.add() for _ in range(5)]
    for other in others:
        await office.assigned("agent", other)
    org, now = office.acme.org, office.acme.authz.clock.now()
    async with opened.begin(org, snapshot=True) as tx:
        monkeypatch.setattr(Tx, "all", all)
        monkeypatch.setattr(Tx, "one", one)
        await facts_of(tx, org, jane.id, now)
        single = len(queries)
        queries.clear()
        found = await facts_of_many(tx, org, [jane.id, NOBODY, *(other.id for other in others)], now)
    assert (len(found), len(queries)) == (6, single)
    assert found[jane.id].team == office.teams["Sales"]
