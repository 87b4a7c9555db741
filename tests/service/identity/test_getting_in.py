"""The story's steps in identity, over HTTP, on real PostgreSQL."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pyotp

from staffgate.contracts import identity as contract
from tests.service.identity.conftest import (
    PASSWORD,
    SMS_INBOX_SECRET,
    Acme,
    Running,
    confirm_mobile,
    log_in,
    register,
    until,
)


async def test_an_organisation_registers_and_its_owner_confirms_by_link(identity: Running) -> None:
    acme = await register(identity)
    shown = await identity.ask("GET", "/v1/organisation", token=acme.ray)
    assert shown.json == {"id": str(acme.org), "number": acme.number, "name": "ACME Crates", "username": None}
    assert [event.state.type for event in identity.heard.of(contract.StaffAdded)] == ["owner"]


async def test_the_organisation_username_is_selected_once(acme: Acme) -> None:
    name = f"AcmeCrates{uuid4().hex[:6]}"
    first = await acme.identity.post("/v1/organisation/username", {"username": name}, token=acme.ray)
    again = await acme.identity.post("/v1/organisation/username", {"username": name + "x"}, token=acme.ray)
    assert (first.status, first.json["username"]) == (200, name)
    assert (again.status, again.json["type"]) == (409, "urn:staffgate:problem:username_selected")


async def test_the_organisation_username_is_unique_whatever_the_case(acme: Acme) -> None:
    name = f"AcmeTeam{uuid4().hex[:6]}"
    assert (await acme.identity.post("/v1/organisation/username", {"username": name}, token=acme.ray)).status == 200
    other = await register(acme.identity, "Other Crates")
    for taken in (name, name.upper(), name.lower()):
        answer = await acme.identity.post("/v1/organisation/username", {"username": taken}, token=other.ray)
        assert (answer.status, answer.json["type"]) == (409, "urn:staffgate:problem:username_taken")
    free = await acme.identity.post("/v1/organisation/username", {"username": name + "2"}, token=other.ray)
    assert free.status == 200, "a refused name must not use up the one selection"


async def test_a_new_person_is_not_activated_and_gets_nothing_yet(acme: Acme) -> None:
    jane = await acme.add(mobile="+61 491 570 006", default_level="deny")
    shown = (await acme.identity.ask("GET", f"/v1/staff/{jane}", token=acme.ray)).json
    assert (shown["status"], shown["mobile"], shown["activation_sent_count"]) == ("invited", "+61491570006", 0)
    assert [link.purpose for link in acme.identity.heard.of(contract.LinkIssued)] == ["confirm"]


async def test_sending_again_kills_the_older_link(acme: Acme) -> None:
    jane = await acme.add()
    for count in (1, 2):
        sent = await acme.identity.post(f"/v1/staff/{jane}/activation-email", token=acme.ray)
        assert sent.json["sent_count"] == count
        await acme.identity.told(contract.LinkIssued, 1 + count)
        if count == 1:
            old = acme.identity.heard.link()
            acme.identity.clock.advance(seconds=61)
    new = acme.identity.heard.link()
    assert (await acme.identity.post("/v1/activations", {"token": old, "password": PASSWORD})).status == 422
    assert (await acme.identity.post("/v1/activations", {"token": new, "password": PASSWORD})).status == 200


async def test_opening_the_link_uses_nothing_up_and_sending_the_form_does(acme: Acme) -> None:
    jane = await acme.add()
    await acme.identity.post(f"/v1/staff/{jane}/activation-email", token=acme.ray)
    await acme.identity.told(contract.LinkIssued, 2)
    token = acme.identity.heard.link()
    for method in ("GET", "HEAD", "GET"):
        page = await acme.identity.ask(method, f"/activate?token={token}")
        assert page.status == 200
    assert "Jane" in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    weak = await acme.identity.ask("POST", "/activate", data={"token": token, "password": "password1"})
    assert (weak.status, 'role="alert"' in weak.text) == (422, True)
    done = await acme.identity.ask("POST", "/activate", data={"token": token, "password": PASSWORD})
    assert (done.status, "\\Jane" in done.text) == (200, True)
    assert "set-cookie" not in {name.lower() for name in done.headers}, "the link does not log in"
    assert (await acme.identity.ask("GET", f"/activate?token={token}")).status == 410


async def test_of_parallel_uses_of_one_link_one_succeeds(acme: Acme) -> None:
    jane = await acme.add()
    await acme.identity.post(f"/v1/staff/{jane}/activation-email", token=acme.ray)
    await acme.identity.told(contract.LinkIssued, 2)
    use = {"token": acme.identity.heard.link(), "password": PASSWORD}
    answers = await asyncio.gather(*(acme.identity.post("/v1/activations", use) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [200] + [422] * 7
    assert len(await acme.identity.told(contract.StaffActivated, 2)) == 2, "Ray's and Jane's, once each"


async def test_a_link_expires(acme: Acme) -> None:
    jane = await acme.add()
    await acme.identity.post(f"/v1/staff/{jane}/activation-email", token=acme.ray)
    await acme.identity.told(contract.LinkIssued, 2)
    acme.identity.clock.advance(hours=24, seconds=1)
    use = {"token": acme.identity.heard.link(), "password": PASSWORD}
    assert (await acme.identity.post("/v1/activations", use)).status == 422


async def test_an_active_account_is_not_activated_again(acme: Acme) -> None:
    jane = await acme.add()
    await acme.activate(jane)
    answer = await acme.identity.post(f"/v1/staff/{jane}/activation-email", token=acme.ray)
    assert (answer.status, answer.json["type"]) == (409, "urn:staffgate:problem:not_invited")


async def test_logging_in_takes_a_second_factor_by_email_sms_or_app(acme: Acme) -> None:
    identity = acme.identity
    jane = await acme.add(mobile="+61491570006")
    login = await acme.activate(jane)
    await confirm_mobile(identity, jane)
    started = await identity.post("/v1/login", {"login": login, "password": PASSWORD})
    assert "access_token" not in started.text
    assert [(f["kind"], f["hint"]) for f in started.json["factors"]] == [
        ("sms", "+61***06"),
        ("email", "J***@acme.example"),
    ]
    for factor in ("email", "sms"):
        assert (await log_in(identity, login, factor)).status == 200
    token = (await log_in(identity, login.upper())).json["access_token"]
    enrolment = (await identity.post("/v1/me/factors/totp", token=token)).json
    app = pyotp.TOTP(enrolment["secret"])
    assert enrolment["uri"].startswith("otpauth://totp/")
    code = app.at(identity.clock.now())
    assert (await identity.post("/v1/me/factors/totp/confirm", {"code": code}, token=token)).status == 200
    identity.clock.advance(seconds=30)
    started = await identity.post("/v1/login", {"login": login, "password": PASSWORD})
    finish = {
        "transaction": started.json["transaction"],
        "factor": "totp",
        "code": app.at(identity.clock.now()),
    }
    answers = await asyncio.gather(*(identity.post("/v1/login/finish", finish) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [200, 401, 401, 401, 401], "a time step is good once"


async def test_what_fails_at_login_can_not_be_told_apart(acme: Acme) -> None:
    identity = acme.identity
    active = await acme.activate(await acme.add("Jane"))
    await acme.add("Laya")
    han = await acme.add("Han")
    await acme.activate(han)
    assert (await identity.post(f"/v1/staff/{han}/suspend", token=acme.ray)).status == 200
    attempts = {
        "wrong password": (active, "not the password"),
        "empty password": (active, ""),
        "unknown person": (f"{acme.number}\\Nobody", PASSWORD),
        "unknown organisation": ("NoSuchPlace\\Jane", PASSWORD),
        "not activated": (f"{acme.number}\\Laya", PASSWORD),
        "suspended": (f"{acme.number}\\Han", PASSWORD),
        "no organisation": ("Jane", PASSWORD),
        "two separators": (f"{acme.number}\\Jane\\x", PASSWORD),
    }
    answers = [await identity.post("/v1/login", {"login": login, "password": pw}) for login, pw in attempts.values()]
    assert {(answer.status, answer.text) for answer in answers} == {(401, answers[0].text)}


async def test_a_code_is_tried_five_times_at_most_even_in_parallel(acme: Acme) -> None:
    identity = acme.identity
    login = await acme.activate(await acme.add())
    transaction = (await identity.post("/v1/login", {"login": login, "password": PASSWORD})).json["transaction"]
    await identity.post("/v1/login/codes", {"transaction": transaction, "factor": "email"})
    await identity.told(contract.CodeIssued, 2)
    code = identity.heard.code()
    wrong = "0" * 8 if code != "0" * 8 else "1" * 8
    guess = {"transaction": transaction, "factor": "email", "code": wrong}
    await asyncio.gather(*(identity.post("/v1/login/finish", guess) for _ in range(20)))
    right = await identity.post("/v1/login/finish", guess | {"code": code})
    assert (right.status, right.json["type"]) == (401, "urn:staffgate:problem:code_wrong")


async def test_a_code_expires_and_a_newer_one_kills_it(acme: Acme) -> None:
    identity = acme.identity
    login = await acme.activate(await acme.add())
    transaction = (await identity.post("/v1/login", {"login": login, "password": PASSWORD})).json["transaction"]
    ask = {"transaction": transaction, "factor": "email"}
    assert (await identity.post("/v1/login/codes", ask)).status == 202
    hasty = await identity.post("/v1/login/codes", ask)
    assert (hasty.status, hasty.headers["Retry-After"]) == (429, "30")
    await identity.told(contract.CodeIssued, 2)
    old = identity.heard.code()
    identity.clock.advance(seconds=31)
    assert (await identity.post("/v1/login/codes", ask)).status == 202
    await identity.told(contract.CodeIssued, 3)
    assert (await identity.post("/v1/login/finish", ask | {"code": old})).status == 401
    identity.clock.advance(minutes=5, seconds=1)
    assert (await identity.post("/v1/login/finish", ask | {"code": identity.heard.code()})).status == 401


async def test_refresh_rotates_and_a_retry_gets_the_same_successor(acme: Acme) -> None:
    identity = acme.identity
    tokens = (await log_in(identity, await acme.activate(await acme.add()))).json
    before = len(identity.heard.of(contract.SessionsEnded))
    grant = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    answers = await asyncio.gather(*(identity.ask("POST", "/oauth/token", data=grant) for _ in range(10)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.json["refresh_token"] for answer in answers} - {tokens["refresh_token"]}) == 1
    identity.clock.advance(seconds=11)
    stolen = await identity.ask("POST", "/oauth/token", data=grant)
    assert (stolen.status, stolen.json["error"]) == (400, "invalid_grant")
    successor = {"grant_type": "refresh_token", "refresh_token": answers[0].json["refresh_token"]}
    assert (await identity.ask("POST", "/oauth/token", data=successor)).status == 400, "the whole family ended"
    assert len(await identity.told(contract.SessionsEnded, before + 1)) == before + 1


async def test_suspending_ends_everything_and_reactivating_lets_in_again(acme: Acme) -> None:
    identity = acme.identity
    jane = await acme.add()
    login = await acme.activate(jane)
    tokens = (await log_in(identity, login)).json
    assert (await identity.ask("GET", "/v1/me", token=tokens["access_token"])).status == 200
    assert (await identity.post(f"/v1/staff/{jane}/suspend", token=acme.ray)).json["status"] == "suspended"
    assert (await identity.ask("GET", "/v1/me", token=tokens["access_token"])).status == 401
    grant = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert (await identity.ask("POST", "/oauth/token", data=grant)).status == 400
    assert (await identity.post("/v1/login", {"login": login, "password": PASSWORD})).status == 401
    ended = await until(lambda: [one for one in identity.heard.of(contract.SessionsEnded) if one.staff == jane])
    secret = {"grant_type": "client_credentials", "client_id": "sms-inbox", "client_secret": SMS_INBOX_SECRET}
    product = (await identity.ask("POST", "/oauth/token", data=secret)).json["access_token"]
    listed = (await identity.ask("GET", "/v1/revocations", token=product)).json["sessions"]
    assert str(ended[0].sessions[0]) in listed
    assert (await identity.post(f"/v1/staff/{jane}/reactivate", token=acme.ray)).json["status"] == "active"
    assert (await log_in(identity, login)).status == 200
    assert (await identity.ask("POST", "/oauth/token", data=grant)).status == 400, "what ended stays ended"


async def test_nothing_secret_leaves_in_clear(acme: Acme) -> None:
    jane = await acme.add(mobile="+61491570006")
    login = await acme.activate(jane)
    await confirm_mobile(acme.identity, jane)
    assert (await log_in(acme.identity, login, "sms")).status == 200
    told = b"".join(acme.identity.heard.bodies)
    for secret in (acme.identity.heard.link(), acme.identity.heard.code(), "acme.example", "491570006", PASSWORD):
        assert secret.encode() not in told
