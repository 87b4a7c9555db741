"""The authenticator app: the standard's own numbers, once for each time step, and never known to anybody else."""

from __future__ import annotations

import asyncio
import base64
import urllib.parse
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
import segno

from services.identity.factor.totp import _matching_step
from tests.service.identity.conftest import FACTOR, Acme, run_as_owner
from tests.service.identity.possessions import (
    add_app,
    begun,
    finished,
    list_factors,
    member,
    problem,
    with_app,
)

RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()
# RFC 4226 appendix D: six digits for the counters 0 to 9.
HOTP = ("755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489")
# RFC 6238 appendix B, SHA-1: seconds since the epoch, and eight digits, the last six of which are ours.
TOTP = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}


@pytest.mark.checklist("D01")
def test_the_vectors_of_rfc_4226_and_rfc_6238_pass() -> None:
    for counter, code in enumerate(HOTP):
        assert _matching_step(RFC_SECRET, code, datetime.fromtimestamp(counter * 30 + 30, UTC)) == counter
    for seconds, digits in TOTP.items():
        assert _matching_step(RFC_SECRET, digits[-6:], datetime.fromtimestamp(seconds, UTC)) == seconds // 30


@pytest.mark.checklist("D05")
def test_a_code_is_good_one_step_before_and_after_and_no_further() -> None:
    now = datetime(2026, 11, 22, 9, 0, 15, tzinfo=UTC)
    app, present = pyotp.TOTP(RFC_SECRET), int(now.timestamp()) // 30
    found = [_matching_step(RFC_SECRET, app.at(now + timedelta(seconds=30 * step)), now) for step in range(-4, 5)]
    assert found == [None, None, None, present - 1, present, present + 1, None, None, None]


@pytest.mark.checklist("D02", "D06")
async def test_the_secret_is_long_shown_once_and_sealed(acme: Acme) -> None:
    jane = await member(acme)
    first = (await acme.identity.post("/v1/me/factors/totp", token=jane.token)).json
    second = (await acme.identity.post("/v1/me/factors/totp", token=jane.token)).json
    assert first["secret"] != second["secret"]
    assert len(base64.b32decode(first["secret"])) * 8 >= 160
    listed = await acme.identity.ask("GET", "/v1/me/factors", token=jane.token)
    rows = await run_as_owner(acme.identity, "SELECT staff::text AS row FROM staff WHERE id = $1", jane.staff)
    assert second["secret"] not in listed.text + rows[0]["row"]
    sealed = (await run_as_owner(acme.identity, "SELECT totp_next FROM staff WHERE id = $1", jane.staff))[0][0]
    header = base64.urlsafe_b64decode(sealed.partition(".")[0] + "==")
    assert FACTOR["kid"].encode() in header, "which key it is sealed to is said beside it"


async def test_the_qr_code_holds_what_the_app_needs(acme: Acme) -> None:
    jane = await member(acme)
    enrolment = (await acme.identity.post("/v1/me/factors/totp", token=jane.token)).json
    uri = urllib.parse.urlsplit(enrolment["uri"])
    asked = urllib.parse.parse_qs(uri.query)
    assert (uri.scheme, uri.netloc, asked["secret"]) == ("otpauth", "totp", [enrolment["secret"]])
    assert urllib.parse.unquote(uri.path) == "/Staffgate:ACME Crates: Jane"
    drawn = segno.make(enrolment["uri"], error="m", micro=False)
    assert enrolment["qr"] == drawn.svg_data_uri(scale=4, border=4)
    assert enrolment["qr"].startswith("data:image/svg+xml")


@pytest.mark.checklist("D03")
async def test_of_fifty_uses_of_one_code_one_gets_in(acme: Acme) -> None:
    jane = await with_app(acme)
    transactions = [(await begun(acme.identity, jane.login))["transaction"] for _ in range(50)]
    # Fifty tries of one person are ten times what an hour allows; here it is the time step that is to hold.
    await run_as_owner(acme.identity, "UPDATE login SET attempts = -100 WHERE staff = $1", jane.staff)
    uses = [{"transaction": one, "factor": "totp", "code": jane.shown()} for one in transactions]
    answers = await asyncio.gather(*(acme.identity.post("/v1/login/finish", use) for use in uses))
    assert sorted(answer.status for answer in answers) == [200] + [401] * 49


