"""A provider that is down for half an hour, by a clock that runs ahead: what becomes of what waits meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

import msgspec
import pytest

from services.notify.channels.port import Outgoing
from services.notify.delivery import deliveries, dispatcher
from services.notify.delivery.deliveries import TRIES
from services.notify.limit.admission import Admission, Admitted, Held, Verdict
from services.notify.store.deliveries import Claim
from shared.db import Tx
from shared.service import Role
from staffgate.contracts.event import Event
from tests.service.notify.conftest import IDS, Running, code_issued, link_issued, providers, until
from tests.service.notify.simulated import NO_LIMITS, Server

OUTAGE = timedelta(minutes=30)
_OPEN = "delivery WHERE state IN ('queued', 'sending')"


class Post:
    """notify and one mail server; codes and invitations, each to an address of its own."""

    def __init__(self, notify: Running, server: Server) -> None:
        self.notify, self.server, self.listening = notify, server, True
        self.deadlines: dict[str, datetime] = {}
        self.codes: list[str] = []
        self.invitations: list[str] = []

    async def code(self) -> str:
        to = f"ray{len(self.codes)}@acme.example"
        event = code_issued(self.notify.clock, "email", staff=IDS.uuid(), to=to)
        self.deadlines[to] = event.expires_at
        self.codes.append(to)
        await self._received(event, event.code)
        return to

    async def invite(self, to: str = "") -> tuple[str, UUID]:
        to = to or f"jane{len(self.invitations)}@acme.example"
        event = link_issued(self.notify.clock, staff=IDS.uuid(), to=to)
        self.invitations.append(to)
        await self._received(event, event.link)
        return to, event.link

    async def _received(self, event: Event, id: UUID) -> None:
        await self.notify.publish(event)
        await until(lambda: self.notify.owner.fetchval("SELECT true FROM delivery WHERE id = $1", id))

    async def pass_time(self, time: timedelta) -> None:
        """From one moment at which something falls due to the next, and never on before it is done. What falls due
        together is done together: no step is shorter than two seconds."""
        await until(self._nothing_due)  # else the first step may be a lease's, and uses up a try
        end = self.notify.clock.now() + time
        while (now := self.notify.clock.now()) < end:
            due: datetime | None = await self.notify.owner.fetchval(f"SELECT min(next_attempt_at) FROM {_OPEN}")
            due = due if self.listening else now
            step = max(2.0, ((due or end) - now).total_seconds())
            self.notify.clock.advance(seconds=min(step, (end - now).total_seconds()))
            await until(self._nothing_due)

    async def _nothing_due(self) -> bool:
        """Where nobody listens, only that nothing is under way: it is not asked for what is due."""
        busy = "state = 'sending'" + (" OR next_attempt_at <= $1" if self.listening else " AND $1 < now()")
        return not await self.notify.owner.fetchval(
            f"SELECT count(*) FROM {_OPEN} AND ({busy})", self.notify.clock.now()
        )

    async def states(self) -> list[str]:
        return [row["state"] for row in await self.notify.rows()]


@asynccontextmanager
async def post(notify: Running, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Post]:
    monkeypatch.setattr(dispatcher, "_POLL", 0.01)
    monkeypatch.setattr(dispatcher, "_SWEEP", 0.01)
    async with Server("mail", notify.clock) as server:
        named = providers(server.settings)
        notify.settings = msgspec.structs.replace(notify.settings, providers=named, limits=NO_LIMITS)
        stop = await notify.start(Role.WORKER)
        yield Post(notify, server)
        await stop()


async def live_through(post: Post) -> None:
    """An outage: invitations at its beginning, and a code every two minutes."""
    for _ in range(20):
        await post.invite()
    for _ in range(15):
        await post.code()
        await post.pass_time(OUTAGE / 15)
    assert not post.server.arrived


async def no_code_came_late(post: Post) -> None:
    """Of the codes those that can still be used, and no other; of the invitations all, and each once."""

    async def over() -> bool:
        post.notify.clock.advance(seconds=2)
        return not {"queued", "sending"} & set(await post.states())

    await until(over, 30)
    arrived = post.server.arrived
    late = [to for to in post.codes if to in arrived and arrived[to][0] >= post.deadlines[to]]
    assert not late
    assert {to for to in post.codes if to in arrived} >= {*post.codes[-4:]}
    assert not {*post.codes[:10]} & arrived.keys()
    assert {to: len(arrived[to]) for to in post.invitations} == dict.fromkeys(post.invitations, 1)
    reasons = {row["reason"] for row in await post.notify.rows() if row["state"] == "expired"}
    assert reasons == {"too_late"}


@pytest.mark.checklist("M05", "M06")
async def test_nobody_listens_for_half_an_hour(surroundings: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is knocked at once a minute, by one message; the others wait, and lose no try by that."""
    async with post(surroundings, monkeypatch) as here:
        await here.server.refuse()
        here.listening = False
        await live_through(here)
        attempts = sum(row["attempts"] for row in await surroundings.rows())
        assert attempts < 3 * 8 + 2 * 60, "no hot loop"
        await here.server.open()
        await no_code_came_late(here)


