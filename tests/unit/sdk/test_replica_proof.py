"""What a replica takes for known: the catalogue that was the newest within the bound, and of an organisation that was set
aside what was right at a revision that authz had come to by then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from shared.bus.envelope import encode
from staffgate.client import AuthzClient, Patience, Ruling, Wire
from staffgate.client.parts import LONGEST, ChangedSince, ItemsByType, PersonFacts, RegisteredItems, Standings
from staffgate.contracts.authz import Heartbeat, PermissionsChanged
from staffgate.contracts.caller import StaffType
from staffgate.contracts.catalogue import WholeCatalogue
from staffgate.contracts.event import NOBODYS, Event
from staffgate.contracts.identity import StaffStatus
from staffgate.contracts.level import Level
from staffgate.decision import Facts, shipped
from staffgate.replica import Replica, aside, wholes

ACME = UUID(int=0xACE)
PEOPLE = [UUID(int=number) for number in range(10, 16)]
ASKED = ("sms.view", "section", "sms")


class Fake:
    """authz, as far as a replica asks it. `gate` is before a newer catalogue, and before registries."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.revision = self.version = 1
        self.levels = dict.fromkeys(PEOPLE, Level.READ)
        self.changes: dict[int, list[UUID]] = {}
        self.gate, self.items = asyncio.Event(), asyncio.Event()
        self.items.set()
        self.since: list[tuple[int, float]] = []
        self.takes = 0.0  # seconds, to say what has changed
        self.pages = self.registries = self.decided = self.doubted = 0

    def facts(self, staff: UUID) -> PersonFacts:
        level = self.levels[staff]
        facts = Facts(
            staff=staff, revision=self.revision, org_active=True, type=StaffType.STANDARD,
            status=StaffStatus.ACTIVE, default_level=level,
        )  # fmt: skip
        return PersonFacts(org=ACME, facts=facts)

    def standings(self, staff: Sequence[UUID]) -> Standings:
        page = Standings.of(ACME, self.revision, [self.facts(one) for one in staff])
        page.total = len(PEOPLE)
        return page

    def beat(self, ago: float = 0.0) -> Heartbeat:
        at = datetime.fromtimestamp(self.now - ago, UTC)
        return Heartbeat(org=NOBODYS, at=at, revisions={ACME: self.revision}, complete=True, catalogue=self.version)

    def change(self, *people: UUID) -> PermissionsChanged:
        self.revision += 1
        self.changes[self.revision] = [*people]
        return PermissionsChanged(org=ACME, previous=self.revision - 1, revision=self.revision, people=[*people])

    def tell(self, replica: Replica, event: Event) -> None:
        replica.heard(encode(event, uuid4(), datetime.fromtimestamp(self.now, UTC)))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    fake = Fake()

    async def catalogue(_client: AuthzClient) -> WholeCatalogue:
        version = fake.version
        if version > 1:
            await fake.gate.wait()
        return WholeCatalogue(version=version, manifests=tuple(shipped()) if version == 1 else ())

    async def standing(_client: AuthzClient, staff: UUID) -> PersonFacts:
        return fake.facts(staff)

    async def standings(_client: AuthzClient, _org: UUID, _after: UUID | None = None) -> Standings:
        fake.pages += 1
        return fake.standings(PEOPLE)

    async def standings_of(_client: AuthzClient, _org: UUID, staff: Sequence[UUID]) -> Standings:
        return fake.standings(staff)

    async def registry(_client: AuthzClient, _org: UUID, _type: str) -> RegisteredItems:
        fake.registries += 1
        await fake.items.wait()
        return RegisteredItems(items=[], revision=fake.revision)

    async def registries(_client: AuthzClient, _org: UUID, types: Sequence[str]) -> ItemsByType:
        return ItemsByType(items={type: [] for type in types}, revision=fake.revision)

    def doubt(_client: AuthzClient) -> None:
        fake.doubted += 1

    async def decide(_client: AuthzClient, *_asked: Any, **_more: Any) -> Ruling:
        fake.decided += 1
        return Ruling(allowed=fake.version == 1, reason="", visible=True, revision=fake.revision)

    async def changed(_client: AuthzClient, org: UUID, since: int, seconds: float = 0.0) -> ChangedSince:
        fake.since.append((since, seconds))
        fake.now += fake.takes
        people = [staff for number in range(since, fake.revision) for staff in fake.changes[number + 1]]
        found = None if seconds > LONGEST else people
        return ChangedSince(org=org, revision=fake.revision, people=found, types=[])

    for one in (catalogue, standing, standings, standings_of, registry, registries, decide, changed, doubt):
        monkeypatch.setattr(AuthzClient, one.__name__, one)
    monkeypatch.setattr(wholes, "_ALL_SOON", (0.0, 0.0))
    monkeypatch.setattr(wholes, "_BACK_SOON", 0.0)
    monkeypatch.setattr(wholes, "_SOON", 0.0)
    return fake


@pytest_asyncio.fixture
async def replica(fake: Fake) -> AsyncIterator[Replica]:
    async def token() -> str:
        return "token"

    patience = Patience(decision=0.2)
    async with Wire() as wire, Replica(wire, "http://x", token, now=lambda: fake.now, patience=patience) as replica:
        replica.restored()
        await until(lambda: replica.stats.catalogue == 1)
        fake.tell(replica, fake.beat())
        yield replica


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def whole(replica: Replica) -> None:
    await until(lambda: replica.stats.organisations[ACME].whole)


def known(replica: Replica) -> list[bool | None]:
    return [replica.allowed_now(one, *ASKED) for one in PEOPLE]


# --- what takes long to load ----------------------------------------------------------------------------------


