"""What is over is deleted some time later, a few rows at once; and nothing goes that still counts for something."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio

from services.identity import retention
from services.identity.login.throttle import ACCOUNT
from services.identity.replies import KEPT
from services.identity.retention import KINDS, Retention, forgotten
from services.identity.staff.erasure import Erasure
from services.identity.store.factors import tries
from shared.bus.outbox import write_events
from shared.db import Database
from shared.ids import RandomIds
from staffgate.contracts.identity import NoticeKind
from tests.service.identity.conftest import Acme, log_in, run_as_owner, sign_in
from tests.service.identity.imports import imported
from tests.service.identity.possessions import finished, member
from tests.service.identity.post import notices, reset_link
from tests.service.identity.test_refresh import refreshed

DAYS = 30
PAGE = Path(__file__).parents[3] / "docs/explanation/what-is-kept.md"
NAMES = re.compile(r"`(\w+)`")
JANE = {"type": "standard", "name": "Jane", "email": "jane@acme.example", "username": "Jane"}


@pytest_asyncio.fixture
async def db(acme: Acme) -> AsyncIterator[Database]:
    """As another replica has it."""
    other = Database(
        acme.identity.app_url, clock=acme.identity.clock, ids=RandomIds(), write_events=write_events,
        committed=lambda: None,
    )  # fmt: skip
    async with other.opened():
        yield other


async def swept(db: Database, days: int = DAYS) -> int:
    """Until nothing is left that may go."""
    work, deleted = Retention(db, days), 0
    async with asyncio.timeout(20):
        while batch := await work.sweep():
            deleted += batch
    return deleted


async def left(acme: Acme, *tables: str) -> dict[str, int]:
    """How many rows of the organisation."""
    return {
        table: (await run_as_owner(acme.identity, f"SELECT count(*) FROM {table} WHERE org = $1", acme.org))[0][0]
        for table in tables
    }


async def in_a_row(db: Database, acme: Acme, staff: UUID) -> int:
    async with db.begin(acme.org) as tx:
        return (await tries(tx, acme.org, staff, db.clock.now() - timedelta(hours=1))).in_a_row


async def test_what_belongs_to_a_login_goes_when_it_has_been_over_for_the_days(acme: Acme, db: Database) -> None:
    jane = await sign_in(acme)
    assert (await refreshed(acme.identity, jane.refresh)).status == 200
    tables = ("login", "code", "session", "refresh_token", "link")
    before = await left(acme, *tables)
    assert all(before.values()), before
    counted = {kind: forgotten.labels(kind)._value.get() for kind in ("login", "session", "link")}
    acme.identity.clock.advance(days=DAYS)
    await swept(db)
    assert await left(acme, *tables) == before, "they have been over for some minutes less"
    acme.identity.clock.advance(days=1, seconds=1)
    assert await swept(db) >= sum(before[table] for table in ("login", "session", "link"))
    assert await left(acme, *tables) == dict.fromkeys(tables, 0)
    for kind, value in counted.items():
        assert forgotten.labels(kind)._value.get() >= value + before[kind], "and is counted"
    assert await swept(db) == 0
    assert (await log_in(acme.identity, jane.login)).status == 200


async def test_the_setting_says_how_many_days(acme: Acme, db: Database) -> None:
    acme.identity.clock.advance(days=4)
    before = await left(acme, "session")
    await swept(db, days=4)
    assert await left(acme, "session") == before
    await swept(db, days=2)
    assert await left(acme, "session") == {"session": 0}


async def test_tries_since_the_last_success_count_for_ever(
    acme: Acme, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However slowly somebody guesses (SP 800-63B-4 section 3.2.2), and in whatever order the rows go."""
    monkeypatch.setattr(retention, "_BATCH", 1)
    jane, want = await member(acme), 0
    for right in (False, False, True, False, True, True, False, False):
        acme.identity.clock.advance(seconds=31)
        if right:
            assert (await log_in(acme.identity, jane.login)).status == 200
            want = 0
        else:
            assert (await finished(acme.identity, jane.login, "email", "00000000")).status == 401
            want += 1
        assert await in_a_row(db, acme, jane.staff) == want
        await swept(db)
        assert await in_a_row(db, acme, jane.staff) == want
        acme.identity.clock.advance(days=DAYS + 1)
        await swept(db)
        assert await in_a_row(db, acme, jane.staff) == want
    assert await left(acme, "login") == {"login": 2}, "the tries that still count, and nothing else"


