"""Whole organisations in a product's memory: loaded before anybody asks, kept so, and said clearly where that can't be."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from deploy.local.databases import Urls
from staffgate.client import AuthzClient, Refused, ServiceAway
from staffgate.client.parts import PersonFacts, Standings
from staffgate.contracts.authz import Heartbeat, PermissionsChanged
from staffgate.contracts.catalogue import Manifest, Section
from staffgate.contracts.identity import StaffDeleted
from staffgate.replica import Replica, TooMany, wholes
from tests.conftest import fresh_database
from tests.service.authz.conftest import IDS, NOBODY, Authz, Organisation, Someone, registered, until
from tests.service.authz.office import Office, change, entry, on
from tests.service.authz.product import Wire, token_of

PEOPLE = 10_000

Opened = Callable[..., AbstractAsyncContextManager[Replica]]


@pytest_asyncio.fixture(scope="module")
async def database(postgres: str) -> Urls:
    return await fresh_database(postgres, "authz")


@pytest.fixture
def opened(authz: Authz) -> Opened:
    """A replica that hears."""

    @asynccontextmanager
    async def open(**options: Any) -> AsyncIterator[Replica]:
        assert authz.first is not None
        now = lambda: authz.clock.now().timestamp()  # noqa: E731
        async with Replica(authz.session, authz.first.url, token_of(authz), now=now, **options) as replica:
            wires[replica] = Wire(authz.bus, replica)
            await until(lambda: replica.stats.catalogue is not None)
            yield replica

    return open


wires: dict[Replica, Wire] = {}


@pytest.fixture
def client(authz: Authz) -> AuthzClient:
    assert authz.first is not None
    return AuthzClient(authz.session, authz.first.url, token_of(authz))


def reads(replica: Replica, who: Someone | UUID) -> bool | None:
    """From memory alone."""
    return replica.allowed_now(who.id if isinstance(who, Someone) else who, "sms.read", "inbox", "sales")


# --- as it travels --------------------------------------------------------------------------------------------


async def test_a_page_tells_the_same_as_one_by_one(office: Office, client: AuthzClient) -> None:
    acme = office.acme
    jane, vada, han, luke = await acme.add(), await acme.add(), await acme.add("administrator"), await acme.add()
    await acme.add(status="invited")
    await office.team("Sales", None, jane, vada)
    await office.made(change("add_tenant", key="beta", label="Beta"))
    role = await office.role("Seller", "team", entry("view edit", "contacts"), entry("view", "sms"))
    for who in (vada, han, luke):
        await office.assigned(role, who)
    await office.assigned(await office.role("Lead", "department", entry("edit", "sms")), vada, tenant="beta")
    await acme.register("inbox:sales")
    await acme.granted(jane, ("read", on("sms")), ("use", on("sms", item="inbox:sales")))
    at = (acme.authz.clock.now()).replace(year=2031).isoformat()
    await office.made(change("set_grant", staff=jane, target=on("contacts"), level="use", expires_at=at))
    pages = [page async for page in every_page(client, acme.org, 2)]
    assert [len(page.members) for page in pages] == [2, 2, 2]
    assert [page.total for page in pages] == [6, None, None]
    told = [person for page in pages for person in page.people()]
    each = [await client.standing(person.facts.staff) for person in told]
    assert told == each
    assert [one.until is not None for one in told] == [one.facts.staff == jane.id for one in told]
    some = await client.standings_of(acme.org, [vada.id, NOBODY, jane.id])
    assert by_id(some) == by_id(pages) & by_id(some)
    assert {staff for staff, _ in by_id(some)} == {vada.id, jane.id}


async def every_page(client: AuthzClient, org: UUID, limit: int) -> AsyncIterator[Standings]:
    after: UUID | None = None
    while True:
        page = await client.standings(org, after, limit)
        yield page
        if (after := page.next) is None:
            return


def by_id(pages: Standings | list[Standings]) -> set[tuple[UUID, str]]:
    people: list[PersonFacts] = [
        one for page in (pages if isinstance(pages, list) else [pages]) for one in page.people()
    ]
    return {(one.facts.staff, repr(one)) for one in people}


async def test_many_types_tell_the_same_as_one_by_one(office: Office, client: AuthzClient) -> None:
    acme = office.acme
    await acme.register("inbox:sales", "inbox:management")
    await acme.register("contact:7", section="contacts")
    types = ["inbox", "contact", "channel", "campaign", "no-such"]
    told = await client.registries(acme.org, types)
    assert told.items == {type: (await client.registry(acme.org, type)).items for type in types}
    assert [len(told.items[type]) for type in types] == [2, 1, 6, 0, 0]
    assert told.revision == (await client.registry(acme.org, "inbox")).revision


async def test_a_page_is_for_products_and_says_what_is_wrong(acme: Organisation) -> None:
    jane = await acme.add()
    path = f"/v1/replica/organisations/{acme.org}/standings"
    ask, product = acme.authz.ask, acme.authz.product
    assert (await ask("GET", path, token=product)).status == 200
    assert (await ask("GET", path, token=jane.token)).problem == (403, "wrong_caller")
    assert (await ask("GET", path)).status == 401
    for query in ("limit=0", "limit=501", "limit=x", "after=x", "page=2"):
        assert (await ask("GET", f"{path}?{query}", token=product)).problem == (422, "invalid"), query
    bodies: list[dict[str, Any]] = [
        {"staff": []},
        {"staff": ["x"]},
        {"staff": [str(NOBODY)] * 501},
        {},
        {"staff": [], "more": 1},
    ]
    for body in bodies:
        assert (await ask("POST", path, token=product, json=body)).problem == (422, "invalid"), body
    assert (await ask("POST", path, token=jane.token, json={"staff": [str(NOBODY)]})).problem == (403, "wrong_caller")
    nowhere = f"/v1/replica/organisations/{NOBODY}/standings"
    assert (await ask("GET", nowhere, token=product)).problem == (404, "not_found")
    assert (await ask("POST", nowhere, token=product, json={"staff": [str(NOBODY)]})).problem == (404, "not_found")
    items = f"/v1/replica/organisations/{acme.org}/items"
    for body in ({"types": []}, {"types": ["No Name"]}, {"types": "inbox"}, {}):
        assert (await ask("POST", items, token=product, json=body)).problem == (422, "invalid"), body
    assert (await ask("POST", items, token=jane.token, json={"types": ["inbox"]})).problem == (403, "wrong_caller")
    other = IDS.uuid()
    assert (await ask("POST", path, token=product, json={"staff": [str(other)]})).json.get("members", []) == []


# --- loaded ---------------------------------------------------------------------------------------------------


async def test_everybody_is_there_before_anybody_asks(office: Office, opened: Opened) -> None:
    acme = office.acme
    jane, vada = await acme.add(default="read"), await acme.add()
    await acme.register("inbox:sales")
    await acme.revision()
    shown: list[tuple[int, int]] = []
    async with opened() as replica:
        assert reads(replica, jane) is None
        await replica.load(acme.org, lambda count, total: shown.append((count, total)))
        assert (reads(replica, jane), reads(replica, vada), reads(replica, acme.ray)) == (True, False, True)
        assert shown == [(3, 3)]
        assert replica.stats.organisations[acme.org].whole
        assert [item.id for item in await replica.search(jane.id, "sms.read", "inbox")] == ["sales"]
        assert (replica.stats.asked, replica.stats.mirror.misses) == (0, 0)


async def test_those_that_are_wanted_are_loaded_from_the_start(acme: Organisation, opened: Opened) -> None:
    jane = await acme.add(default="read")
    async with opened(organisations=[acme.org]) as replica:
        assert not replica.ready
        await replica.wait_ready(5)
        assert reads(replica, jane) is True
        assert replica.ready
    unknown = IDS.uuid()
    async with opened(organisations=[unknown]) as replica:
        with pytest.raises(TimeoutError):
            await replica.wait_ready(0.2)
        assert await replica.allowed(jane.id, "sms.read", "inbox", "sales"), "and everything else goes on"


async def test_pages_are_put_together(
    acme: Organisation, opened: Opened, client: AuthzClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [await acme.add(default="read") for _ in range(6)]
    plain, shown = AuthzClient.standings, []
    monkeypatch.setattr(AuthzClient, "standings", lambda self, org, after=None: plain(self, org, after, 3))
    async with opened() as replica:
        await replica.load(acme.org, lambda count, total: shown.append((count, total)))
        assert shown == [(3, 7), (6, 7), (7, 7)]
        assert all(reads(replica, one) for one in people)


async def test_an_organisation_that_there_is_not_and_one_that_is_too_large(acme: Organisation, opened: Opened) -> None:
    async with opened(size=3) as replica:
        with pytest.raises(Refused):
            await replica.load(IDS.uuid())
        await acme.add()
        await acme.add()
        await replica.load(acme.org)
        assert replica.stats.organisations[acme.org].count == 3
    await acme.add()
    async with opened(size=3) as replica:
        with pytest.raises(TooMany, match="4 people, and there is room for 3"):
            await replica.load(acme.org)
        assert replica.stats.organisations == {}


async def test_two_organisations_share_the_room(authz: Authz, acme: Organisation, opened: Opened) -> None:
    other = await registered(authz)
    await acme.add()
    async with opened(size=2) as replica:
        await replica.load(acme.org)
        with pytest.raises(TooMany, match="room for 0"):
            await replica.load(other.org)
        await replica.load(acme.org)


async def test_who_hears_nothing_can_keep_nothing(authz: Authz, acme: Organisation) -> None:
    assert authz.first is not None
    async with Replica(authz.session, authz.first.url, token_of(authz)) as replica:
        with pytest.raises(RuntimeError):
            await replica.load(acme.org)
        await replica.wait_ready(5)  # for what there is to have


# --- kept -----------------------------------------------------------------------------------------------------


async def test_what_is_dropped_is_loaded_again(office: Office, opened: Opened, client: AuthzClient) -> None:
    acme, jane = office.acme, await office.acme.add()
    await acme.register("inbox:sales")
    role = await office.role("Own", "restricted", entry("view", "sms"))
    async with opened() as replica:
        await replica.load(acme.org)
        for level, expected in (("use", True), ("deny", False), ("read", True)):
            await acme.granted(jane, (level, on("sms")))
            await until(lambda expected=expected: reads(replica, jane) is expected)  # type: ignore[misc]
        late = await acme.add(default="read")
        await until(lambda: reads(replica, late) is True)
        await office.assigned(role, late)
        await until(lambda: reads(replica, late) is False)
        await client.register(acme.org, "inbox", "sales", section="sms", label="Sales", owner=late.id)
        await until(lambda: reads(replica, late) is True)
        await late.becomes(StaffDeleted, status="suspended")
        await until(lambda: reads(replica, late) is False)
        stats = replica.stats
        assert (stats.asked, stats.mirror.misses) == (0, 0), "nobody had to wait for any of it"


async def test_a_change_that_concerns_everybody_loads_everybody(office: Office, opened: Opened) -> None:
    acme = office.acme
    people = [await acme.add(default="read") for _ in range(3)]
    async with opened() as replica:
        await replica.load(acme.org)
        revision = await acme.revision()
        # As a change of more people than can be named is told.
        told = PermissionsChanged(org=acme.org, previous=revision, revision=revision + 1, people=None)
        await office.made(change("set_grant", staff=people[0], target=on("sms"), level="deny"))
        await acme.authz.publish(told)
        await until(lambda: reads(replica, people[0]) is False)
        assert [reads(replica, one) for one in people[1:]] == [True, True]
        assert replica.stats.mirror.misses == 0


async def test_after_a_time_in_which_nothing_was_heard_everybody_is_loaded_anew(
    acme: Organisation, opened: Opened
) -> None:
    jane = await acme.add(default="read")
    async with opened(organisations=[acme.org]) as replica:
        await replica.wait_ready(5)
        wire = wires[replica]
        replica.lost()
        wire.whole = False
        assert not replica.ready
        late = await acme.add(default="read")
        await acme.granted(jane, ("deny", on("sms")))
        wire.whole = True
        replica.restored()
        await replica.wait_ready(5)
        assert (reads(replica, jane), reads(replica, late)) == (False, True)


async def test_a_lost_announcement_is_made_up_for(office: Office, opened: Opened) -> None:
    """Of somebody new, whom nobody here has heard of, and then of a change to another one."""
    acme, jane = office.acme, await office.acme.add()
    async with opened() as replica:
        await replica.load(acme.org)
        wires[replica].whole = False
        late = await acme.add(default="read")
        await acme.revision()
        wires[replica].whole = True
        await acme.granted(jane, ("read", on("sms")))
        await until(lambda: reads(replica, late) is True)
        await until(lambda: reads(replica, jane) is True)
        assert replica.stats.mirror.misses == 0


async def test_what_only_a_heartbeat_tells_of_is_made_up_for(acme: Organisation, opened: Opened) -> None:
    jane = await acme.add(default="read")
    async with opened() as replica:
        await replica.load(acme.org)
        wires[replica].whole = False
        await acme.granted(jane, ("deny", on("sms")))
        revision = await acme.revision()
        wires[replica].whole = True
        await acme.authz.publish(beat(acme, revision))
        acme.authz.clock.advance(seconds=1.1)  # for so long it may only have overtaken the announcement
        await acme.authz.publish(beat(acme, revision))
        await until(lambda: reads(replica, jane) is False)
        assert replica.stats.mirror.misses == 0


def beat(acme: Organisation, revision: int) -> Heartbeat:
    at = acme.authz.clock.now()
    return Heartbeat(org=NOBODY, at=at, revisions={acme.org: revision}, complete=True, catalogue=1)


async def test_a_newer_catalogue_is_one_for_everybody(
    authz: Authz, acme: Organisation, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    jane = await acme.add(default="read")
    name = f"fax{IDS.uuid().hex[-8:]}"
    assert authz.first is not None

    async def token() -> str:
        return authz.identity.token(name)

    async with opened() as replica:
        await replica.load(acme.org)
        published = await AuthzClient(authz.session, authz.first.url, token).publish(
            Manifest(name, "Fax", (Section(name, "Fax", items=(f"{name}-line",)),))
        )
        await until(lambda: replica.stats.catalogue == published.catalogue)
        await until(lambda: replica.allowed_now(jane.id, f"{name}.view", f"{name}-line", "1") is True)
        await until(lambda: reads(replica, jane) is True)
        assert replica.stats.mirror.misses == 0


async def test_a_page_that_an_announcement_overtook_is_not_believed(
    acme: Organisation, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was read, then there was a change, which was heard, and then it arrived."""
    jane, vada = await acme.add(default="read"), await acme.add(default="read")
    plain, read, go_on = AuthzClient.standings, asyncio.Event(), asyncio.Event()

    async def slow(client: AuthzClient, org: UUID, after: UUID | None = None) -> Standings:
        page = await plain(client, org, after)
        read.set()
        await go_on.wait()
        return page

    monkeypatch.setattr(AuthzClient, "standings", slow)
    async with opened() as replica:
        monkeypatch.setattr(AuthzClient, "standings_of", never)
        load = asyncio.create_task(replica.load(acme.org))
        await read.wait()
        await acme.granted(jane, ("deny", on("sms")))
        await acme.revision()
        go_on.set()
        await until(lambda: reads(replica, vada) is True)
        assert reads(replica, jane) is None, "what came was of before it"
        load.cancel()
        await asyncio.wait([load])


