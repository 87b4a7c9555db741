"""Reads that are answered by what was last known, where a product wants that: only reads, only where nobody can be asked,
never longer than was said, and never what is known to be wrong."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from deploy.local.databases import Urls
from staffgate.client import AuthzClient, Refused, Ruling, ServiceAway
from staffgate.contracts.authz import Heartbeat, PermissionsChanged
from staffgate.decision import Catalogue, shipped
from staffgate.replica import Replica, StaleVerdict, lately
from tests.conftest import fresh_database
from tests.service.authz.conftest import NOBODY, Authz, Organisation, Someone, until
from tests.service.authz.office import Office, entry, on
from tests.service.authz.product import Wire, settled, token_of

READ = ("sms.read", "inbox", "sales")
SEND = ("sms.send", "inbox", "sales")

Opened = Callable[..., AbstractAsyncContextManager["Product"]]


@pytest_asyncio.fixture(scope="module")
async def database(postgres: str) -> Urls:
    return await fresh_database(postgres, "authz")


class Product:
    """A replica that knows Jane, and the ways to take from it whatever it could ask."""

    def __init__(self, authz: Authz, replica: Replica, patch: pytest.MonkeyPatch) -> None:
        self.authz = authz
        self.replica = replica
        self.wire = Wire(authz.bus, replica)
        self._patch = patch

    def cut(self) -> None:
        """authz can't be reached, and nothing can be heard. (Its own bus and the tests' are one, so it goes on.)"""
        self.unplug()
        self.silence()

    def unplug(self) -> None:
        self.wire.whole = False
        self.replica.lost()

    def plug(self) -> None:
        self.wire.whole = True
        self.replica.restored()

    def silence(self, fault: Exception | None = None) -> None:
        async def away(*_anything: Any, **_more: Any) -> Any:
            raise fault or ServiceAway("away")

        for name in ("decide", "standing", "registry", "rows", "catalogue"):
            self._patch.setattr(AuthzClient, name, away)

    def answer(self) -> None:
        self._patch.undo()

    async def says(self, who: Someone, question: tuple[str, str, str] = READ, **about: Any) -> bool | None:
        """None where it can't say."""
        try:
            decided = await self.replica.decide(who.id, *question, **about)
        except ServiceAway:
            return None
        return decided.allowed

    @property
    def stale(self) -> int:
        return self.replica.stats.stale


@pytest.fixture
def opened(authz: Authz, monkeypatch: pytest.MonkeyPatch) -> Opened:
    @asynccontextmanager
    async def open(stale_reads: float | None = 60.0, **options: Any) -> AsyncIterator[Product]:
        assert authz.first is not None
        now = lambda: authz.clock.now().timestamp()  # noqa: E731
        async with Replica(
            authz.session, authz.first.url, token_of(authz), now=now, stale_reads=stale_reads, **options
        ) as replica:
            product = Product(authz, replica, monkeypatch)
            await until(lambda: replica.stats.catalogue is not None)
            yield product

    return open


async def test_reads_go_on_for_a_while(acme: Organisation, opened: Opened, caplog: pytest.LogCaptureFixture) -> None:
    jane = await acme.add(default="full")
    async with opened() as product:
        await settled(acme, product.replica, jane)
        product.cut()
        acme.authz.clock.advance(seconds=20)
        with caplog.at_level(logging.WARNING, "staffgate"):
            decided = await product.replica.decide(jane.id, *READ)
            assert await product.replica.allowed(jane.id, *READ)
        assert isinstance(decided, StaleVerdict)
        assert (decided.allowed, decided.stale, decided.reason) == (True, True, "default")
        assert 20 <= decided.age < 22
        assert product.stale == product.replica.stats.unanswered == 2
        assert caplog.text.count("answered by what was last known") == 1, "said, and not at every question"
        assert await product.says(jane, ("sms.view", "section", "sms")), "of the same parts"
        told = await product.replica.explain(jane.id, *READ)
        assert "20 s ago" in told.because
        acme.authz.clock.advance(seconds=38)
        assert await product.says(jane) is True
        acme.authz.clock.advance(seconds=3)
        assert await product.says(jane) is None, "and no longer than that"
        assert not await product.replica.allowed(jane.id, *READ)


async def test_only_reads(acme: Organisation, opened: Opened) -> None:
    jane = await acme.add(default="full")
    async with opened() as product:
        await settled(acme, product.replica, jane)
        product.cut()
        assert await product.says(jane, READ) is True
        for question in (SEND, ("sms.edit", "section", "sms"), ("product.use", "product", "sms"),
                         ("portal.login", "section", "portal"), ("no.such", "inbox", "sales")):  # fmt: skip
            assert await product.says(jane, question) is None, question
            assert await product.replica.allowed(jane.id, *question) is False, question