async def test_an_earlier_try_is_told_from_the_later_ones_by_the_success_between(acme: Acme, db: Database) -> None:
    """The success has been over for the days while the try before it, of a login that was begun later, has not yet."""
    jane, identity = await member(acme), acme.identity
    begins = (
        "INSERT INTO login (org, id, staff, digest, attempts, tried_at, finished_at, expires_at, created_at) VALUES"
    )
    now = identity.clock.now()
    for name, tried, done, ends in (("early", 1, 3, 10), ("late", 2, None, 12)):
        await run_as_owner(
            identity, f"{begins} ($1, gen_random_uuid(), $2, $3, 1, $4, $5, $6, $7)", acme.org, jane.staff,
            f"{name} {jane.staff}".encode(), now + timedelta(minutes=tried),
            None if done is None else now + timedelta(minutes=done), now + timedelta(minutes=ends), now,
        )  # fmt: skip
    identity.clock.advance(days=DAYS, minutes=11)
    await swept(db)
    assert await in_a_row(db, acme, jane.staff) == 0
    identity.clock.advance(minutes=2)
    await swept(db)
    assert await left(acme, "login") == {"login": 0}


async def test_of_very_many_tries_as_many_are_kept_as_forbid_the_next(acme: Acme, db: Database) -> None:
    """Whoever has the password and nothing else can't fill the table."""
    jane = await member(acme)
    await run_as_owner(
        acme.identity,
        "INSERT INTO login (org, id, staff, digest, attempts, tried_at, expires_at, created_at)"
        " SELECT $1, gen_random_uuid(), $2, sha256(gen_random_uuid()::text::bytea), 1, $3::timestamptz + n * interval '1 s',"
        " $3::timestamptz + n * interval '2 s', $3 FROM generate_series(1, 150) n",
        acme.org, jane.staff, acme.identity.clock.now(),
    )  # fmt: skip
    acme.identity.clock.advance(days=DAYS + 1)
    await swept(db)
    assert await in_a_row(db, acme, jane.staff) == 101, "more than a hundred: none is judged"
    assert (await finished(acme.identity, jane.login, "email", "00000000")).status == 401


async def test_tries_at_somebody_who_was_erased_count_for_nobody(acme: Acme, db: Database) -> None:
    jane = await member(acme)
    acme.identity.clock.advance(seconds=1)  # after the success
    assert (await finished(acme.identity, jane.login, "email", "00000000")).status == 401
    assert (await acme.identity.ask("DELETE", f"/v1/staff/{jane.staff}", token=acme.ray)).status == 204
    acme.identity.clock.advance(days=DAYS + 1)
    while await Erasure(db, DAYS).sweep():
        pass
    await swept(db)
    rows = await run_as_owner(acme.identity, "SELECT FROM login WHERE staff = $1", jane.staff)
    assert rows == []


async def test_a_refresh_token_used_twice_ends_the_session_however_old_the_token_is(acme: Acme, db: Database) -> None:
    jane, identity = await sign_in(acme), acme.identity
    token = jane.refresh
    for _ in range(28):
        identity.clock.advance(minutes=50)
        token = (await refreshed(identity, token)).json["refresh_token"]
        await swept(db, days=1)
    assert (await refreshed(identity, jane.refresh)).status == 400
    assert (await refreshed(identity, token)).status == 400, "it was used twice, and the session has ended"
    reasons = await run_as_owner(identity, "SELECT end_reason FROM session WHERE staff = $1", jane.staff)
    assert "refresh_token_reused" in {row["end_reason"] for row in reasons}