@pytest.mark.checklist("D04")
async def test_a_code_used_again_is_answered_like_a_wrong_one(acme: Acme) -> None:
    jane = await with_app(acme)
    code = jane.shown()
    assert (await finished(acme.identity, jane.login, "totp", code)).status == 200
    again = await finished(acme.identity, jane.login, "totp", code)
    wrong = await finished(acme.identity, jane.login, "totp", f"{(int(code) + 1) % 10**6:06d}")
    assert (again.status, again.text) == (wrong.status, wrong.text) == (401, wrong.text)
    earlier = jane.app.at(acme.identity.clock.now() - timedelta(seconds=30)) if jane.app else ""
    assert (await finished(acme.identity, jane.login, "totp", earlier)).text == wrong.text, "nor one from before"


@pytest.mark.checklist("D06")
async def test_an_app_counts_only_once_a_code_confirms_it(acme: Acme) -> None:
    jane = await member(acme)
    not_begun = await acme.identity.post("/v1/me/factors/totp/confirm", {"code": "123456"}, token=jane.token)
    assert problem(not_begun) == (409, "totp_not_begun")
    app = pyotp.TOTP((await acme.identity.post("/v1/me/factors/totp", token=jane.token)).json["secret"])
    right = app.at(acme.identity.clock.now())
    wrong = {"code": f"{(int(right) + 1) % 10**6:06d}"}
    assert problem(await acme.identity.post("/v1/me/factors/totp/confirm", wrong, token=jane.token)) == (
        422,
        "code_wrong",
    )
    assert [one["kind"] for one in (await begun(acme.identity, jane.login))["factors"]] == ["email"]
    assert (await finished(acme.identity, jane.login, "totp", right)).status == 401
    confirmed = await acme.identity.post("/v1/me/factors/totp/confirm", {"code": right}, token=jane.token)
    assert confirmed.status == 200
    offered = (await begun(acme.identity, jane.login))["factors"]
    assert [one["kind"] for one in offered] == ["totp", "recovery", "email"], "the strongest first"


@pytest.mark.checklist("D06", "G01")
async def test_another_app_takes_a_fresh_session_and_takes_the_place_of_the_old_one(acme: Acme) -> None:
    jane = await with_app(acme)
    old = jane.app
    acme.identity.clock.advance(seconds=301)
    token = (await finished(acme.identity, jane.login, "totp", jane.shown())).json["access_token"]
    stale = jane.token
    acme.identity.clock.advance(seconds=29)
    assert (await acme.identity.post("/v1/me/factors/totp", token=stale)).status == 401
    jane.token = token
    enrolment = (await acme.identity.post("/v1/me/factors/totp", token=jane.token)).json
    assert old is not None
    acme.identity.clock.advance(seconds=30)
    assert (await finished(acme.identity, jane.login, "totp", old.at(acme.identity.clock.now()))).status == 200, (
        "the old one counts until the new one is confirmed"
    )
    jane.app = pyotp.TOTP(enrolment["secret"])
    answer = await acme.identity.post("/v1/me/factors/totp/confirm", {"code": jane.later()}, token=jane.token)
    assert answer.status == 200
    assert (await acme.identity.ask("GET", "/v1/me", token=jane.token)).status == 401, "the session has another id"
    acme.identity.clock.advance(seconds=30)
    assert (await finished(acme.identity, jane.login, "totp", old.at(acme.identity.clock.now()))).status == 401
    assert (await finished(acme.identity, jane.login, "totp", jane.shown())).status == 200


async def test_the_app_is_removed_where_something_else_will_do(acme: Acme) -> None:
    jane = await with_app(acme)
    assert (await acme.identity.ask("DELETE", "/v1/me/factors/totp", token=jane.token)).status == 204
    assert [one["kind"] for one in (await list_factors(jane))["factors"]] == ["email"]
    assert (await list_factors(jane))["recovery_codes_left"] == 0, "they stood in for it"
    assert (await acme.identity.ask("DELETE", "/v1/me/factors/totp", token=jane.token)).status == 404
    assert (await finished(acme.identity, jane.login, "totp", jane.shown())).status == 401
    await add_app(jane)


@pytest.mark.checklist("H04")
async def test_an_administrator_never_removes_the_last_factor(acme: Acme) -> None:
    laya = await with_app(acme, "Laya", type="administrator")
    answer = await acme.identity.ask("DELETE", "/v1/me/factors/totp", token=laya.token)
    assert problem(answer) == (409, "last_factor")
    assert (await finished(acme.identity, laya.login, "totp", laya.shown())).status == 200