async def test_a_page_that_nobody_knows_to_be_right_is_read_again(
    acme: Organisation, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A heartbeat came before it, and lists what was not announced."""
    jane = await acme.add(default="read")
    revision = await acme.revision()
    plain = AuthzClient.standings

    async def slow(client: AuthzClient, org: UUID, after: UUID | None = None) -> Standings:
        page = await plain(client, org, after)
        await acme.authz.publish(beat(acme, revision + 1))
        return page

    monkeypatch.setattr(AuthzClient, "standings", slow)
    async with opened() as replica:
        await replica.load(acme.org)
        assert reads(replica, jane) is True


async def never(*_anything: Any) -> Standings:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def test_a_service_that_is_away_is_asked_again(
    acme: Organisation, opened: Opened, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(wholes, "_PAUSE", (0.01, 0.02))
    plain = AuthzClient.standings_of
    away = [True]

    async def now_and_then(client: AuthzClient, org: UUID, staff: Any) -> Standings:
        if away[0]:
            raise ServiceAway("away")
        return await plain(client, org, staff)

    async with opened() as replica:
        await replica.load(acme.org)
        monkeypatch.setattr(AuthzClient, "standings_of", now_and_then)
        with caplog.at_level(logging.WARNING, "staffgate"):
            late = await acme.add(default="read")
            await until(lambda: "can't be kept whole" in caplog.text)
        away[0] = False
        await until(lambda: reads(replica, late) is True)


# --- how long it takes ----------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("count", [2, 20])
async def test_ten_thousand_people(office: Office, opened: Opened, owner: Any, count: int) -> None:
    acme = office.acme
    parts = [entry("view edit", one) for one in ("sms", "contacts", "pbx", "ccai")]
    roles = [await office.role(f"R{n}", "team", *parts) for n in range(count)]
    await owner.execute(
        "INSERT INTO subject (org, staff, type, status, default_level, route_anywhere, version)"
        " SELECT $1, gen_random_uuid(), 'standard', 'active', 'read', false, 1 FROM generate_series(1, $2)",
        acme.org, PEOPLE - 1,
    )  # fmt: skip
    await owner.execute(
        "INSERT INTO assignment (org, id, staff, role) SELECT $1, gen_random_uuid(), s.staff, r FROM subject s,"
        " unnest($2::text[]) r WHERE s.org = $1", acme.org, roles,
    )  # fmt: skip
    people = [row["staff"] for row in await owner.fetch("SELECT staff FROM subject WHERE org = $1", acme.org)]
    async with opened() as replica:
        began, used = time.perf_counter(), time.process_time()
        await replica.load(acme.org)
        took, used = time.perf_counter() - began, time.process_time() - used
        print(
            f"\n{PEOPLE} people with {count} roles each: {took:.1f} s, of it {used:.1f} s of authz's and the product's work"
        )
        assert None not in {reads(replica, one) for one in people}
        replica.lost()
        began, used = time.perf_counter(), time.process_time()
        replica.restored()
        await until(lambda: replica.stats.organisations[acme.org].whole)
        again, used = time.perf_counter() - began, time.process_time() - used
        print(f"and after a reconnection again after {again:.1f} s, of it {used:.2f} s of work")
        assert again < took
        assert None not in {reads(replica, one) for one in people}
        assert replica.stats.asked == 0