async def test_a_new_device_is_news_to_somebody_whose_sessions_are_forgotten(acme: Acme, db: Database) -> None:
    jane = await sign_in(acme)
    acme.identity.clock.advance(days=DAYS + 2)
    await swept(db)
    assert await left(acme, "session") == {"session": 0}
    before = len(notices(acme.identity, NoticeKind.NEW_DEVICE))
    assert (await log_in(acme.identity, jane.login)).status == 200
    async with asyncio.timeout(30):
        while len(notices(acme.identity, NoticeKind.NEW_DEVICE)) == before:
            await asyncio.sleep(0.005)


async def test_how_many_links_were_sent_is_known_when_they_are_gone(acme: Acme, db: Database) -> None:
    jane = await sign_in(acme)
    await reset_link(acme, jane.staff)
    acme.identity.clock.advance(days=DAYS + 2)
    await swept(db)
    assert await left(acme, "link") == {"link": 0}
    ray = (await sign_in_again(acme))["access_token"]
    sent = await acme.identity.post(f"/v1/staff/{jane.staff}/password-link", token=ray)
    assert (sent.status, sent.json["sent_count"]) == (202, 2)


async def sign_in_again(acme: Acme) -> dict[str, Any]:
    answer = await finished(acme.identity, f"{acme.number}\\Ray", "totp", acme.app.at(acme.identity.clock.now()))
    assert answer.status == 200, answer.text
    tokens: dict[str, Any] = answer.json
    return tokens


async def test_failures_hold_up_until_they_are_forgotten(acme: Acme, db: Database) -> None:
    login = f"{acme.number}\\Nobody"
    for _ in range(ACCOUNT.free + 8):  # waits of a quarter of an hour: more than two days do not make up for
        await acme.identity.post("/v1/login", {"login": login, "password": "wrong horse battery"})
        acme.identity.clock.advance(minutes=16)
    throttles = "SELECT count(*) FROM throttle"
    (before,) = await run_as_owner(acme.identity, throttles)
    acme.identity.clock.advance(hours=47)
    await swept(db, days=1)
    assert await run_as_owner(acme.identity, throttles) == [before], "not even where logins are kept for a day"
    acme.identity.clock.advance(hours=2)
    await swept(db)
    (after,) = await run_as_owner(acme.identity, throttles)
    assert (before[0] > 0, after[0]) == (True, 0)


async def test_a_device_is_known_for_half_a_year(acme: Acme, db: Database) -> None:
    devices = (await left(acme, "device"))["device"]
    assert devices
    acme.identity.clock.advance(days=180, seconds=-1)
    await swept(db)
    assert await left(acme, "device") == {"device": devices}
    acme.identity.clock.advance(seconds=1)
    await swept(db)
    assert await left(acme, "device") == {"device": 0}


async def test_a_kept_answer_is_given_again_for_a_day(acme: Acme, db: Database) -> None:
    headers = {"Idempotency-Key": "one"}
    first = await acme.identity.ask("POST", "/v1/staff", token=acme.ray, headers=headers, json=JANE)
    acme.identity.clock.advance(seconds=KEPT.total_seconds())
    await swept(db, days=1)
    assert (first.status, await left(acme, "reply")) == (201, {"reply": 1})
    acme.identity.clock.advance(seconds=1)
    await swept(db)
    assert await left(acme, "reply") == {"reply": 0}


async def test_wrong_passwords_of_somebody_signed_in_go(acme: Acme, db: Database) -> None:
    jane = await sign_in(acme)
    body = {"current": "wrong horse battery", "password": "eight miles of copper wire"}
    assert (await acme.identity.post("/v1/me/password", body, token=jane.token)).status == 422
    await run_as_owner(
        acme.identity,
        "INSERT INTO challenge VALUES ($1, 'about', 'challenge', $2)",
        acme.org,
        acme.identity.clock.now(),
    )
    tables = ("password_failure", "challenge")
    acme.identity.clock.advance(days=DAYS)
    await swept(db)
    assert await left(acme, *tables) == dict.fromkeys(tables, 1)
    acme.identity.clock.advance(seconds=1)
    await swept(db)
    assert await left(acme, *tables) == dict.fromkeys(tables, 0)


