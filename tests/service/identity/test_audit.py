"""The audit log: who did what to whom, from where; seen by those who may, and as a file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest
import structlog

from services.identity.log import chain, trail
from services.identity.log.chain import End, Link
from services.identity.staff.imports.cells import plain
from shared import log
from tests.service.bad_input import raw
from tests.service.identity.conftest import (
    PASSWORD,
    Acme,
    Answer,
    register,
    run_as_owner,
    sign_in,
)


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