def test_which_actions_are_reads() -> None:
    catalogue = Catalogue.from_manifests(shipped())
    reads = {name for name in catalogue.actions if lately.is_read(catalogue, name)}
    assert {name for name in reads if not name.endswith(".view")} == {
        "sms.read", "recording.listen", "supervisor.activity", "supervisor.grid", "supervisor.agents", "report.run",
        "transcript.read",
    }  # fmt: skip
    assert {f"{section}.view" for section in catalogue.sections} <= reads


async def test_off_unless_it_is_wanted(acme: Organisation, opened: Opened) -> None:
    jane = await acme.add(default="full")
    async with opened(stale_reads=None) as product:
        await settled(acme, product.replica, jane)
        product.cut()
        assert await product.says(jane) is None
        assert product.stale == 0
    with pytest.raises(ValueError, match="bound"):
        Replica(acme.authz.session, "http://authz", token_of(acme.authz), stale_reads=3.0)


async def test_it_is_said_at_the_start(acme: Organisation, opened: Opened, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "staffgate"):
        async with opened(stale_reads=45):
            assert "known up to 45 s ago" in caplog.text


async def test_as_long_as_authz_can_be_asked_it_is(acme: Organisation, opened: Opened) -> None:
    jane = await acme.add(default="full")
    async with opened() as product:
        await settled(acme, product.replica, jane)
        product.unplug()
        await acme.granted(jane, ("deny", on("sms")))
        assert await product.says(jane) is False
        assert product.stale == 0


async def test_a_service_that_refuses_is_not_away(acme: Organisation, opened: Opened) -> None:
    jane = await acme.add(default="full")
    async with opened() as product:
        await settled(acme, product.replica, jane)
        product.unplug()
        product.silence(Refused(401, "token_refused", "who are you?"))
        with pytest.raises(Refused):
            await product.replica.decide(jane.id, *READ)
        assert not await product.replica.allowed(jane.id, *READ)
        assert product.stale == 0


# --- what is known to be wrong --------------------------------------------------------------------------------


async def test_what_was_heard_of_is_not_answered_by(acme: Organisation, opened: Opened) -> None:
    """A revoke came, and then, before anything was loaded again, nothing more could be had."""
    jane, vada = await acme.add(default="full"), await acme.add(default="full")
    async with opened() as product:
        for one in (jane, vada):
            await settled(acme, product.replica, one)
        product.silence()
        await acme.granted(jane, ("deny", on("sms")))
        await acme.revision()
        product.unplug()
        assert await product.says(vada) is True
        assert await product.says(jane) is not True


async def test_nor_by_what_depends_on_others(office: Office, opened: Opened, authz: Authz) -> None:
    """Whose row it is has moved to another team, and what is registered belongs to somebody else."""
    acme = office.acme
    jane, vada, han = await acme.add(), await acme.add(), await acme.add()
    await office.team("Sales", None, jane, vada)
    await office.assigned(await office.role("T", "team", entry("view", "sms"), entry("view", "contacts")), jane)
    assert authz.first is not None
    client = AuthzClient(authz.session, authz.first.url, token_of(authz))
    await client.register(acme.org, "inbox", "sales", section="sms", label="Sales", owner=vada.id)
    row = ("contacts.view", "contact", "7")
    async with opened() as product:
        await settled(acme, product.replica, jane)
        assert await product.says(jane, row, owner=vada.id)
        assert await product.says(jane)
        product.silence()
        product.unplug()
        assert (await product.says(jane, row, owner=vada.id), await product.says(jane)) == (True, True)
        product.answer()
        product.plug()
        await settled(acme, product.replica, jane)
        assert await product.says(jane, row, owner=vada.id)
        await office.team("Else", None, vada)
        await acme.revision()
        product.cut()
        assert await product.says(jane, row, owner=vada.id) is not True
        assert await product.says(jane) is not True
        product.answer()
        product.plug()
        await settled(acme, product.replica, han)
        await product.says(jane)
        await client.register(acme.org, "inbox", "sales", section="sms", label="Sales", owner=han.id)
        await acme.revision()
        product.cut()
        assert await product.says(jane) is not True


