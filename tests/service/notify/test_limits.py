"""How much may be sent: to a number, from an address, by an organisation, for how much money."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from services.notify.limit.admission import Held
from services.notify.limit.settings import Limits
from services.notify.limit.watch import Watch, blocked, budget_today, spent_today
from services.notify.provider.settings import ProviderSettings
from staffgate.contracts.identity import NoticeKind
from tests.service.notify.conftest import (
    ACME,
    IDS,
    JANE,
    RAY,
    WIDE,
    Running,
    code_issued,
    database_of,
    limits,
    link_issued,
    notice_issued,
)
from tests.service.notify.judging import NUMBER, Judging, judging, why

SAFE = Limits(countries=["AU"])  # as they are unless the operator says otherwise


def numbers(count: int) -> list[str]:
    """Each with a prefix of its own."""
    return [f"+614{n:04}0000" for n in range(count)]


async def let_through(judge: Judging, asked: list[dict[str, object]]) -> int:
    return sum([await judge.admitted(**one) for one in asked])


# --- per number, prefix, person, source -------------------------------------------------------------------------


@pytest.mark.checklist("N01")
async def test_a_number_gets_5_an_hour_and_10_a_day_whoever_asks_for_them(surroundings: Running) -> None:
    async with judging(surroundings, SAFE) as judge:
        first = [why(await judge.ask(org=IDS.uuid())) for _ in range(7)]
        assert Counter(first) == {"admitted": 5, "limited": 2}
        surroundings.clock.advance(hours=1)
        assert await let_through(judge, [{"org": IDS.uuid()}] * 7) == 5
        surroundings.clock.advance(hours=1)
        assert await let_through(judge, [{"org": IDS.uuid()}] * 7) == 0
        surroundings.clock.advance(hours=22)
        assert await let_through(judge, [{"org": IDS.uuid()}] * 7) == 5


@pytest.mark.checklist("N01")
async def test_an_hour_slides(surroundings: Running) -> None:
    """Nobody gets twice as many around the full hour."""
    async with judging(surroundings, SAFE) as judge:
        for _ in range(5):
            assert await judge.admitted()
            surroundings.clock.advance(minutes=10)
        assert not await judge.admitted()
        surroundings.clock.advance(minutes=10)
        assert [await judge.admitted(), await judge.admitted()] == [True, False]


@pytest.mark.checklist("N04")
async def test_no_way_of_writing_a_number_gets_more(surroundings: Running) -> None:
    ways = ["+61400000000", "+61 400 000 000", "+61 (0)400 000 000", "+61-400-000-000", "+61.400.000.000"] * 3
    async with judging(surroundings, SAFE) as judge:
        assert await let_through(judge, [{"to": way} for way in ways]) == 5


@pytest.mark.checklist("N01")
async def test_a_prefix_gets_50_an_hour_also_where_every_code_is_used(surroundings: Running) -> None:
    async with judging(surroundings, SAFE) as judge:
        for n in range(80):
            code, org = IDS.uuid(), IDS.uuid()
            if await judge.admitted(f"+6140000{n:04}", id=code, org=org):
                await judge.use(code, org=org)
        assert len(judge.given) == 50


@pytest.mark.checklist("N01")
async def test_a_person_gets_so_many_whatever_they_call_themselves(surroundings: Running) -> None:
    async with judging(surroundings, SAFE) as judge:
        asked = [{"to": f"jane{n}@acme.example", "staff": JANE} for n in range(40)]
        assert await let_through(judge, asked) == 30  # type: ignore[arg-type]


@pytest.mark.checklist("N01")
async def test_one_source_gets_so_many_across_organisations_and_invitations_are_not_counted(
    surroundings: Running,
) -> None:
    limit = msgspec.structs.replace(SAFE, ip_per_hour=20)
    async with judging(surroundings, limit) as judge:
        asked = [{"to": number, "org": IDS.uuid(), "source": "203.0.113.9"} for number in numbers(30)]
        assert await let_through(judge, asked) == 20  # type: ignore[arg-type]
        assert await judge.admitted("+61499990000", source="203.0.113.10")
        invited = [{"to": f"a{n}@x.example", "template": "activate", "source": "203.0.113.9"} for n in range(30)]
        assert await let_through(judge, invited) == 30  # type: ignore[arg-type]


@pytest.mark.checklist("N04")
async def test_an_address_gets_20_an_hour_however_it_is_written(surroundings: Running) -> None:
    async with judging(surroundings, SAFE) as judge:
        asked = [{"to": f"Jane+{n}@ACME.example"} for n in range(30)]
        assert await let_through(judge, asked) == 20  # type: ignore[arg-type]
        assert await judge.admitted("jane@acme.example", org=IDS.uuid())  # another organisation's is another matter
        assert await judge.admitted("jane@acme.example", "notice.new_device")  # and codes keep no notice back


# --- countries and kinds ----------------------------------------------------------------------------------------


@pytest.mark.checklist("N02")
async def test_sms_go_to_the_countries_that_are_named_and_nowhere_else(
    surroundings: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["+61400000000", "+4915112345678", "+1 876 555 0123", "+870 773 123 456", "+61 1900 123 456", "12345"]
    async with judging(surroundings, SAFE) as judge:
        answers = [why(await judge.ask(to)) for to in asked]
        assert answers == ["admitted", "country", "country", "country", "number_kind", "rejected"]
    async with judging(surroundings, Limits()) as judge:
        assert why(await judge.ask()) == "country"
    assert capsys.readouterr().out.count("limits.no_countries") == 1


@pytest.mark.checklist("N02")
async def test_what_is_refused_uses_nothing_up(surroundings: Running) -> None:
    async with judging(surroundings, SAFE, ProviderSettings(name="sms", countries=["DE"])) as judge:
        assert [why(await judge.ask()) for _ in range(9)] == ["admitted"] * 9  # nobody sends there: none is counted
    async with judging(surroundings, Limits()) as judge:
        for _ in range(9):
            await judge.ask()
        assert await surroundings.owner.fetchval("SELECT count(*) FROM counted") == 0


# --- organisations, days, money ---------------------------------------------------------------------------------


@pytest.mark.checklist("N01")
async def test_an_organisation_has_so_many_a_day_and_another_one_its_own(surroundings: Running) -> None:
    limit = msgspec.structs.replace(WIDE, organisation_sms_per_day=20, organisation_emails_per_day=30)
    other = IDS.uuid()
    async with judging(surroundings, limit) as judge:
        assert await let_through(judge, [{"to": number} for number in numbers(30)]) == 20
        assert await let_through(judge, [{"to": number, "org": other} for number in numbers(30)]) == 20  # type: ignore[arg-type]
        assert await let_through(judge, [{"to": f"a{n}@x.example"} for n in range(40)]) == 30
        surroundings.clock.advance(days=1)
        assert await judge.admitted()


@pytest.mark.checklist("N01")
async def test_money_is_spent_up_to_the_organisation_s_budget_and_the_suite_s(
    surroundings: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    """An SMS in two parts costs twice; what it may cost at most is what counts, since another may take it."""
    limit = msgspec.structs.replace(WIDE, organisation_budget_per_day=500_000, suite_budget_per_day=1_200_000)
    dear = ProviderSettings(name="sms", price=10_000, prices={"AU": 50_000})
    cheap = ProviderSettings(name="sms-2", price=5_000)
    async with judging(surroundings, limit, cheap, dear, ProviderSettings(name="mail")) as judge:
        asked = [{"to": number, "text": "7" * 200} for number in numbers(8)]
        assert await let_through(judge, asked) == 5  # type: ignore[arg-type]
        assert why(await judge.ask()) == "over_budget"
        assert await judge.admitted("jane@acme.example")  # costs nothing
        others = [{"to": number, "org": org} for org in (IDS.uuid(), IDS.uuid()) for number in numbers(20)]
        assert await let_through(judge, others) == 10 + 4  # type: ignore[arg-type]
        assert why(await judge.ask(org=IDS.uuid())) == "over_budget"
        await Watch(judge.db, limit).look()
        assert (spent_today._value.get(), budget_today._value.get()) == (1_200_000, 1_200_000)
        assert blocked.labels("organisation_budget")._value.get() == 2
        assert blocked.labels("suite_budget")._value.get() == 1
        surroundings.clock.advance(days=1)
        assert await judge.admitted()
    said = capsys.readouterr().out
    assert said.count("limit.over_budget") == 3  # an alarm is raised once
    assert not [number for number in numbers(20) if number in said]


async def test_what_nobody_waits_for_is_kept_until_there_is_room(surroundings: Running) -> None:
    async with judging(surroundings, SAFE) as judge:
        at = surroundings.clock.now()
        for _ in range(20):
            assert await judge.admitted("jane@acme.example", "reset")
        kept = await judge.ask("jane@acme.example", "reset")
        assert isinstance(kept, Held)
        assert kept.until == at + timedelta(hours=1)
        assert why(await judge.ask("jane@acme.example", "reset", hours=0.5)) == "limited"  # it would be too late
        surroundings.clock.advance(seconds=(kept.until - at).total_seconds())
        assert await judge.admitted("jane@acme.example", "reset")
    limit = msgspec.structs.replace(WIDE, organisation_emails_per_day=1)
    async with judging(surroundings, limit) as judge:
        org = IDS.uuid()
        assert await judge.admitted("jane@acme.example", "reset", org=org)
        kept = await judge.ask("ray@acme.example", "reset", org=org)
        assert isinstance(kept, Held)
        midnight = datetime.combine(surroundings.clock.now().date() + timedelta(days=1), datetime.min.time(), UTC)
        assert kept.until == midnight


async def test_what_was_admitted_once_is_not_counted_again(surroundings: Running) -> None:
    async with judging(surroundings, SAFE) as judge:
        for _ in range(9):
            assert await judge.admitted(admitted=True)
        assert await let_through(judge, [{}] * 9) == 5


# --- two at once ------------------------------------------------------------------------------------------------


@pytest.mark.checklist("N01")
@pytest.mark.parametrize(
    ("asked", "most"),
    [
        ({}, 5),  # one number
        ({"to": "jane@acme.example"}, 20),
    ],
)
async def test_however_many_ask_at_once_no_more_are_let_through(
    surroundings: Running, asked: dict[str, str], most: int
) -> None:
    """Two processes' worth of connections, each with ten of them."""
    async with judging(surroundings, SAFE) as one, judging(surroundings, SAFE) as two:
        answers = await asyncio.gather(*[judge.admitted(**asked) for judge in (one, two) * 40])
        assert sum(answers) == most