async def test_where_a_load_takes_long_authz_is_asked_and_the_load_goes_on(fake: Fake, replica: Replica) -> None:
    fake.items.clear()
    about = (PEOPLE[0], "sms.view", "inbox", "sales")
    assert await replica.allowed(*about)
    assert (fake.registries, fake.decided) == (1, 1)
    assert await replica.allowed(*about)
    assert fake.doubted == 2, "the question takes another connection than the load, which may be silent for ever"
    assert (fake.registries, fake.decided) == (1, 2), "it is the same load that is waited for"
    fake.items.set()
    await until(lambda: replica.allowed_now(*about) is True)
    assert await replica.allowed(*about)
    assert (fake.registries, fake.decided) == (1, 2)


# --- the catalogue --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("told", [True, False])
async def test_a_catalogue_is_as_old_as_its_last_proof(fake: Fake, replica: Replica, told: bool) -> None:
    """There was another one while nothing could be heard, whether somebody noticed that or not."""
    assert await replica.allowed(PEOPLE[0], *ASKED)
    if told:
        replica.lost()
    fake.version = 2
    fake.now += 25
    if told:
        replica.restored()
    fake.tell(replica, fake.beat())
    assert replica.allowed_now(PEOPLE[0], *ASKED) is None
    assert not await replica.allowed(PEOPLE[0], *ASKED), "authz is asked"
    fake.gate.set()
    await until(lambda: replica.stats.catalogue == 2)
    assert replica.ready


@pytest.mark.parametrize("heartbeat", [True, False])
async def test_after_a_silence_it_has_to_be_proved(
    fake: Fake, replica: Replica, monkeypatch: pytest.MonkeyPatch, heartbeat: bool
) -> None:
    plain, gate = AuthzClient.catalogue, asyncio.Event()

    async def later(client: AuthzClient) -> WholeCatalogue:
        await gate.wait()
        return await plain(client)

    monkeypatch.setattr(AuthzClient, "catalogue", later)
    replica.lost()
    fake.now += 25
    replica.restored()
    assert not replica.ready
    fake.tell(replica, fake.beat(1.0))
    assert replica.ready
    fake.now += 2.1
    assert not replica.ready, "that one says nothing of the second before anything could be heard"
    waiting = asyncio.create_task(replica.wait_ready(5))
    await asyncio.sleep(0)
    if heartbeat:
        fake.tell(replica, fake.beat())
    else:
        gate.set()
    await waiting


async def test_within_the_bound_nothing_has_to_wait(fake: Fake, replica: Replica) -> None:
    replica.lost()
    fake.now += 1
    replica.restored()
    assert replica.ready
    fake.version = 2
    fake.tell(replica, fake.beat())
    fake.now += 1.9
    fake.tell(replica, fake.beat())
    assert replica.ready
    fake.now += 0.2
    fake.tell(replica, fake.beat())
    assert not replica.ready


# --- whole organisations --------------------------------------------------------------------------------------


async def test_who_was_to_be_loaded_is_still_to_be(fake: Fake, replica: Replica) -> None:
    await replica.load(ACME)
    fake.tell(replica, fake.change(*PEOPLE[:2]))
    replica.lost()
    fake.now += 1
    replica.restored()
    await whole(replica)
    assert known(replica) == [True] * len(PEOPLE)
    assert (replica.stats.organisations[ACME].count, fake.pages) == (len(PEOPLE), 1)


async def test_after_a_gap_everybody_is(fake: Fake, replica: Replica) -> None:
    """And the connection was lost before a heartbeat: nobody knows whom the missing one was about."""
    await replica.load(ACME)
    fake.change(PEOPLE[0])
    fake.tell(replica, fake.change(PEOPLE[1]))
    assert await replica.allowed(PEOPLE[2], *ASKED)
    replica.lost()
    replica.restored()
    await whole(replica)
    assert known(replica) == [True] * len(PEOPLE)
    assert fake.pages > 1


async def test_what_is_newer_than_what_was_heard_is_not_put_back(fake: Fake, replica: Replica) -> None:
    """It was loaded for the revision of a change that was never announced; then the database was set back to before it."""
    fake.levels[PEOPLE[0]] = Level.DENY
    await replica.load(ACME)
    fake.change(PEOPLE[0])
    fake.levels[PEOPLE[0]] = Level.READ
    assert (await replica.decide(PEOPLE[0], *ASKED, min_revision=2)).allowed
    replica.lost()
    fake.revision, fake.levels[PEOPLE[0]] = 1, Level.DENY
    replica.restored()
    await whole(replica)
    assert known(replica) == [False] + [True] * (len(PEOPLE) - 1)


async def test_a_revision_is_known_since_it_was_heard_of(
    fake: Fake, replica: Replica, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not since the last heartbeat; and while what was set aside is put back, that becomes no later."""
    await replica.load(ACME)
    fake.now += 1
    fake.tell(replica, fake.change(PEOPLE[0]))
    await until(lambda: known(replica) == [True] * len(PEOPLE))
    for _ in range(20):
        fake.now += 1
        fake.tell(replica, fake.beat())
    monkeypatch.setattr(aside, "_AT_ONCE", len(PEOPLE))
    fake.takes = 0.5
    replica.lost()
    replica.restored()
    await whole(replica)
    assert fake.since[:2] == [(2, 20.0), (2, 20.5)]
    assert fake.pages == 1
    replica.lost()
    replica.restored()
    await whole(replica)
    assert fake.since[-1][1] > 20, "and that is so the next time, too"
    replica.lost()
    fake.change()
    replica.restored()
    await whole(replica)
    replica.lost()
    replica.restored()
    await whole(replica)
    assert (fake.since[-1][0], fake.pages) == (3, 1), "of this one nobody has told but the answer to what has changed"
