"""Whole organisations after a time in which nothing could be heard: what was known is put back once authz has said that it
is right still, and nothing of it is an answer before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from staffgate.client import AuthzClient, Refused, ServiceAway
from staffgate.client.parts import ChangedSince, Standings
from staffgate.contracts.catalogue import Manifest, Section
from staffgate.contracts.identity import StaffDeleted
from staffgate.replica import Replica, aside, wholes
from tests.service.authz.conftest import IDS, Authz, Organisation, until
from tests.service.authz.office import Office, on
from tests.service.authz.test_wholes import Opened, beat, database, opened, reads, wires

__all__ = ["database", "opened"]


class Asked:
    """What authz is asked for whole organisations; `gate` is before each answer to what has changed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pages = 0
        self.people: list[UUID] = []
        self.since: list[int] = []
        self.told: list[ChangedSince] = []
        self.gate = asyncio.Event()
        self.gate.set()
        standings, standings_of, changed = AuthzClient.standings, AuthzClient.standings_of, AuthzClient.changed

        async def pages(client: AuthzClient, org: UUID, after: UUID | None = None) -> Standings:
            self.pages += 1
            return await standings(client, org, after)

        async def some(client: AuthzClient, org: UUID, staff: Sequence[UUID]) -> Standings:
            self.people += staff
            return await standings_of(client, org, staff)

        async def since(client: AuthzClient, org: UUID, revision: int, seconds: float = 0.0) -> ChangedSince:
            self.since.append(revision)
            found = await changed(client, org, revision, seconds)
            self.told.append(found)
            await self.gate.wait()
            return found

        monkeypatch.setattr(AuthzClient, "standings", pages)
        monkeypatch.setattr(AuthzClient, "standings_of", some)
        monkeypatch.setattr(AuthzClient, "changed", since)

    def forget(self) -> None:
        self.pages = 0
        self.people, self.since, self.told = [], [], []


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(monkeypatch)


async def loaded(replica: Replica, acme: Organisation, asked: Asked) -> None:
    await acme.revision()
    await replica.load(acme.org)
    asked.forget()


def lose(replica: Replica) -> None:
    replica.lost()
    wires[replica].whole = False


def find(replica: Replica) -> None:
    wires[replica].whole = True
    replica.restored()


async def whole(replica: Replica, org: UUID) -> None:
    await until(lambda: replica.stats.organisations[org].whole)


# --- put back -------------------------------------------------------------------------------------------------


async def test_only_what_has_changed_is_loaded(office: Office, opened: Opened, asked: Asked) -> None:
    acme = office.acme
    jane, vada, han, luke = [await acme.add(default="read") for _ in range(4)]
    await acme.register("inbox:sales")
    async with opened() as replica:
        await loaded(replica, acme, asked)
        lose(replica)
        start = await acme.revision()
        await acme.granted(jane, ("deny", on("sms")))
        await vada.becomes(StaffDeleted, status="deleted")
        late = await acme.add(default="read")
        await acme.register("inbox:management")
        present = await acme.revision()
        find(replica)
        assert not replica.stats.organisations[acme.org].whole
        await whole(replica, acme.org)
        assert [reads(replica, one) for one in (jane, vada, late, han, luke)] == [False, False, True, True, True]
        assert (asked.pages, asked.since) == (0, [start])
        assert sorted(asked.people) == sorted([jane.id, vada.id, late.id])
        assert [item.id for item in await replica.search(han.id, "sms.read", "inbox")] == ["management", "sales"]
        assert (await replica.decide(han.id, "sms.read", "inbox", "sales")).revision == present
        assert (replica.stats.asked, replica.stats.mirror.misses) == (0, 0)
        await acme.granted(han, ("deny", on("sms")))
        await until(lambda: reads(replica, han) is False)


async def test_of_what_is_set_aside_nobody_is_answered(acme: Organisation, opened: Opened, asked: Asked) -> None:
    jane = await acme.add(default="read")
    async with opened() as replica:
        await loaded(replica, acme, asked)
        lose(replica)
        assert reads(replica, jane) is None
        asked.gate.clear()
        find(replica)
        await until(lambda: asked.told)
        assert reads(replica, jane) is None
        assert not replica.stats.organisations[acme.org].whole
        asked.gate.set()
        await whole(replica, acme.org)
        assert reads(replica, jane) is True