@pytest.mark.checklist("N01")
async def test_however_many_spend_at_once_no_budget_and_no_day_is_overdrawn(surroundings: Running) -> None:
    limit = msgspec.structs.replace(
        WIDE, organisation_budget_per_day=200, suite_budget_per_day=300, organisation_emails_per_day=25
    )
    settings = ProviderSettings(name="sms", price=10), ProviderSettings(name="mail")
    orgs = [IDS.uuid() for _ in range(4)]
    async with judging(surroundings, limit, *settings) as one, judging(surroundings, limit, *settings) as two:
        judges = (one, two) * 60
        paid = await asyncio.gather(
            *[
                judge.admitted(to, org=orgs[n % 4])
                for n, (judge, to) in enumerate(zip(judges, numbers(120), strict=True))
            ]
        )
        free = await asyncio.gather(*[judge.admitted(f"a{n}@x.example") for n, judge in enumerate(judges)])
    assert (sum(paid), sum(free)) == (30, 25)
    spent = await surroundings.owner.fetch("SELECT org, spent FROM usage_day WHERE spent > 0")
    assert sum(row["spent"] for row in spent) == 300
    assert max(row["spent"] for row in spent) <= 200


# --- seen from outside ------------------------------------------------------------------------------------------


async def started(surroundings: Running, settings: Limits) -> Running:
    surroundings.settings = msgspec.structs.replace(surroundings.settings, limits=limits(settings))
    await surroundings.start()
    return surroundings


