"""What waits, how long, and what is dead, as figures; and how long anything is kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from services.notify.delivery.retention import Retention
from services.notify.delivery.watch import Watch, dead, oldest_seconds, waiting
from services.notify.settings import Settings
from shared.settings import BadSettings, load
from tests.service.notify.conftest import ACME, IDS, JANE, Running, database_of, until
from tests.unit.notify.test_settings import GOOD


async def put(notify: Running, state: str, *, minutes: float = 0, **changed: Any) -> UUID:
    """A delivery that was queued, and ended, so long ago."""
    id, then = IDS.uuid(), notify.clock.now() - timedelta(minutes=minutes)
    row: dict[str, Any] = {
        "org": ACME, "id": id, "staff": JANE, "channel": "email", "template": "activate", "priority": 10, "state": state,
        "next_attempt_at": then, "issued_at": then, "created_at": then, "deadline": then + timedelta(days=1),
        "traceparent": "", "sealed": "x" if state in ("queued", "sending", "dead") else None,
        "finished_at": None if state in ("queued", "sending") else then,
        "reason": None if state in ("queued", "sending", "sent", "delivered") else "exhausted",
    }  # fmt: skip
    row |= changed
    names, places = ", ".join(row), ", ".join(f"${n}" for n in range(1, len(row) + 1))
    await notify.owner.execute(f"INSERT INTO delivery ({names}) VALUES ({places})", *row.values())
    return id


def figures(gauge: Any) -> dict[tuple[str, ...], float]:
    return {tuple(sample.labels.values()): sample.value for sample in gauge.collect()[0].samples}


@pytest_asyncio.fixture
async def idle(surroundings: Running) -> Running:
    """The schema is there, and nobody sends."""
    stop = await surroundings.start()
    await stop()
    return surroundings


async def test_the_age_of_the_oldest_that_waits_is_shown_by_channel_and_provider(idle: Running) -> None:
    for minutes, channel, provider, state in (
        (3, "email", None, "queued"),
        (7, "email", "mail", "queued"),
        (5, "email", "mail", "sending"),
        (1, "sms", "sms", "sending"),
        (90, "email", "mail", "sent"),
        (90, "sms", "sms", "dead"),
    ):
        await put(idle, state, minutes=minutes, channel=channel, provider=provider)
    db = database_of(idle)
    async with db.opened():
        watch = Watch(db)
        assert await watch.look() == 0, "a Round would look again at once"
        assert figures(oldest_seconds) == {("email", "none"): 180, ("email", "mail"): 420, ("sms", "sms"): 60}
        assert figures(waiting) == {("email", "none"): 1, ("email", "mail"): 2, ("sms", "sms"): 1}
        await idle.owner.execute("DELETE FROM delivery WHERE channel = 'sms'")
        idle.clock.advance(minutes=1)
        await watch.look()
        assert figures(oldest_seconds) == {("email", "none"): 240, ("email", "mail"): 480}, "what is gone is not shown"


@pytest.mark.checklist("M07")
async def test_how_many_are_dead_is_shown_by_channel_and_template(idle: Running) -> None:
    for channel, template, sealed in (
        ("email", "activate", "x"),
        ("email", "activate", "x"),
        ("email", "reset", "x"),
        ("email", "reset", None),  # nothing can be done about it any more
    ):
        await put(idle, "dead", channel=channel, template=template, sealed=sealed)
    await put(idle, "failed")
    db = database_of(idle)
    async with db.opened():
        await Watch(db).look()
    assert figures(dead) == {("email", "activate"): 2, ("email", "reset"): 1}


async def test_a_worker_looks_by_itself(surroundings: Running) -> None:
    dead.clear()
    stop = await surroundings.start()
    await stop()
    await put(surroundings, "dead", template="reset")
    surroundings.bus = type(surroundings.bus)()
    await surroundings.start()
    await until(lambda: figures(dead) == {("email", "reset"): 1})


# --- how long anything is kept ----------------------------------------------------------------------------------


@pytest.mark.checklist("N10")
async def test_what_is_over_is_kept_for_the_days_of_the_setting(idle: Running) -> None:
    days = 24 * 60
    kept = [
        await put(idle, "sent", minutes=29 * days),
        await put(idle, "queued", minutes=31 * days, deadline=idle.clock.now() + timedelta(days=1)),
        await put(idle, "dead", minutes=31 * days, deadline=idle.clock.now() + timedelta(days=1)),
    ]
    for state in ("sent", "expired", "failed", "dead", "dropped"):
        await put(idle, state, minutes=31 * days)
    db = database_of(idle)
    async with db.opened():
        retention = Retention(db, keep_days=30)
        while await retention.sweep():
            pass
        assert {row["id"] for row in await idle.rows()} == set(kept)
        while await Retention(db, keep_days=28).sweep():
            pass
    assert {row["id"] for row in await idle.rows()} == set(kept[1:])


@pytest.mark.checklist("N10")
async def test_what_a_dead_one_says_is_erased_at_its_deadline(idle: Running) -> None:
    over = await put(idle, "dead", minutes=60, deadline=idle.clock.now())
    good = await put(idle, "dead", minutes=60, deadline=idle.clock.now() + timedelta(seconds=1))
    db = database_of(idle)
    async with db.opened():
        assert await Retention(db, keep_days=30).sweep() == 1
    assert {row["id"]: row["sealed"] for row in await idle.rows()} == {over: None, good: "x"}


async def test_many_are_removed_a_batch_at_a_time(idle: Running) -> None:
    await put(idle, "sent", minutes=60 * 24 * 40)
    await idle.owner.execute(
        "INSERT INTO delivery SELECT (jsonb_populate_record(delivery, jsonb_build_object('id', gen_random_uuid()))).*"
        " FROM delivery, generate_series(1, 1200)"
    )
    db, counts = database_of(idle), []
    async with db.opened():
        retention = Retention(db, keep_days=30)
        while count := await retention.sweep():
            counts.append(count)
    assert (len(counts), sum(counts), await idle.rows()) == (3, 1201, [])


@pytest.mark.parametrize("days", ["0", "-1", "forever", "100000"])
def test_a_number_of_days_that_is_none(days: str) -> None:
    with pytest.raises(BadSettings, match="KEEP_DAYS"):
        load(Settings, "notify", GOOD | {"NOTIFY_KEEP_DAYS": days})
