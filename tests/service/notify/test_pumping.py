"""Somebody has codes sent to thousands of numbers that nobody reads, and earns on each."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest

from services.notify.limit.admission import Admitted
from services.notify.limit.settings import Limits
from services.notify.limit.watch import Watch, blocked
from staffgate.contracts.identity import CodeUsed
from tests.service.notify.conftest import ACME, IDS, Running, code_issued, until
from tests.service.notify.judging import Judging, judging, why

LIMITS = Limits(countries=["AU"], organisation_sms_per_day=100_000)
LONG = os.environ.get("STAFFGATE_LONG") == "1"
MANY = 5_000


@dataclass(frozen=True)
class Ask:
    """Somebody asks for a code at that second, and real people enter it so much later."""

    at: float
    to: str
    org: UUID
    source: str
    used_after: float | None = None


def prefixes(count: int) -> list[str]:
    return [f"+614{n:04}" for n in range(1000, 1000 + count)]


def attack(
    prefix: Sequence[str], orgs: Sequence[UUID], sources: int, seconds: float, many: int = MANY
) -> Iterator[Ask]:
    for n in range(many):
        to = f"{prefix[n % len(prefix)]}{n // len(prefix):04}"
        yield Ask(n * seconds / many, to, orgs[n % len(orgs)], f"198.51.{n % sources // 250}.{n % sources % 250}")


def people(
    prefix: Sequence[str], orgs: Sequence[UUID], count: int, seconds: float, dice: random.Random
) -> Iterator[Ask]:
    """In the same prefixes, at home in organisations of fifty; half a minute is what it takes them, more or less."""
    for n in range(count):
        at = dice.uniform(0, seconds)
        to = f"{prefix[n % len(prefix)]}{9999 - n // len(prefix):04}"
        yield Ask(at, to, orgs[n % len(orgs)], f"203.0.113.{n % len(orgs)}", dice.uniform(8, 90))


async def replay(judge: Judging, clock: Running, asks: Sequence[Ask]) -> dict[Ask, bool]:
    """In the order of time, with the codes that are used in between."""
    start, got, moments = clock.clock.now(), {}, []
    for ask in asks:
        moments.append((ask.at, 0, ask, IDS.uuid()))
    moments += [(at + ask.used_after, 1, ask, id) for at, _, ask, id in moments if ask.used_after is not None]
    for at, is_use, ask, id in sorted(moments, key=lambda moment: moment[:2]):
        clock.clock.advance(seconds=(start + timedelta(seconds=at) - clock.clock.now()).total_seconds())
        if not is_use:
            got[ask] = isinstance(await judge.ask(ask.to, id=id, org=ask.org, source=ask.source), Admitted)
        elif got[ask]:
            await judge.use(id, org=ask.org)
    return got


@pytest.mark.checklist("N03")
@pytest.mark.parametrize(
    "hours",
    [
        pytest.param(0, id="at once"),
        pytest.param(1, id="within an hour", marks=pytest.mark.long),
        pytest.param(10, id="over ten hours", marks=pytest.mark.long),
    ],
)
async def test_5000_numbers_in_one_prefix_get_50_at_most(surroundings: Running, hours: int) -> None:
    """Each with an organisation and a source of its own: the prefix is all that they have in common."""
    orgs = [IDS.uuid() for _ in range(MANY)]
    async with judging(surroundings, LIMITS) as judge:
        got = await replay(judge, surroundings, [*attack(prefixes(1), orgs, MANY, hours * 3600)])
    assert len(got) == MANY
    assert sum(got.values()) == 40  # of the 50 that it may be


@pytest.mark.checklist("N03")
async def test_5000_numbers_of_one_organisation_in_20_prefixes_keep_no_real_user_back(surroundings: Running) -> None:
    """It is the organisation that gives them away, long before the prefixes that they share with 500 people do."""
    dice, shared = random.Random(20261122), prefixes(20)  # noqa: S311 - no secret
    orgs = [IDS.uuid() for _ in range(10)]
    many = MANY if LONG else 1_500
    asks = [
        *attack(shared, [ACME], 2_000, 3600, many),
        *people(shared, orgs, 500, 3600, dice),
    ]
    async with judging(surroundings, LIMITS) as judge:
        got = await replay(judge, surroundings, asks)
    real = [arrived for ask, arrived in got.items() if ask.used_after is not None]
    pumped = [arrived for ask, arrived in got.items() if ask.used_after is None]
    assert (len(real), len(pumped)) == (500, many)
    assert sum(pumped) <= 50
    assert sum(real) >= 0.995 * len(real)
    print(f"attacker {sum(pumped)} of {len(pumped)}, people {sum(real)} of {len(real)}")


@pytest.mark.checklist("N03")
@pytest.mark.long
async def test_5000_numbers_of_a_hundred_organisations_keep_nobody_back_who_has_used_a_code(
    surroundings: Running,
) -> None:
    """With organisations and sources enough it is the prefixes that give them away, and these are people's, too: those
    of them who have used a code before go on."""
    dice, shared = random.Random(20261122), prefixes(20)  # noqa: S311 - no secret
    orgs, bad = [IDS.uuid() for _ in range(10)], [IDS.uuid() for _ in range(100)]
    known = [*people(shared, orgs, 500, 12 * 3600, dice)]
    async with judging(surroundings, LIMITS) as judge:
        assert sum((await replay(judge, surroundings, known)).values()) == 500
        surroundings.clock.advance(days=1)
        again = [*people(shared, orgs, 500, 3600, dice)]
        got = await replay(judge, surroundings, [*attack(shared, bad, MANY, 3600), *again])
    real = [arrived for ask, arrived in got.items() if ask.used_after is not None]
    pumped = [arrived for ask, arrived in got.items() if ask.used_after is None]
    print(f"attacker {sum(pumped)} of {len(pumped)}, people {sum(real)} of {len(real)}")
    assert sum(real) == 500
    assert sum(pumped) <= 20 * 40


# --- how it works -----------------------------------------------------------------------------------------------


async def ask_unused(judge: Judging, count: int, prefix: str = "+6140000") -> list[str]:
    return [why(await judge.ask(f"{prefix}{n:04}", org=IDS.uuid())) for n in range(count)]


@pytest.mark.checklist("N03")
async def test_a_blocked_prefix_is_blocked_for_an_hour_and_raised_as_an_alarm(
    surroundings: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    async with judging(surroundings, LIMITS) as judge:
        assert await ask_unused(judge, 20) == ["admitted"] * 20
        surroundings.clock.advance(minutes=5)
        assert await ask_unused(judge, 3) == ["pumping"] * 3
        assert await judge.admitted("+61411110000")  # another prefix
        await Watch(judge.db, LIMITS).look()
        assert blocked.labels("prefix")._value.get() == 1
        surroundings.clock.advance(minutes=59)
        assert not await judge.admitted("+61400009000")
        surroundings.clock.advance(minutes=1)
        assert await judge.admitted("+61400009000")
        await Watch(judge.db, LIMITS).look()
        assert blocked.labels("prefix")._value.get() == 0
    said = capsys.readouterr().out
    assert said.count("limit.pumping") == 1
    assert "6140000" not in said


@pytest.mark.checklist("N03")
async def test_a_good_prefix_goes_on_and_so_does_one_where_only_a_tenth_is_used(surroundings: Running) -> None:
    async with judging(surroundings, LIMITS) as judge:
        for n in range(45):
            code, org = IDS.uuid(), IDS.uuid()
            assert await judge.admitted(f"+6140000{n:04}", id=code, org=org), n
            if n % 8 == 0:
                await judge.use(code, org=org)
            surroundings.clock.advance(minutes=1)


async def test_a_shift_that_logs_in_all_at_once_waits_a_moment_at_most(surroundings: Running) -> None:
    """Fifty of one organisation, and nobody has entered anything yet; the next ones a minute later."""
    codes = [IDS.uuid() for _ in range(50)]
    async with judging(surroundings, LIMITS) as judge:
        for code, prefix in zip(codes, prefixes(50), strict=True):
            assert await judge.admitted(f"{prefix}0001", id=code)
        assert not await judge.admitted("+61499990001")
        for code in codes[:20]:
            await judge.use(code)
        surroundings.clock.advance(minutes=1)
        assert await judge.admitted("+61499990001")


async def test_that_a_code_was_used_may_be_heard_before_it_was_sent(surroundings: Running) -> None:
    """It counts as used then, too: without these five the prefix would be blocked."""
    async with judging(surroundings, LIMITS) as judge:
        for n in range(5):
            code, org = IDS.uuid(), IDS.uuid()
            await judge.use(code, org=org)
            assert await judge.admitted(f"+6140000{9000 + n}", id=code, org=org)
        assert await ask_unused(judge, 25) == ["admitted"] * 25
        surroundings.clock.advance(minutes=5)
        assert await judge.admitted("+61400009100", org=IDS.uuid())


async def test_heard_of_twice_it_is_used_once(surroundings: Running) -> None:
    async with judging(surroundings, LIMITS) as judge:
        code = IDS.uuid()
        assert await judge.admitted(id=code)
        await judge.use(code)
        await judge.use(code)
        await judge.use(code, org=IDS.uuid())  # another organisation's word about it counts for nothing
        row = await surroundings.owner.fetchrow("SELECT * FROM sent_code")
        assert row is not None
        assert (row["org"], row["used_at"]) == (ACME, surroundings.clock.now())


async def test_codes_by_email_are_nobody_s_business_here(surroundings: Running) -> None:
    async with judging(surroundings, LIMITS) as judge:
        code = IDS.uuid()
        assert await judge.admitted("jane@acme.example", id=code)
        await judge.use(code, channel="email")
        assert await surroundings.owner.fetchval("SELECT count(*) FROM sent_code") == 0


async def test_a_number_that_has_used_a_code_is_held_up_by_no_other_s(surroundings: Running) -> None:
    async with judging(surroundings, LIMITS) as judge:
        code = IDS.uuid()
        assert await judge.admitted("+61400009999", id=code)
        await judge.use(code)
        await ask_unused(judge, 45)
        surroundings.clock.advance(minutes=5)
        assert await ask_unused(judge, 1) == ["pumping"]
        assert await judge.admitted("+61400009999")
        surroundings.clock.advance(days=91)  # so long ago that somebody else may have it
        await ask_unused(judge, 45)
        surroundings.clock.advance(minutes=5)
        assert why(await judge.ask("+61400009999")) == "pumping"


async def test_a_code_that_is_used_is_heard_of_over_the_bus(notify: Running) -> None:

    event = code_issued(notify.clock)
    await notify.publish(event)
    await notify.row(event.code, "sent")
    await notify.publish(CodeUsed(org=ACME, staff=event.staff, code=event.code, channel="sms"))

    async def used() -> bool:
        return bool(await notify.owner.fetchval("SELECT used_at FROM sent_code WHERE delivery = $1", event.code))

    await until(used)
    assert await notify.owner.fetchval("SELECT count(*) FROM proven_number") == 1


@pytest.mark.checklist("N03")
async def test_an_outage_is_no_pumping(surroundings: Running) -> None:
    """Codes that no provider took were sent to nobody, so nobody can have used them."""
    async with judging(surroundings, Limits(countries=["AU"])) as judge:
        codes = [IDS.uuid() for _ in range(30)]
        for number, code in enumerate(codes):
            assert await judge.admitted(f"+614{number:02d}{number:06d}", id=code)
        await surroundings.owner.executemany(
            "INSERT INTO delivery (org, id, staff, channel, template, priority, state, reason, next_attempt_at, issued_at,"
            " created_at, deadline, finished_at, traceparent)"
            " VALUES ($1, $2, $1, 'sms', 'code', 0, 'expired', 'too_late', $3, $3, $3, $3, $3, '')",
            [(ACME, code, surroundings.clock.now()) for code in codes],
        )
        surroundings.clock.advance(minutes=6)
        assert all([await judge.admitted(f"+61491{number:06d}") for number in range(3)])
        await surroundings.owner.execute("UPDATE delivery SET state = 'sent', reason = NULL")
        assert not await judge.admitted("+61491000009"), "sent, and used by nobody"