@pytest.mark.checklist("N01")
async def test_a_code_too_many_ends_at_once_and_is_told_of(surroundings: Running) -> None:
    notify = await started(surroundings, SAFE)
    for _ in range(5):
        await notify.publish(event := code_issued(notify.clock))
        await notify.row(event.code, "sent")
    await notify.publish(event := code_issued(notify.clock))
    row = await notify.row(event.code, "failed")
    assert (row["reason"], row["last_answer"]) == ("limited", "too many to this number")
    assert (row["sealed"], len(notify.gateway.sent)) == (None, 5)
    told = await asyncio.wait_for(notify.bus._waiting["identity.messages"].get(), 30)
    assert (told.type, b'"limited"' in told.body) == ("notify.message.failed.v1", True)


async def test_a_notice_too_many_is_sent_an_hour_later(surroundings: Running) -> None:
    notify = await started(surroundings, msgspec.structs.replace(SAFE, address_per_hour=1))
    await notify.publish(first := notice_issued(notify.clock, NoticeKind.TEST))
    await notify.row(first.notice, "sent")
    await notify.publish(second := notice_issued(notify.clock, NoticeKind.TEST))
    row = await notify.tried(second.notice)
    assert (row["state"], row["last_answer"]) == ("queued", "too many to this address")
    assert row["next_attempt_at"] == notify.clock.now() + timedelta(hours=1)
    notify.clock.advance(hours=1)
    await notify.row(second.notice, "sent")