async def test_an_import_goes_after_its_rows(acme: Acme, db: Database) -> None:
    await imported(acme, b"type,username,name,email\nstandard,Luke,Luke,luke@acme.example\n")
    acme.identity.clock.advance(days=DAYS + 1)
    await swept(db)
    assert await left(acme, "staff_import") == {"staff_import": 1}, "its rows have not been swept"
    await run_as_owner(acme.identity, "UPDATE staff_import SET swept_at = finished_at WHERE org = $1", acme.org)
    await run_as_owner(acme.identity, "DELETE FROM staff_import_row WHERE org = $1", acme.org)
    await swept(db)
    assert await left(acme, "staff_import") == {"staff_import": 0}


async def test_rows_that_another_replica_has_in_hand_are_left_to_it(acme: Acme, db: Database) -> None:
    """All of them wait for nobody."""
    await sign_in(acme)
    acme.identity.clock.advance(days=DAYS + 2)
    other: Any = await asyncpg.connect(acme.identity.owner_url)
    try:
        async with other.transaction():
            (held,) = await other.fetchrow("SELECT id FROM session WHERE org = $1 LIMIT 1 FOR UPDATE", acme.org)
            await other.fetch("SELECT FROM login WHERE org = $1 FOR UPDATE", acme.org)
            await swept(db)
            rows = await run_as_owner(acme.identity, "SELECT id FROM session WHERE org = $1", acme.org)
            assert [row["id"] for row in rows] == [held]
            assert (await left(acme, "login"))["login"] > 0
    finally:
        await other.close()
    await asyncio.gather(*(swept(db) for _ in range(3)))
    assert await left(acme, "session", "login") == {"session": 0, "login": 0}


async def test_the_page_says_of_every_table_how_long_it_is_kept(acme: Acme) -> None:
    tables = await run_as_owner(acme.identity, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    told = {
        word
        for line in PAGE.read_text().splitlines()
        if line.startswith("| `")
        for word in NAMES.findall(line.split("|")[1])
    }
    assert told == {row["tablename"] for row in tables}


async def test_it_goes_in_small_batches(acme: Acme, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_BATCH", 1)
    await sign_in(acme)
    acme.identity.clock.advance(days=DAYS + 2)
    assert 0 < await Retention(db, DAYS).sweep() <= len(KINDS) + 1


async def test_a_batch_of_logins_begins_where_the_one_before_has_ended(
    acme: Acme, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept lies before, and is not read again for each."""
    monkeypatch.setattr(retention, "_BATCH", 1)
    acme.identity.clock.advance(days=DAYS + 2)
    await swept(db)
    now, work = acme.identity.clock.now(), Retention(db, DAYS)

    async def begun(days: int) -> None:
        await run_as_owner(
            acme.identity,
            "INSERT INTO login (org, id, staff, digest, expires_at, created_at)"
            " VALUES ($1, gen_random_uuid(), $2, sha256(gen_random_uuid()::text::bytea), $3, $3)",
            acme.org, acme.owner_id, now - timedelta(days=days),
        )  # fmt: skip

    async def ages() -> list[int]:
        rows = await run_as_owner(acme.identity, "SELECT expires_at FROM login WHERE org = $1", acme.org)
        return sorted((now - row["expires_at"]).days for row in rows)

    await begun(50)
    await begun(40)
    await work.sweep()
    await begun(60)
    await work.sweep()
    assert await ages() == [60], "it comes with the next round through"
    assert (await work.sweep(), await work.sweep(), await ages()) == (1, 0, [])


async def test_a_kind_that_fails_keeps_no_other_back(acme: Acme, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    acme.identity.clock.advance(days=DAYS + 2)

    async def failing(*_given: object) -> int:
        raise ValueError("ours")

    monkeypatch.setattr(retention.Logins, "forget", failing)
    await swept(db)
    rows = await left(acme, "login", "session")
    assert (rows["login"] > 0, rows["session"]) == (True, 0)
    monkeypatch.undo()
    await swept(db)
    assert await left(acme, "login") == {"login": 0}, "tried again"


async def test_the_running_service_does_it(acme: Acme, db: Database) -> None:
    acme.identity.clock.advance(days=DAYS + 2)
    async with Retention(db, DAYS).round.running(), asyncio.timeout(30):
        while (await left(acme, "session"))["session"]:
            await asyncio.sleep(0.02)