async def test_what_is_announced_meanwhile_counts(acme: Organisation, opened: Opened, asked: Asked) -> None:
    """authz has read what has changed, then there was another change, which was heard, and then the answer came."""
    jane, vada = await acme.add(default="read"), await acme.add(default="read")
    async with opened() as replica:
        await loaded(replica, acme, asked)
        lose(replica)
        asked.gate.clear()
        find(replica)
        await until(lambda: asked.told)
        await acme.granted(jane, ("deny", on("sms")))
        await acme.revision()
        asked.gate.set()
        await whole(replica, acme.org)
        assert (reads(replica, jane), reads(replica, vada)) == (False, True)
        assert asked.people == [jane.id], "she alone was not put back"


async def test_what_a_heartbeat_has_overtaken_is_asked_about_again(
    acme: Organisation, opened: Opened, asked: Asked
) -> None:
    """It lists a revision of which neither the answer nor an announcement has told: nothing can be put back."""
    people = [await acme.add(default="read") for _ in range(5)]
    async with opened() as replica:
        await loaded(replica, acme, asked)
        lose(replica)
        asked.gate.clear()
        find(replica)
        await until(lambda: asked.told)
        wires[replica].whole = False
        await acme.granted(people[0], ("deny", on("sms")))
        revision = await acme.revision()
        wires[replica].whole = True
        await acme.authz.publish(beat(acme, revision))
        asked.gate.set()
        await whole(replica, acme.org)
        assert [reads(replica, one) for one in people] == [False, True, True, True, True]
        assert (len(asked.since), asked.people) == (2, [people[0].id])


async def test_who_loses_it_again_begins_again(acme: Organisation, opened: Opened, asked: Asked) -> None:
    """From the same revision: what was put back between the two was of no use."""
    jane, vada = await acme.add(default="read"), await acme.add(default="read")
    async with opened() as replica:
        await loaded(replica, acme, asked)
        start = await acme.revision()
        lose(replica)
        asked.gate.clear()
        find(replica)
        await until(lambda: asked.told)
        lose(replica)
        await acme.granted(jane, ("deny", on("sms")))
        await acme.revision()
        asked.gate.set()
        find(replica)
        await whole(replica, acme.org)
        assert (reads(replica, jane), reads(replica, vada)) == (False, True)
        assert (set(asked.since), asked.pages) == ({start}, 0)


@pytest.mark.parametrize("sure", [True, False])
async def test_a_silence_that_nobody_told_of(
    acme: Organisation, opened: Opened, asked: Asked, owner: Any, sure: bool
) -> None:
    """No heartbeat for longer than the bound, and then one: memory begins anew, as after a connection that was lost. What
    was known was known when it was believed last, and not when somebody looked."""
    jane, vada = await acme.add(default="read"), await acme.add(default="read")
    async with opened() as replica:
        await loaded(replica, acme, asked)
        if sure:
            await age(owner, acme)
        wires[replica].whole = False
        await acme.granted(jane, ("deny", on("sms")))
        revision = await acme.revision()
        acme.authz.clock.advance(seconds=10)
        assert reads(replica, jane) is None
        wires[replica].whole = True
        await acme.authz.publish(beat(acme, revision))
        await whole(replica, acme.org)
        assert (reads(replica, jane), reads(replica, vada)) == (False, True)
        assert (asked.pages, asked.people) == ((0, [jane.id]) if sure else (1, []))


async def age(owner: Any, acme: Organisation) -> None:
    """All that was changed up to now was changed a minute before."""
    for table, column in (("recent_change", "at"), ("organisation_revision", "changed_at")):
        query = f"UPDATE {table} SET {column} = {column} - interval '1 min' WHERE org = $1"
        await owner.execute(query, acme.org)


async def test_many_parts_are_put_back_in_several_goes(
    acme: Organisation, opened: Opened, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aside, "_AT_ONCE", 3)
    people = [await acme.add(default="read") for _ in range(7)]
    async with opened() as replica:
        await loaded(replica, acme, asked)
        lose(replica)
        await acme.granted(people[3], ("deny", on("sms")))
        await acme.revision()
        find(replica)
        await whole(replica, acme.org)
        assert [reads(replica, one) for one in people] == [True] * 3 + [False] + [True] * 3
        assert len(asked.since) >= 3
        assert asked.people == [people[3].id]