@pytest.mark.checklist("M12")
@pytest.mark.parametrize("used_up", ["notice.test", "notice.import_finished", "notice.factors_reset", "reset", "code"])
async def test_nothing_that_others_can_ask_for_uses_up_what_warns_a_person(surroundings: Running, used_up: str) -> None:
    """Ray's colleague has messages sent to Ray, and to an address of their own that is Ray's mailbox for the limits."""
    async with judging(surroundings, SAFE) as judge:
        staff = IDS.uuid() if used_up == "notice.factors_reset" else RAY
        for _ in range(SAFE.address_per_hour + 1):
            await judge.ask("ray+1@acme.example", used_up, staff=staff)
        assert await judge.admitted("ray@acme.example", "notice.email_changed", staff=RAY)  # type: ignore[arg-type]


async def test_ten_thousand_invitations_come_under_no_limit(surroundings: Running) -> None:
    """From one administrator's address, to different people; what judging one costs is in the closing note."""
    async with judging(surroundings, SAFE) as judge:
        many = 10_000 if os.environ.get("STAFFGATE_LONG") == "1" else 300
        for n in range(many):
            assert await judge.admitted(f"a{n}@acme.example", "activate", source="203.0.113.9")


async def test_where_it_was_asked_for_reaches_the_limits(surroundings: Running) -> None:
    notify = await started(surroundings, msgspec.structs.replace(SAFE, ip_per_hour=1))
    for address, state in (("jane@acme.example", "sent"), ("ray@acme.example", "failed")):
        event = code_issued(notify.clock, "email", to=address, ip="203.0.113.9")
        await notify.publish(event)
        await notify.row(event.code, state)
    link = link_issued(notify.clock, staff=RAY, ip="203.0.113.9")  # an invitation
    await notify.publish(link)
    await notify.row(link.link, "sent")


async def test_what_no_window_reaches_back_to_is_forgotten(surroundings: Running) -> None:
    async with judging(surroundings, SAFE, ProviderSettings(name="sms", price=1)) as judge:
        code = IDS.uuid()
        assert await judge.admitted(id=code, source="203.0.113.9")
        await judge.use(code)
        watch, tables = Watch(judge.db, SAFE), ("counted", "sent_code", "usage_day", "suite_day", "proven_number")

        async def left() -> list[int]:
            return [await surroundings.owner.fetchval(f"SELECT count(*) FROM {table}") for table in tables]

        assert await watch.forget() == 0
        assert await left() == [4, 1, 1, 1, 1]
        surroundings.clock.advance(days=1, seconds=1)
        assert await watch.forget() == 5
        assert await left() == [0, 0, 1, 1, 1]
        surroundings.clock.advance(days=91)
        assert await watch.forget() == 3
        assert await left() == [0, 0, 0, 0, 0]
        assert await watch.forget() == 0


async def test_nobody_is_named_where_they_are_counted(surroundings: Running) -> None:
    """No number, no address and no IP address: not as it is, and not as a bare hash of it."""
    async with judging(surroundings, SAFE) as judge:
        code = IDS.uuid()
        await judge.ask(id=code, source="203.0.113.9")
        await judge.use(code)
        await judge.ask("jane@acme.example", org=ACME)
        rows = []
        for table in ("counted", "usage_day", "suite_day", "sent_code", "proven_number", "blocked"):
            rows += await surroundings.owner.fetch(f"SELECT t::text FROM {table} AS t")
    text = "\n".join(row[0] for row in rows)
    for secret in (NUMBER, NUMBER[1:], "jane", "203.0.113", NUMBER.encode().hex(), b"jane@acme.example".hex()):
        assert secret not in text


@pytest.mark.checklist("N01")
async def test_no_stranger_s_organisation_uses_up_what_somebody_logs_in_with(surroundings: Running) -> None:
    """A number that has used a code has a share of its own in each organisation."""
    async with judging(surroundings, Limits(countries=["AU"])) as judge:
        code, other = IDS.uuid(), IDS.uuid()
        assert await judge.admitted(id=code)
        await judge.use(code)
        surroundings.clock.advance(days=2)
        for _ in range(2):
            assert [await judge.admitted(org=other) for _ in range(6)] == [True] * 5 + [False]
            surroundings.clock.advance(minutes=61)
        assert not await judge.admitted(org=other), "ten a day"
        assert await judge.admitted()


async def test_a_process_that_hangs_gives_back_what_others_wait_for(surroundings: Running) -> None:
    db = database_of(surroundings)
    async with db.opened(), db.begin_anywhere() as tx:
        assert await tx.value("SHOW idle_in_transaction_session_timeout") == "20s"
