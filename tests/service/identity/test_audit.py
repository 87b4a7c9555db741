"""The audit log: who did what to whom, from where; seen by those who may, and whole, or it is known where it is not."""

from __future__ import annotations

import asyncio
import base64
import csv
import io
import json
import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest
import structlog

from services.identity.log import chain, trail
from services.identity.log.chain import Break, End, Link
from services.identity.staff.imports.cells import plain
from shared import log
from tests.service.bad_input import raw
from tests.service.identity.conftest import (
    FACTOR,
    NOTIFY,
    PASSWORD,
    SIGNING,
    Acme,
    Answer,
    register,
    run_as_owner,
    sign_in,
)

ROOT = Path(__file__).parents[3]
MUTATIONS = 1000


def problem(answer: Answer) -> tuple[int, str]:
    return answer.status, (answer.json or {}).get("type", "").rpartition(":")[2]


async def page(acme: Acme, token: str = "", **query: Any) -> Any:
    answer = await acme.identity.ask("GET", "/v1/audit", params=query, token=token or acme.ray)
    assert answer.status == 200, answer.text
    return answer.json


async def verdict(acme: Acme, **anchor: Any) -> Any:
    answer = await acme.identity.ask("GET", "/v1/audit/verify", params=anchor, token=acme.ray)
    assert answer.status == 200, answer.text
    return answer.json


async def export(acme: Acme, path: str = "/v1/audit/export", token: str = "", **query: Any) -> Answer:
    return await acme.identity.ask("GET", path, params=query, token=token or acme.ray)


async def busy(acme: Acme, count: int) -> None:
    """So many entries more."""
    for n in range(count):
        body = {"label": f"{n}", "purposes": ["caller_id"]}
        answer = await acme.identity.ask("PUT", "/v1/numbers/%2B61491570006", json=body, token=acme.ray)
        assert answer.status == 200


# --- who sees what --------------------------------------------------------------------------------------------


