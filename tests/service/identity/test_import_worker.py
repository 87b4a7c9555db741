"""The worker behind imports: what it does while it has to wait, when others are quicker, and when it is killed."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.identity.staff.imports import importer
from services.identity.staff.imports.importer import Importer
from services.identity.staff.imports.sending import KEPT
from services.identity.staff.imports.work import Stopped, Work
from shared.clock import SystemClock
from staffgate.contracts import identity as contract
from tests.service.identity.conftest import (
    FACTOR,
    ISSUER,
    NOTIFY,
    SIGNING,
    Acme,
    Running,
    register,
    run_as_owner,
    running,
    sign_in,
)
from tests.service.identity.imports import errors, finished, imported, people, sent, table


@pytest.fixture(autouse=True)
def _soon(monkeypatch: Any) -> None:
    monkeypatch.setattr(importer, "_POLL", 0.05)


async def count(acme: Acme, what: str) -> int:
    rows = await run_as_owner(acme.identity, f"SELECT count(*) FROM {what}", acme.org)
    return int(rows[0][0])


STAFF = "staff WHERE org = $1 AND type <> 'owner'"
MADE = "audit WHERE org = $1 AND event = 'user_created'"
TOLD = "outbox WHERE type = 'identity.staff.imported.v1' AND convert_from(body, 'UTF8')::jsonb ->> 'org' = ($1::uuid)::text"


async def until_waiting(acme: Acme, id: str) -> Any:
    async with asyncio.timeout(30):
        while (shown := await shown_by_database(acme, id))["reason"] is None:
            await asyncio.sleep(0.01)
    return shown


async def shown_by_database(acme: Acme, id: str) -> Any:
    (row,) = await run_as_owner(acme.identity, "SELECT * FROM staff_import WHERE id = $1", UUID(id))
    return dict(row)


async def test_while_authz_is_away_nothing_is_written_and_it_is_said(acme: Acme, monkeypatch: Any) -> None:
    """It goes away between the request and the work."""
    real = Work.do

    async def late(work: Work, *arguments: Any) -> None:
        acme.identity.authz.away = True
        monkeypatch.setattr(Work, "do", real)
        await real(work, *arguments)

    monkeypatch.setattr(Work, "do", late)
    answer = await sent(acme, table({"username": "Laya", "role": "Agent"}), mode="all")
    waiting = await until_waiting(acme, answer.json["id"])
    assert (waiting["state"], waiting["reason"], waiting["created"]) == ("waiting", "authz_away", 0)
    assert await count(acme, STAFF) == 0
    acme.identity.authz.away = False
    acme.identity.clock.advance(seconds=6)
    done = await finished(acme, answer.json["id"])
    assert (done["state"], done["reason"], done["created"]) == ("finished", None, 1)


async def test_while_authz_is_away_no_import_is_taken_either(acme: Acme) -> None:
    acme.identity.authz.away = True
    assert (await sent(acme, people(1))).status == 503
    assert await count(acme, "staff_import WHERE org = $1") == 0


async def test_roles_and_teams_are_asked_for_once_however_many_rows_name_them(acme: Acme) -> None:
    rows = [{"username": f"Agent{n}", "role": ("Agent", "Leader")[n % 2]} for n in range(450)]
    before = acme.identity.authz.placements_asked
    assert (await imported(acme, table(*rows)))["created"] == 450
    assert acme.identity.authz.placements_asked == before + 1


async def between(monkeypatch: Any, acme: Acme, before: str, username: str, **more: Any) -> None:
    """Somebody is added by hand just before that step."""
    real = getattr(Work, before)

    async def quicker(work: Work, *arguments: Any) -> Any:
        monkeypatch.setattr(Work, before, real)
        await acme.add(username, **more)
        return await real(work, *arguments)

    monkeypatch.setattr(Work, before, quicker)


@pytest.mark.checklist("I01")
@pytest.mark.parametrize(
    ("clash", "code"),
    [({"username": "LAYA"}, "username_taken"), ({"username": "Other", "extension": "102"}, "extension_taken")],
)
async def test_whoever_is_quicker_has_the_name(acme: Acme, monkeypatch: Any, clash: dict[str, str], code: str) -> None:
    content = table({"username": "Laya", "extension": "102"}, {"username": "Han"})
    await between(monkeypatch, acme, "_write_all", **clash)
    refused = await imported(acme, content, mode="all")
    assert (refused["state"], refused["reason"], refused["created"], refused["bad"]) == ("refused", "bad_rows", 0, 1)
    assert [(one["row"], one["code"]) for one in await errors(acme, refused["id"])] == [("2", code)]
    assert await count(acme, STAFF) == 1, "the one who was quicker"
    renamed = content.replace(b"Laya", b"Laya2").replace(b"102", b"103")
    assert (await imported(acme, renamed, key="b", mode="all"))["created"] == 2, (
        "no name was used up by what was refused"
    )


async def test_of_good_rows_those_are_taken_that_are_still_free(acme: Acme, monkeypatch: Any) -> None:
    await between(monkeypatch, acme, "_batch", "Laya")
    done = await imported(acme, table({"username": "Han"}, {"username": "Laya"}, {"username": "Luke"}))
    assert (done["state"], done["created"], done["good"], done["bad"]) == ("finished", 2, 2, 1)
    assert [(one["row"], one["code"]) for one in await errors(acme, done["id"])] == [("3", "username_taken")]


async def test_whoever_may_not_any_more_adds_nobody(acme: Acme, monkeypatch: Any) -> None:
    vada = await sign_in(acme, "Vada")
    acme.identity.authz.permit(vada.staff, "core.staff.create")
    real = Work._sender

    async def late(work: Work, own: Any) -> Any:
        monkeypatch.setattr(Work, "_sender", real)
        await run_as_owner(acme.identity, "UPDATE staff SET status = 'suspended' WHERE id = $1", vada.staff)
        return await real(work, own)

    monkeypatch.setattr(Work, "_sender", late)
    answer = await sent(acme, people(3), token=vada.token)
    done = await finished(acme, answer.json["id"])
    assert (done["state"], done["reason"], done["created"]) == ("refused", "sender_inactive", 0)


async def put_off(monkeypatch: Any, acme: Acme, change: str, staff: UUID) -> None:
    """That happens to somebody just before the first batch, and the batch is left to whoever comes next."""
    real = Work._batch

    async def later(*_: Any) -> bool:
        monkeypatch.setattr(Work, "_batch", real)
        await run_as_owner(acme.identity, f"UPDATE staff SET {change} WHERE id = $1", staff)
        raise Stopped

    monkeypatch.setattr(Work, "_batch", later)


async def test_who_is_there_is_told_of_whatever_has_become_of_the_sender(acme: Acme, monkeypatch: Any) -> None:
    vada = await sign_in(acme, "Vada")
    acme.identity.authz.permit(vada.staff, "core.staff.create")
    await put_off(monkeypatch, acme, "status = 'suspended'", vada.staff)
    answer = await sent(acme, people(3), token=vada.token, mode="all")
    done = await finished(acme, answer.json["id"])
    assert (done["state"], done["created"]) == ("finished", 3)
    assert [await count(acme, what) for what in (MADE, TOLD)] == [4, 3], "Vada was made by hand"


async def test_whoever_is_no_administrator_any_more_gives_nothing_as_one(acme: Acme, monkeypatch: Any) -> None:
    vada = await sign_in(acme, "Vada", type="administrator")
    await put_off(monkeypatch, acme, "type = 'standard'", vada.staff)
    answer = await sent(acme, table({"username": "Han", "type": "administrator"}), token=vada.token)
    done = await finished(acme, answer.json["id"])
    assert (done["state"], done["reason"], done["created"]) == ("refused", "sender_changed", 0)


async def test_a_fault_of_ours_is_tried_again_and_not_for_ever(acme: Acme, monkeypatch: Any) -> None:
    async def broken(*_: Any) -> None:
        raise ZeroDivisionError("Luke, luke@acme.example")

    monkeypatch.setattr(Work, "_judge", broken)
    id = (await sent(acme, people(3))).json["id"]
    async with asyncio.timeout(30):
        while (now := await shown_by_database(acme, id))["state"] != "failed":
            acme.identity.clock.advance(seconds=20)
            await asyncio.sleep(0.05)
    assert (now["reason"], now["faults"], now["created"]) == ("our_fault", 4, 0)


async def test_only_so_many_imports_are_open_at_once(acme: Acme, monkeypatch: Any) -> None:
    async def idle(_: Importer) -> bool:
        return False

    monkeypatch.setattr(Importer, "_round", idle)
    taken = [await sent(acme, people(1), key=f"k{n}") for n in range(4)]
    assert [one.status for one in taken] == [202, 202, 202, 409]
    monkeypatch.undo()
    for one in taken[:3]:
        await finished(acme, one.json["id"])
    assert (await sent(acme, people(1), key="k3")).status == 202


async def test_what_was_in_a_file_is_forgotten(acme: Acme, database: Any, monkeypatch: Any) -> None:
    done = await imported(acme, table({"username": "Laya"}, {"username": "Han", "email": "nowhere"}))
    kept = "SELECT cells, person FROM staff_import_row WHERE import = $1 ORDER BY row"
    good, bad = await run_as_owner(acme.identity, kept, UUID(done["id"]))
    assert good["cells"] is None
    assert {*json.loads(good["person"])} == {"id"}, "of those who are there nothing is kept twice"
    assert "nowhere" in bad["cells"]
    swept = asyncio.Event()
    real = Importer.sweep

    async def told(own: Importer) -> None:
        await real(own)
        swept.set()

    monkeypatch.setattr(Importer, "sweep", told)
    acme.identity.clock.advance(seconds=(KEPT + timedelta(days=1)).total_seconds())
    async with running(database, clock=acme.identity.clock):
        await asyncio.wait_for(swept.wait(), 30)
    assert await run_as_owner(acme.identity, kept, UUID(done["id"])) == []


# --- killed ---------------------------------------------------------------------------------------------------


@asynccontextmanager
async def worker(identity: Running) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process of its own, that only works."""
    settings = {
        "DATABASE_URL": identity.app_url,
        "HTTP_PORT": "0",
        "PUBLIC_URL": ISSUER,
        "AUTHZ_URL": identity.authz.url,
        "SIGNING_KEY": json.dumps(SIGNING),
        "FACTOR_KEY": json.dumps(FACTOR),
        "CODE_KEY": base64.b64encode(bytes(32)).decode(),
        "SEAL_KEY": json.dumps({name: value for name, value in NOTIFY.items() if name != "d"}),
        "KEY_DAYS": "365",
    }
    environment = os.environ | {f"IDENTITY_{name}": value for name, value in settings.items()}
    command = (sys.executable, "-m", "services.identity", "--role", "worker")
    process = await asyncio.create_subprocess_exec(
        *command, env=environment | {"STAFFGATE_BUS": "memory"}, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def reached(acme: Acme, id: str, phase: str, done: int) -> None:
    async with asyncio.timeout(30):
        while True:
            now = await shown_by_database(acme, id)
            if now["state"] not in ("waiting", "running") or (now["phase"], now["done"] >= done) == (phase, True):
                return


_TWICE = (("validate", 200), ("create", 1))
_OFTEN = (("validate", 1), ("validate", 600), *(("create", done) for done in (1, 100, 500, 900, 1200)))


@pytest.mark.checklist("I01", "I02")
@pytest.mark.parametrize("mode", ["good", "all", pytest.param("good, often", marks=pytest.mark.long)])
async def test_killed_at_any_time_it_makes_nobody_twice_and_loses_nobody(
    database: Any, monkeypatch: Any, mode: str
) -> None:
    async def idle(_: Importer) -> bool:
        return False

    monkeypatch.setattr(Importer, "_round", idle)  # only the processes of their own work
    async with running(database, clock=SystemClock()) as identity:
        acme = await register(identity)
        rows = 1500
        id = (await sent(acme, people(rows), mode=mode.partition(",")[0])).json["id"]
        kills = 0
        for phase, done in _OFTEN if "often" in mode else _TWICE:
            async with worker(identity):
                await reached(acme, id, phase, done)
            kills += (await shown_by_database(acme, id))["state"] == "running"
            # As if the lease had run out.
            await run_as_owner(identity, "UPDATE staff_import SET claimed_until = now() WHERE id = $1", UUID(id))
        async with worker(identity):
            ended = await finished(acme, id, 30)
        assert (ended["state"], ended["created"], ended["done"]) == ("finished", rows, rows)
        assert kills >= 2
        assert [await count(acme, what) for what in (STAFF, MADE, TOLD)] == [rows, rows, rows]


async def test_two_workers_never_do_the_same(database: Any, monkeypatch: Any) -> None:
    """The second takes over while the first, which was only slow, goes on."""
    async with running(database) as identity:
        acme = await register(identity)
        real = Work._batch
        stolen: list[int] = []

        async def slow(work: Work, own: Any, state: str) -> bool:
            if not stolen:
                stolen.append(own.attempts)
                sql = "UPDATE staff_import SET attempts = attempts + 1, claimed_until = $2 WHERE id = $1"
                await run_as_owner(identity, sql, own.id, identity.clock.now())
            return await real(work, own, state)

        monkeypatch.setattr(Work, "_batch", slow)
        done = await imported(acme, people(150))
        assert (done["state"], done["created"]) == ("finished", 150)
        attempts = (await shown_by_database(acme, done["id"]))["attempts"]
        assert (stolen, attempts) == ([1], 3), "the first has seen that it is not the worker any more"
        assert [await count(acme, what) for what in (STAFF, MADE, TOLD)] == [150, 150, 150]
        assert len({one.state.staff for one in identity.heard.of(contract.StaffImported)}) == 150