async def test_a_service_that_is_away_is_asked_again(
    acme: Organisation, opened: Opened, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was known is known still when it comes back, though something newer was learnt of somebody meanwhile."""
    monkeypatch.setattr(wholes, "_PAUSE", (0.01, 0.02))
    jane, vada = await acme.add(default="read"), await acme.add(default="read")
    plain, away, tried = AuthzClient.changed, [True], asyncio.Event()

    async def now_and_then(client: AuthzClient, org: UUID, since: int, seconds: float = 0.0) -> ChangedSince:
        tried.set()
        if away[0]:
            raise ServiceAway("away")
        return await plain(client, org, since, seconds)

    monkeypatch.setattr(AuthzClient, "changed", now_and_then)
    async with opened() as replica:
        await loaded(replica, acme, asked)
        lose(replica)
        find(replica)
        await tried.wait()
        assert await replica.allowed(jane.id, "sms.read", "inbox", "sales")
        assert reads(replica, jane), "she is remembered, and she alone"
        lose(replica)
        find(replica)
        away[0] = False
        await whole(replica, acme.org)
        assert (reads(replica, jane), reads(replica, vada), asked.pages) == (True, True, 0)


# --- loaded anew ----------------------------------------------------------------------------------------------


async def test_everybody_where_nobody_knows_what_has_changed(
    acme: Organisation, opened: Opened, asked: Asked, owner: Any
) -> None:
    jane, vada = await acme.add(default="read"), await acme.add(default="read")
    async with opened() as replica:
        await loaded(replica, acme, asked)
        lose(replica)
        await acme.granted(jane, ("deny", on("sms")))
        await acme.revision()
        await owner.execute("DELETE FROM recent_change WHERE org = $1", acme.org)
        find(replica)
        await whole(replica, acme.org)
        assert (reads(replica, jane), reads(replica, vada)) == (False, True)
        assert (len(asked.since), asked.pages) == (1, 1)


async def test_everybody_where_the_database_has_another_past(acme: Organisation, opened: Opened, asked: Asked) -> None:
    """It came to the revision that the replica knows only after the replica did: it was set back to a copy."""
    jane = await acme.add(default="read")
    async with opened() as replica:
        await loaded(replica, acme, asked)
        lose(replica)
        acme.authz.clock.advance(seconds=10)
        find(replica)
        await whole(replica, acme.org)
        assert (reads(replica, jane), len(asked.since), asked.pages) == (True, 1, 1)


async def test_with_another_catalogue_nothing_is_put_back(
    authz: Authz, acme: Organisation, opened: Opened, asked: Asked
) -> None:
    jane, name = await acme.add(default="read"), f"fax{IDS.uuid().hex[-8:]}"
    assert authz.first is not None

    async def token() -> str:
        return authz.identity.token(name)

    async with opened() as replica:
        await loaded(replica, acme, asked)
        lose(replica)
        manifest = Manifest(name, "Fax", (Section(name, "Fax", items=(f"{name}-line",)),))
        published = await AuthzClient(authz.session, authz.first.url, token).publish(manifest)
        asked.gate.clear()
        find(replica)
        await until(lambda: replica.stats.catalogue == published.catalogue)
        asked.gate.set()
        await whole(replica, acme.org)
        assert asked.pages == 1
        assert replica.allowed_now(jane.id, f"{name}.view", f"{name}-line", "1") is True


async def test_the_more_people_the_longer_their_loads_are_spread(
    acme: Organisation, opened: Opened, asked: Asked
) -> None:
    """For other processes load them at the same time; to ask what has changed costs nobody anything."""
    await acme.add()
    async with opened() as replica:
        await loaded(replica, acme, asked)
        one = replica._wholes._each[acme.org]
        assert one._soon() < 0.1
        lose(replica)
        one.renew_all()
        assert 0.1 < one._soon() < 1
        one.aside = None
        assert one._soon() == 1.0
        one.people = set(range(10_000))
        assert one._soon() == 10.0
        one.people = set()


async def test_an_older_authz_can_not_be_asked_that(
    acme: Organisation, opened: Opened, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    jane = await acme.add(default="read")

    async def unknown(_client: AuthzClient, _org: UUID, _since: int, _seconds: float = 0.0) -> ChangedSince:
        raise Refused(404, "not_found", "There is nothing at this path.")

    async with opened() as replica:
        await loaded(replica, acme, asked)
        monkeypatch.setattr(AuthzClient, "changed", unknown)
        lose(replica)
        find(replica)
        await whole(replica, acme.org)
        assert (reads(replica, jane), asked.pages) == (True, 1)