@pytest.mark.checklist("O01", "O04")
async def test_the_log_tells_who_did_what_to_whom_and_from_where(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    headers = {"User-Agent": "Crate browser/1.0", "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}
    answer = await identity.ask("POST", f"/v1/staff/{jane.staff}/suspend", token=acme.ray, headers=headers)
    assert answer.status == 200
    newest = (await page(acme, limit=1))["entries"][0]
    assert newest.pop("number") > 1
    assert newest.pop("detail") in ({}, {"handover_to": ""})
    assert newest == {
        "at": "2026-11-22T09:00:00.000000Z",
        "event": "user_suspended",
        "result": "success",
        "actor": str(acme.owner_id),
        "target": str(jane.staff),
        "ip": "127.0.0.1",
        "agent": "Crate browser/1.0",
        "request": "ab" * 16,
    }


@pytest.mark.checklist("O04")
async def test_an_organisation_s_log_is_its_own(acme: Acme) -> None:
    other = await register(acme.identity, "Other Crates")
    await busy(other, 3)
    mine = (await page(acme, limit=500))["entries"]
    assert {one["event"] for one in mine}.isdisjoint({"org_numbers_changed"})
    assert str(other.owner_id) not in json.dumps(mine)
    assert (await page(acme, person=str(other.owner_id)))["entries"] == []
    assert str(other.owner_id) not in (await export(acme)).text
    assert (await verdict(acme))["entries"] != (await verdict(other))["entries"]


@pytest.mark.checklist("O04")
async def test_only_who_may_view_the_whole_log_sees_any_of_it(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    acts = {
        "core.audit.view": ["/v1/audit", "/v1/audit/verify"],
        "core.audit.download": ["/v1/audit/export", "/v1/audit/export.jsonl"],
    }
    for action, paths in acts.items():
        for path in paths:
            assert problem(await identity.ask("GET", path, token=jane.token)) == (403, "not_permitted")
        identity.authz.permit(jane.staff, action, over={jane.staff})
        assert problem(await identity.ask("GET", paths[0], token=jane.token)) == (403, "not_permitted"), "all, or none"
        identity.authz.permit(jane.staff, action)
        for path in paths:
            assert (await identity.ask("GET", path, token=jane.token)).status == 200
    identity.authz.away = True
    assert problem(await identity.ask("GET", "/v1/audit", token=acme.ray)) == (503, "authz_away")


async def test_the_log_is_read_in_pages_and_filtered(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    identity.clock.advance(seconds=60)
    await busy(acme, 5)
    whole = (await page(acme, limit=500))["entries"]
    numbers = [one["number"] for one in whole]
    assert numbers == list(range(len(whole), 0, -1)), "without a gap"
    seen: list[Any] = []
    before: dict[str, Any] = {}
    while True:
        found = await page(acme, limit=2, **before)
        seen += found["entries"]
        if found["next"] is None:
            break
        before = {"before": found["next"]}
    assert seen == whole
    about = (await page(acme, person=str(jane.staff), limit=500))["entries"]
    assert {one["event"] for one in about} >= {"user_created", "user_activation_sent", "authn_login_success"}
    assert all(str(jane.staff) in (one["actor"], one["target"]) for one in about)
    changed = (await page(acme, event="org_numbers_changed"))["entries"]
    assert len(changed) == 5
    minute = {"from": "2026-11-22T09:01:00Z", "to": "2026-11-22T09:02:00Z"}
    assert (await page(acme, **minute))["entries"] == changed
    elsewhere = {"from": "2026-11-22T20:01:00+11:00", "to": "2026-11-22T04:02:00-05:00"}
    assert (await page(acme, **elsewhere))["entries"] == changed, "the same minute, in Melbourne and in Montreal"
    assert (await page(acme, **{"from": "2026-11-22T09:02:00Z"}))["entries"] == []
    for wrong in ({"from": "2026-11-22T09:00:00"}, {"to": "0001-01-01T00:00:00Z"}, {"event": "';--"}):
        answer = await identity.ask("GET", "/v1/audit", params=wrong, token=acme.ray)
        assert answer.status == 422, "without a zone nobody knows which day is meant"


async def test_a_person_sees_what_happened_to_their_account(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    await sign_in(acme, "Luke")
    await identity.ask("PUT", "/v1/me/availability", json={"state": "online"}, token=jane.token)
    answer = await identity.ask("GET", "/v1/me/activity", params={"limit": 100}, token=jane.token)
    (newest, *older) = answer.json["activity"]
    assert (newest["event"], newest["yours"], newest["ip"]) == ("user_availability_set", True, "127.0.0.1")
    sent = next(one for one in older if one["event"] == "user_activation_sent")
    assert (sent["yours"], sent["ip"], sent["agent"]) == (False, "", ""), "where Ray was is Ray's"
    assert str(acme.owner_id) not in answer.text
    mine = (await page(acme, person=str(jane.staff), limit=500))["entries"]
    assert [one["event"] for one in answer.json["activity"]] == [one["event"] for one in mine], "and nobody else's"
    first = (await identity.ask("GET", "/v1/me/activity", params={"limit": 2}, token=jane.token)).json
    rest = {"limit": 100, "before": first["next"]}
    rest_of_it = (await identity.ask("GET", "/v1/me/activity", params=rest, token=jane.token)).json
    assert first["activity"] + rest_of_it["activity"] == answer.json["activity"]


# --- as a file ------------------------------------------------------------------------------------------------


@pytest.mark.checklist("O04")
async def test_the_export_is_the_log_and_is_itself_in_it(acme: Acme) -> None:
    await busy(acme, 3)
    answer = await export(acme)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert rows[0]["event"] == "audit_exported"
    assert rows[0]["actor"] == str(acme.owner_id)
    whole = (await page(acme, limit=500))["entries"]
    assert [int(row["number"]) for row in rows] == [one["number"] for one in whole]
    assert [json.loads(row["detail"]) for row in rows] == [one["detail"] for one in whole]
    only = list(
        csv.DictReader(io.StringIO((await export(acme, event="org_numbers_changed")).text.removeprefix("\ufeff")))
    )
    assert {row["event"] for row in only} == {"org_numbers_changed"}
    assert (await page(acme, limit=1))["entries"][0]["detail"]["event"] == "org_numbers_changed"


@pytest.mark.checklist("O02")
async def test_whoever_has_the_lines_can_follow_the_chain(acme: Acme) -> None:
    await busy(acme, 3)
    answer = await export(acme, "/v1/audit/export.jsonl")
    lines = [json.loads(line) for line in answer.text.splitlines()]
    links = [Link(line["number"], line["body"], bytes.fromhex(line["hash"])) for line in reversed(lines)]
    end = chain.follow(End(), links)
    assert isinstance(end, End)
    assert end.hash.hex() == (await verdict(acme, number=end.number, hash=end.hash.hex()))["hash"]


@pytest.mark.checklist("G14")
async def test_an_export_takes_a_factor_shown_a_moment_ago(acme: Acme) -> None:
    await run_as_owner(
        acme.identity, "UPDATE session SET authenticated_at = authenticated_at - interval '301 seconds' WHERE org = $1",
        acme.org,
    )  # fmt: skip
    jane = await sign_in(acme)
    acme.identity.authz.permit(jane.staff, "core.audit.download")
    await run_as_owner(
        acme.identity, "UPDATE session SET authenticated_at = authenticated_at - interval '301 seconds' WHERE staff = $1",
        jane.staff,
    )  # fmt: skip
    form = {"grant_type": "refresh_token", "refresh_token": jane.refresh}
    stale = (await acme.identity.ask("POST", "/oauth/token", data=form)).json["access_token"]
    for path in ("/v1/audit/export", "/v1/audit/export.jsonl"):
        assert problem(await export(acme, path, stale)) == (401, "step_up_needed")
        assert (await export(acme, path)).status == 200


@pytest.mark.checklist("I03")
async def test_no_cell_of_the_export_is_a_formula(acme: Acme) -> None:
    evil = '=HYPERLINK("http://rebels.example";"click")'
    headers = {"User-Agent": evil}
    await acme.identity.ask("POST", "/v1/blocklist", token=acme.ray, headers=headers, json={
        "kind": "email", "value": "luke@rebels.example"
    })  # fmt: skip
    rows = list(csv.reader(io.StringIO((await export(acme)).text.removeprefix("\ufeff"))))
    cells = [cell for row in rows for cell in row]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]
    assert evil in [plain(cell) for cell in cells]


async def test_a_long_log_is_sent_in_parts(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail, "_BATCH", 2)
    await busy(acme, 5)
    rows = list(csv.DictReader(io.StringIO((await export(acme)).text.removeprefix("\ufeff"))))
    assert [int(row["number"]) for row in rows] == list(range(len(rows), 0, -1))


# --- whole, or known where not --------------------------------------------------------------------------------


async def links_of(acme: Acme) -> tuple[list[Link], End]:
    rows = await run_as_owner(
        acme.identity, "SELECT number, body, hash FROM audit WHERE org = $1 ORDER BY number", acme.org
    )
    (head,) = await run_as_owner(acme.identity, "SELECT number, hash FROM audit_head WHERE org = $1", acme.org)
    return [Link(row["number"], row["body"], row["hash"]) for row in rows], End(head["number"], head["hash"])


def judged(links: list[Link], head: End) -> Break | None:
    end = chain.follow(End(), links)
    return end if isinstance(end, Break) else chain.close(end, head, max((link.number for link in links), default=0))


def mutated(links: list[Link], chance: random.Random) -> list[Link]:
    """The log with one thing wrong: in its words, its numbers, its order or its length."""
    links, at = [*links], chance.randrange(len(links))
    one = links[at]

    def edit() -> None:
        place = chance.randrange(len(one.body))
        other = chance.choice([c for c in 'abc019{}":,-' if c != one.body[place]])
        links[at] = Link(one.number, one.body[:place] + other + one.body[place + 1 :], one.hash)

    def cut() -> None:
        links[at] = Link(one.number, one.body[: chance.randrange(len(one.body))], one.hash)

    def flip() -> None:
        place, bit = chance.randrange(len(one.hash)), 1 << chance.randrange(8)
        links[at] = Link(one.number, one.body, bytes(b ^ bit if n == place else b for n, b in enumerate(one.hash)))

    def renumber() -> None:
        links[at] = Link(one.number + chance.choice([-3, -1, 1, 2, 100]), one.body, one.hash)

    def drop() -> None:
        del links[at]

    def truncate() -> None:
        del links[at:]

    def repeat() -> None:
        links.insert(chance.randrange(len(links) + 1), one)

    def swap() -> None:
        other = chance.choice([n for n in range(len(links)) if n != at])
        links[at], links[other] = links[other], links[at]

    def exchange() -> None:
        """The words of two entries, each under the other's number and hash."""
        other = chance.choice([n for n in range(len(links)) if links[n].body != one.body])
        links[at] = Link(one.number, links[other].body, one.hash)
        links[other] = Link(links[other].number, one.body, links[other].hash)

    def forge() -> None:
        """Hashed anew, as whoever has the database could: what follows does not fit any more."""
        before = links[at - 1].hash if at else b""
        body = one.body.replace("success", "failure") + " "
        links[at] = Link(one.number, body, chain.hash_of(before, one.number, body))

    def append() -> None:
        number = links[-1].number + 1
        links.append(Link(number, one.body, chain.hash_of(links[-1].hash, number, one.body)))

    chance.choice([edit, cut, flip, renumber, drop, truncate, repeat, swap, exchange, forge, append])()
    return links


@pytest.mark.checklist("O02")
async def test_a_thousand_ways_to_tamper_with_the_log_are_all_found(acme: Acme) -> None:
    await sign_in(acme)
    await busy(acme, 20)
    links, head = await links_of(acme)
    assert judged(links, head) is None
    for seed in range(MUTATIONS):
        wrong = mutated(links, random.Random(seed))  # noqa: S311 - the same mutations each time
        if wrong != links:
            assert judged(wrong, head) is not None, f"not found: seed {seed}"


TAMPERINGS: dict[str, tuple[str, int | None]] = {
    "a word is changed": ("UPDATE audit SET body = replace(body, '127.0.0.1', '192.0.2.1') WHERE org = $1 AND number = 4", 4),
    "a hash is changed": ("UPDATE audit SET hash = sha256(hash) WHERE org = $1 AND number = 5", 5),
    "an entry is dropped": ("DELETE FROM audit WHERE org = $1 AND number = 3", 3),
    "the first is dropped": ("DELETE FROM audit WHERE org = $1 AND number = 1", 1),
    "two are exchanged": (
        "UPDATE audit a SET body = b.body FROM audit b WHERE a.org = $1 AND b.org = $1"
        " AND a.number IN (2, 3) AND b.number = 5 - a.number", 2,
    ),
    "the end is cut off": ("DELETE FROM audit WHERE org = $1 AND number > 6", 7),
    "everything is dropped": ("DELETE FROM audit WHERE org = $1", 1),
    "the head is wound back": (
        "UPDATE audit_head h SET number = 6, hash = a.hash FROM audit a WHERE h.org = $1 AND a.org = $1 AND a.number = 6", 7,
    ),
    "the head is dropped": ("DELETE FROM audit_head WHERE org = $1", None),
    "the head is another": ("UPDATE audit_head SET hash = sha256(hash) WHERE org = $1", None),
    "one is hashed anew": (
        "UPDATE audit a SET body = a.body || ' ', hash = sha256(b.hash || int8send(a.number)"
        " || convert_to(a.body || ' ', 'UTF8')) FROM audit b WHERE a.org = $1 AND b.org = $1 AND a.number = 4 AND b.number = 3", 5,
    ),
}  # fmt: skip


@pytest.mark.checklist("O02")
@pytest.mark.parametrize("tampering", TAMPERINGS)
async def test_whoever_has_the_database_changes_nothing_unnoticed(acme: Acme, tampering: str) -> None:
    await busy(acme, 5)
    assert (await verdict(acme))["sound"] is True
    statement, at = TAMPERINGS[tampering]
    await run_as_owner(acme.identity, statement, acme.org)
    found = await verdict(acme)
    assert found["sound"] is False
    assert found["why"]
    if at is not None:
        assert found["broken_at"] == at
        assert found["why"].startswith("missing") is ("dropped" in tampering or "cut off" in tampering)


@pytest.mark.checklist("O02")
async def test_a_log_that_was_made_anew_is_found_out_by_who_kept_an_anchor(acme: Acme) -> None:
    """Whoever has the database can write another history, whole in itself: a hash that is kept elsewhere tells."""
    await busy(acme, 5)
    anchor = await verdict(acme)
    kept = {"number": anchor["entries"], "hash": anchor["hash"]}
    await busy(acme, 2)
    assert (await verdict(acme, **kept))["sound"] is True
    links, _ = await links_of(acme)
    end = End()
    for link in links:
        body = link.body.replace("127.0.0.1", "192.0.2.1")
        end = End(link.number, chain.hash_of(end.hash, link.number, body))
        await run_as_owner(
            acme.identity, "UPDATE audit SET body = $3, hash = $4 WHERE org = $1 AND number = $2",
            acme.org, link.number, body, end.hash,
        )  # fmt: skip
    await run_as_owner(acme.identity, "UPDATE audit_head SET hash = $2 WHERE org = $1", acme.org, end.hash)
    assert (await verdict(acme))["sound"] is True, "nothing in the database says so"
    found = await verdict(acme, **kept)
    assert (found["sound"], found["broken_at"]) == (False, kept["number"])
    later = {"number": 10_000, "hash": anchor["hash"]}
    assert (await verdict(acme, **later))["sound"] is False, "an entry that is not there any more"
    answer = await acme.identity.ask("GET", "/v1/audit/verify", params={"number": 3}, token=acme.ray)
    assert problem(answer) == (422, "half_an_anchor")


@pytest.mark.checklist("O02")
async def test_the_service_itself_can_neither_change_nor_drop_an_entry(acme: Acme) -> None:
    connection: Any = await asyncpg.connect(acme.identity.app_url)
    for statement in ("UPDATE audit SET body = ''", "DELETE FROM audit", "TRUNCATE audit", "DELETE FROM audit_head"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with connection.transaction():
                await connection.execute(f"SET LOCAL app.org = '{acme.org}'")
                await connection.execute(statement)
    await connection.close()


@pytest.mark.checklist("O02")
async def test_a_hundred_at_once_make_one_chain(acme: Acme) -> None:
    identity = acme.identity
    before = (await verdict(acme))["entries"]
    # They hold nothing in common but the head of the chain.
    person = {"type": "standard", "name": "Han", "email": "han@acme.example"}
    acts = [identity.post("/v1/staff", person | {"username": f"Han{n}"}, token=acme.ray) for n in range(100)]
    assert {answer.status for answer in await asyncio.gather(*acts)} == {201}
    found = await verdict(acme)
    assert (found["sound"], found["entries"]) == (True, before + 100)


async def test_a_log_is_followed_in_parts(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail, "_HASHED", 3)
    await busy(acme, 5)
    assert (await verdict(acme))["sound"] is True
    await run_as_owner(acme.identity, "UPDATE audit SET hash = '' WHERE org = $1 AND number = 7", acme.org)
    assert (await verdict(acme))["broken_at"] == 7


# --- what is typed can not write lines of its own -------------------------------------------------------------

INJECTIONS: list[str] = [
    'Jane\r\n{"event":"authn_login_success"}',
    "Jane\nINFO fine",
    "Jane\x1b[2J\x1b[31m",
    "Jane\u0000",
    "Jane\u2028\u2029\u0085",
    '"},{"event":"x',
    "\u202eenaJ",
]


@contextmanager
def in_json() -> Iterator[None]:
    """The log as it is in operation: one JSON line an event."""
    before = structlog.get_config()
    log.configure("identity", "info")
    try:
        yield
    finally:
        structlog.configure(**before)
        structlog.contextvars.clear_contextvars()


@pytest.mark.checklist("O03")
@pytest.mark.parametrize("typed", INJECTIONS, ids=[ascii(one) for one in INJECTIONS])
async def test_what_is_typed_stays_one_line_of_the_log(
    acme: Acme, typed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    identity = acme.identity
    agent = "".join(c for c in typed if c not in "\r\n\0")
    headers = {
        "User-Agent": agent.encode(),
        "Content-Type": b"application/json",
        "Authorization": f"Bearer {acme.ray}".encode(),
    }
    login = json.dumps({"login": f"{acme.number}\\{typed}", "password": PASSWORD}).encode()
    visitor = json.dumps({"kind": "number", "value": "+61491570006"}).encode()
    capsys.readouterr()
    with in_json():
        await raw.answer(identity.url, "POST", "/v1/login", headers, login)
        await identity.ask("GET", f"/v1/staff/{quote(typed, safe='')}", token=acme.ray)
        status, said = await raw.answer(identity.url, "POST", "/v1/blocklist", headers, visitor)
        if status == 400:  # the parser takes no such header
            status, said = await raw.answer(
                identity.url, "POST", "/v1/blocklist", headers | {"User-Agent": b"x"}, visitor
            )
        assert status == 201, said
    events = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert len(events) in (2, 3, 4), "an event for each request that could be read, and a line for each event"
    assert events[-1] == "http.block_visitor"
    (row,) = await run_as_owner(
        identity, "SELECT body FROM audit WHERE org = $1 ORDER BY number DESC LIMIT 1", acme.org
    )
    assert not [c for c in row["body"] if ord(c) < 32]
    assert json.loads(row["body"])["agent"] in (agent, "x"), "kept as it was sent"
    assert (await verdict(acme))["sound"] is True
    *lines, last = (await export(acme, "/v1/audit/export.jsonl")).text.split("\n")
    assert last == ""
    assert [json.loads(line)["number"] for line in lines] == list(range(len(lines), 0, -1))


# --- from the shell -------------------------------------------------------------------------------------------


@pytest.mark.checklist("O02")
async def test_an_operator_verifies_every_log_from_the_shell(acme: Acme) -> None:
    other = await register(acme.identity, "Other Crates")
    code, said = await shell(acme, "audit", "verify", str(acme.org))
    assert (code, said.split()[:3]) == (0, [str(acme.org), str((await verdict(acme))["entries"]), "entries"])
    await run_as_owner(acme.identity, "UPDATE audit SET hash = '' WHERE org = $1 AND number = 3", acme.org)
    code, said = await shell(acme, "audit", "verify")
    lines = {line.split()[0]: line for line in said.splitlines()}
    assert code == 1
    assert "BROKEN at entry 3: changed" in lines[str(acme.org)]
    assert "BROKEN" not in lines[str(other.org)]
    assert (await shell(acme, "audit", "verify", str(other.org)))[0] == 0


async def shell(acme: Acme, *arguments: str) -> tuple[int, str]:
    secret = base64.b64encode(bytes(32)).decode()
    settings = {
        "DATABASE_URL": acme.identity.app_url, "HTTP_PORT": "0", "PUBLIC_URL": "http://identity.test",
        "SIGNING_KEY": json.dumps(SIGNING), "FACTOR_KEY": json.dumps(FACTOR), "CODE_KEY": secret,
        "SEAL_KEY": json.dumps(NOTIFY), "AUTHZ_URL": "http://authz.test",
    }  # fmt: skip
    env = {name: value for name, value in os.environ.items() if not name.startswith(("IDENTITY_", "STAFFGATE_"))}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.identity", *arguments, cwd=ROOT,
        env=env | {f"IDENTITY_{name}": value for name, value in settings.items()},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()