@pytest.mark.checklist("M05", "M06")
async def test_everything_is_put_off_for_half_an_hour(surroundings: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-off is each message's own: it grows, it is spread, and it has a ceiling."""
    async with post(surroundings, monkeypatch) as here:
        here.server.later = True
        await live_through(here)
        tries = {to: list(here.server.tries[to]) for to in here.invitations}
        here.server.later = False
        await no_code_came_late(here)
    for times in tries.values():
        assert 8 <= len(times) <= 14
        assert_grows(times)
    firsts = {round(waits(times)[5]) for times in tries.values()}
    assert len(firsts) > 5, "not all at once"
    codes = [waits(here.server.tries[to]) for to in here.codes[:10]]
    assert max(max(one) for one in codes) < 70, "somebody waits for a code"


def waits(times: Sequence[datetime]) -> list[float]:
    return [(after - before).total_seconds() for before, after in pairwise(times)]


def assert_grows(times: Sequence[datetime]) -> None:
    """Doubling, each between a half of it and the whole; the clock here goes in steps."""
    for number, wait in enumerate(waits(times)):
        full = min(600, 2.0**number)
        assert full / 2 <= wait <= full + 4, (number, wait)


@pytest.mark.checklist("M06")
async def test_a_bad_address_delays_nobody(surroundings: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    async with post(surroundings, monkeypatch) as here:
        here.server.answers["bad@acme.example"] = ["451 4.2.2 mailbox full"] * 1000
        _, bad = await here.invite("bad@acme.example")
        await surroundings.tried(bad)
        for _ in range(30):
            await here.invite()

        async def good_ones() -> bool:
            rows = [row for row in await surroundings.rows() if row["id"] != bad]
            return [(row["state"], row["attempts"]) for row in rows] == [("sent", 1)] * 30

        await until(good_ones)


@pytest.mark.checklist("M06")
async def test_what_will_never_be_taken_is_not_tried_again(
    surroundings: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with post(surroundings, monkeypatch) as here:
        here.server.answers["gone@acme.example"] = ["550 5.1.1 no such mailbox"] * 10
        to, id = await here.invite("gone@acme.example")
        assert (await surroundings.row(id, "failed"))["reason"] == "rejected"
        await here.pass_time(timedelta(minutes=5))
        assert len(here.server.tries[to]) == 1


@pytest.mark.parametrize("tries", [1, 2])
async def test_what_nobody_was_asked_for_uses_up_no_try(
    surroundings: Running, monkeypatch: pytest.MonkeyPatch, tries: int
) -> None:
    """Held back by a limit more often than it may be tried, it has all its tries when there is room."""
    held: list[UUID] = []

    async def judge(_self: Admission, tx: Tx, claim: Claim, _message: Outgoing) -> Verdict:
        held.append(claim.id)
        return Held(tx.database.clock.now() + timedelta(seconds=2), "not now") if len(held) <= 5 else Admitted()

    monkeypatch.setattr(Admission, "judge", judge)
    monkeypatch.setattr(deliveries, "TRIES", tries)
    async with post(surroundings, monkeypatch) as here:
        here.server.answers["jane0@acme.example"] = ["451 4.2.2 mailbox full"] * (tries - 1)
        to, id = await here.invite()
        await here.pass_time(timedelta(minutes=3))
        assert (await surroundings.row(id, "sent"))["attempts"] == 5 + tries
        assert len(here.server.tries[to]) == tries


async def test_after_its_last_try_it_is_dead_and_keeps_what_it_says(
    surroundings: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with post(surroundings, monkeypatch) as here:
        here.server.later = True
        to, id = await here.invite()
        await here.pass_time(timedelta(hours=8))
        row = await surroundings.row(id, "dead")
        assert (row["reason"], row["attempts"], row["sealed"] is None) == ("exhausted", TRIES, False)
        assert row["last_answer"] == "451 4.7.1 Try again later"
        assert len(here.server.tries[to]) == TRIES
