"""What a product asks a replica by, and what it is told of it: in words, as figures, and whether it is ready."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import msgspec
import pytest
import pytest_asyncio

from deploy.local.databases import Urls
from staffgate.client import AuthzClient
from staffgate.contracts.caller import Person
from staffgate.contracts.level import DataAccess
from staffgate.replica import Replica
from staffgate.resource import Resource
from tests.conftest import fresh_database
from tests.service.authz.conftest import NOBODY, Authz, Organisation, Someone, until
from tests.service.authz.office import Office, entry, on
from tests.service.authz.product import Wire, settled, token_of

PAGE = Path(__file__).parents[3] / "docs/how-to/replica.md"


@pytest_asyncio.fixture(scope="module")
async def database(postgres: str) -> Urls:
    return await fresh_database(postgres, "authz")


@pytest_asyncio.fixture
async def replica(authz: Authz) -> AsyncIterator[Replica]:
    assert authz.first is not None
    now = lambda: authz.clock.now().timestamp()  # noqa: E731
    async with Replica(authz.session, authz.first.url, token_of(authz), now=now) as replica:
        await until(lambda: replica.stats.catalogue is not None)
        yield replica


@pytest.fixture
def wire(authz: Authz, replica: Replica) -> Wire:
    return Wire(authz.bus, replica)


def signed_in(who: Someone) -> Person:
    return Person(staff=who.id, org=who.org, type=who.state.type, session=who.session)


# --- asking ---------------------------------------------------------------------------------------------------


async def test_it_is_asked_by_what_the_product_has(office: Office, replica: Replica, wire: Wire) -> None:
    acme, jane = office.acme, await office.acme.add()
    await office.assigned(
        await office.role("Own", "restricted", entry("view edit", "contacts"), entry("view", "sms")), jane
    )
    assert acme.authz.first is not None
    client = AuthzClient(acme.authz.session, acme.authz.first.url, token_of(acme.authz))
    await client.register(acme.org, "inbox", "sales", section="sms", label="Sales", owner=jane.id)
    await acme.revision()
    (inbox,) = await replica.search(signed_in(jane), "sms.read", "inbox")
    assert await replica.allowed(signed_in(jane), "sms.read", inbox)
    assert not await replica.allowed(jane.id, "sms.send", inbox)
    mine, theirs = Resource("contact", 7, owner=jane.id), Resource("contact", 8, owner=NOBODY)
    for who in (jane.id, signed_in(jane)):
        assert await replica.allowed(who, "contacts.edit", mine)
        assert not await replica.allowed(who, "contacts.edit", theirs)
        assert (await replica.decide(who, "contacts.edit", theirs)).reason == "scope"
        assert await replica.allowed(who, "contacts.edit", "contact", "7", owner=jane.id)
    assert (await replica.rows(signed_in(jane), "contacts.view", "contact")).staff == str(jane.id)
    assert replica.stats.asked == 0


# --- why ------------------------------------------------------------------------------------------------------


async def test_why_is_told_in_words_from_memory_and_by_the_service(
    office: Office, replica: Replica, wire: Wire
) -> None:
    acme, jane, vada = office.acme, await office.acme.add(), await office.acme.add()
    await acme.granted(jane, ("read", on("sms")))
    await office.assigned(await office.role("Own", "restricted", entry("view", "contacts")), vada)
    await acme.revision()
    questions = [
        (
            jane,
            "sms.read",
            Resource("inbox", "sales"),
            "An exception made for this person on the section sms allows it.",
        ),
        (jane, "sms.send", Resource("inbox", "sales"), "An exception made for this person on the section sms does not"),
        (vada, "sms.read", Resource("inbox", "sales"), "No exception and no role says anything about it"),
        (vada, "contacts.view", Resource("contact", 7, owner=jane.id), "for some rows only"),
        (acme.ray, "sms.send", Resource("inbox", "sales"), "The owner of the organisation may do everything"),
        (vada, "contacts.view", Resource("section", "contacts"), "allows it on the section contacts"),
        (vada, "no.such", Resource("inbox", "sales"), "There is no such action"),
    ]
    own = [await replica.explain(who.id, action, about) for who, action, about, _ in questions]
    assert replica.stats.asked == 0
    for (_, _, _, words), told in zip(questions, own, strict=True):
        assert words in told.because
    assert own[0].rule is not None
    assert own[5].rows is DataAccess.RESTRICTED
    wire.whole = False
    replica.lost()
    asked = [await replica.explain(who.id, action, about) for who, action, about, _ in questions]
    assert replica.stats.asked == len(questions)
    for mine, theirs in zip(own, asked, strict=True):
        # Only whose rows those are is not told of a denial.
        assert theirs.because == re.sub(r" \(their own\)", "", mine.because)
        assert msgspec.structs.replace(theirs, because=mine.because) == mine


# --- figures --------------------------------------------------------------------------------------------------


async def test_figures_for_prometheus(acme: Organisation, replica: Replica, wire: Wire) -> None:
    jane = await acme.add(default="read")
    await settled(acme, replica, jane)
    acme.authz.clock.advance(seconds=2)
    for _ in range(5):
        await replica.allowed(jane.id, "sms.read", "inbox", "sales")
    told = figures(replica.metrics())
    assert told["staffgate_replica_hits_total"] >= 5
    assert 2 <= told["staffgate_replica_age_seconds"] < 3 == told["staffgate_replica_bound_seconds"]
    assert (told["staffgate_replica_people"], told["staffgate_replica_registries"]) == (1, 1)
    assert (told["staffgate_replica_believed"], told["staffgate_replica_ready"]) == (1, 1)
    assert told["staffgate_replica_catalogue_version"] == replica.stats.catalogue
    replica.lost()
    await replica.allowed(jane.id, "sms.read", "inbox", "sales")
    after = figures(replica.metrics())
    assert (after["staffgate_replica_believed"], after["staffgate_replica_ready"]) == (0, 0)
    assert after["staffgate_replica_asked_total"] == told["staffgate_replica_asked_total"] + 1


def figures(text: str) -> dict[str, float]:
    """Every name once, with its help and its type, as the format has it."""
    found: dict[str, float] = {}
    lines = text.splitlines()
    assert text.endswith("\n")
    for help, kind, value in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        name, number = value.split(" ")
        assert re.fullmatch(rf"# HELP {name} [^\n]+", help)
        assert kind == f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}"
        assert name not in found
        found[name] = float(number)
    return found


async def test_every_figure_stands_on_the_page(acme: Organisation, replica: Replica) -> None:
    assert set(re.findall(r"`(staffgate_replica_\w+)`", PAGE.read_text())) == figures(replica.metrics()).keys()


# --- ready ----------------------------------------------------------------------------------------------------


async def test_ready_is_when_it_hears_and_has_the_catalogue(authz: Authz, acme: Organisation) -> None:
    assert authz.first is not None
    url = authz.first.url
    async with Replica(authz.session, url, token_of(authz), amqp_url="amqp://127.0.0.1:1") as deaf:
        await until(lambda: deaf.stats.catalogue is not None)
        assert not deaf.ready
        with pytest.raises(TimeoutError):
            await deaf.wait_ready(0.05)
    async with Replica(authz.session, "http://127.0.0.1:1", token_of(authz)) as lonely:
        with pytest.raises(TimeoutError):
            await lonely.wait_ready(0.05)


async def test_over_the_event_stream_it_hears_without_rabbitmq(authz: Authz, acme: Organisation) -> None:
    assert authz.first is not None
    jane = await acme.add()
    async with (
        aiohttp.ClientSession() as session,
        Replica(
            session, authz.first.url, token_of(authz), stream=True, organisations=[acme.org], now=seconds(authz)
        ) as replica,
    ):
        await replica.wait_ready(10)
        for level, expected in (("use", True), ("deny", False), ("read", True)):
            await acme.granted(jane, (level, on("sms")))
            await until(lambda expected=expected: _reads(replica, jane) is expected)  # type: ignore[misc]
        assert replica.stats.asked == 0
        await authz.first.stop()
        await until(lambda: not replica.ready)
    with pytest.raises(ValueError, match="in place of RabbitMQ"):
        Replica(authz.session, authz.first.url, token_of(authz), stream=True, amqp_url="amqp://broker")


def _reads(replica: Replica, who: Someone) -> bool | None:
    return replica.allowed_now(who.id, "sms.read", "inbox", "sales")


def seconds(authz: Authz) -> Callable[[], float]:
    return lambda: authz.clock.now().timestamp()