async def test_what_authz_contradicted_is_not_answered_by(acme: Organisation, opened: Opened) -> None:
    jane = await acme.add(default="full")
    async with opened() as product:
        await settled(acme, product.replica, jane)
        product.unplug()
        await acme.granted(jane, ("deny", on("sms")))
        assert await product.says(jane, SEND) is False, "authz was asked"
        product.silence()
        assert await product.says(jane) is None


async def test_a_gap_makes_all_of_the_organisation_doubtful(acme: Organisation, opened: Opened) -> None:
    jane = await acme.add(default="full")
    async with opened() as product:
        await settled(acme, product.replica, jane)
        revision = await acme.revision()
        product.silence()
        told = PermissionsChanged(org=acme.org, previous=revision + 3, revision=revision + 4, people=[NOBODY])
        await acme.authz.publish(told)
        product.unplug()
        assert await product.says(jane) is None


async def test_a_person_who_is_no_more_and_a_revision_that_was_demanded(acme: Organisation, opened: Opened) -> None:
    jane = await acme.add(default="full")
    async with opened() as product:
        await settled(acme, product.replica, jane)
        revision = await acme.revision()
        product.cut()
        assert await product.says(jane, min_revision=revision) is True
        assert await product.says(jane, min_revision=revision + 1) is None
        assert product.replica._lately is not None
        product.replica._lately.gone(jane.id)
        assert await product.says(jane) is None


async def test_an_older_catalogue_answers_nothing(acme: Organisation, opened: Opened) -> None:
    jane = await acme.add(default="full")
    async with opened() as product:
        await settled(acme, product.replica, jane)
        at = acme.authz.clock.now()
        await acme.authz.publish(Heartbeat(org=NOBODY, at=at, revisions={}, complete=True, catalogue=10**6))
        product.cut()
        assert await product.says(jane) is True
        acme.authz.clock.advance(seconds=3.1)
        assert await product.says(jane) is None


# --- before and after a time in which nothing was heard -------------------------------------------------------


async def test_what_was_known_before_outlives_a_broker_that_comes_back(acme: Organisation, opened: Opened) -> None:
    """Both were killed, and RabbitMQ is the first to be back."""
    jane = await acme.add(default="full")
    async with opened() as product:
        await settled(acme, product.replica, jane)
        product.cut()
        acme.authz.clock.advance(seconds=10)
        product.replica.restored()
        decided = await product.replica.decide(jane.id, *READ)
        assert isinstance(decided, StaleVerdict)
        assert 10 <= decided.age < 12, "its age goes on"
        acme.authz.clock.advance(seconds=51)
        assert await product.says(jane) is None


async def test_but_not_a_heartbeat_that_tells_of_a_change(acme: Organisation, opened: Opened) -> None:
    jane = await acme.add(default="full")
    async with opened() as product:
        await settled(acme, product.replica, jane)
        revision = await acme.revision()
        product.cut()
        product.plug()
        at = acme.authz.clock.now()
        beat = Heartbeat(org=NOBODY, at=at, revisions={acme.org: revision}, complete=True, catalogue=1)
        await acme.authz.publish(beat)
        assert await product.says(jane) is True, "it is at that revision"
        product.wire.whole = True
        await acme.authz.publish(Heartbeat(
            org=NOBODY, at=at, revisions={acme.org: revision + 1}, complete=True, catalogue=1))  # fmt: skip
        assert await product.says(jane) is None


async def test_nor_anything_newer_that_was_loaded(acme: Organisation, opened: Opened) -> None:
    jane, vada = await acme.add(default="full"), await acme.add(default="full")
    async with opened() as product:
        for one in (jane, vada):
            await settled(acme, product.replica, one)
        product.unplug()
        await acme.granted(jane, ("deny", on("sms")))
        await acme.revision()
        product.plug()
        await product.says(vada)
        product.silence()
        product.unplug()
        assert await product.says(vada) is True
        assert await product.says(jane) is None, "the organisation has gone on since"


async def test_what_cannot_be_read_ends_it(acme: Organisation, opened: Opened) -> None:
    jane = await acme.add(default="full")
    async with opened() as product:
        await settled(acme, product.replica, jane)
        product.replica.heard(b"what?")
        product.cut()
        assert await product.says(jane) is None


async def test_the_service_says_so_itself(acme: Organisation, opened: Opened) -> None:
    """A ruling is never stale."""
    jane = await acme.add(default="full")
    async with opened() as product:
        product.unplug()
        decided = await product.replica.decide(jane.id, *READ)
        assert isinstance(decided, Ruling)
        assert not decided.stale
        assert product.stale == 0
