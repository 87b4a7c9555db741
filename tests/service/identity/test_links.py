"""Links of e-mails: once, for one purpose, one person and one address, and not for long."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from staffgate.contracts import identity as contract
from tests.service.identity.conftest import ISSUER, PASSWORD, Acme, Answer, Running, log_in, run_as_owner, sign_in
from tests.service.identity.post import (
    activation_link,
    answered,
    ask_for_reset,
    email_link,
    next_link,
    opened,
    own_reset_link,
    reset_link,
)

NEW = PASSWORD + " and one more"
Maker = Callable[[Acme], Awaitable[tuple[UUID, str]]]


async def activating(acme: Acme) -> tuple[UUID, str]:
    staff = await acme.add("Jane")
    return staff, await activation_link(acme, staff)


async def resetting(acme: Acme) -> tuple[UUID, str]:
    staff = await acme.add("Laya")
    await acme.activate(staff)
    return staff, await reset_link(acme, staff)


async def confirming(acme: Acme) -> tuple[UUID, str]:
    han = await sign_in(acme, "Han")
    return han.staff, await email_link(acme.identity, han.token, "han@elsewhere.example")


MAKERS: dict[str, Maker] = {"activate": activating, "reset": resetting, "email": confirming}
OPERATIONS = {"activate": "/v1/activations", "reset": "/v1/password-resets/finish", "email": "/v1/email-confirmations"}
PAGES = {"activate": "/activate", "reset": "/set-password", "email": "/confirm-email"}
purposes = pytest.mark.parametrize("purpose", [*MAKERS])


async def use(identity: Running, purpose: str, token: str) -> Answer:
    body = {"token": token} | ({} if purpose == "email" else {"password": NEW})
    return await identity.post(OPERATIONS[purpose], body)


@pytest.mark.checklist("F01")
@purposes
async def test_a_link_holds_256_random_bits_of_which_only_a_digest_is_kept(acme: Acme, purpose: str) -> None:
    staff, token = await MAKERS[purpose](acme)
    assert len(token) == 22 + 43, "the organisation in clear, and 32 bytes in base64"
    rows = await run_as_owner(acme.identity, "SELECT link::text FROM link WHERE staff = $1", staff)
    secret = token[22:]
    assert all(secret not in row[0] and secret.encode().hex() not in row[0] for row in rows)
    told = b"".join(acme.identity.heard.bodies)
    assert secret.encode() not in told


@pytest.mark.checklist("F01")
@pytest.mark.parametrize(("purpose", "hours"), [("activate", 24), ("reset", 1), ("email", 24)])
async def test_a_link_is_good_for_a_day_at_most_and_a_reset_for_an_hour(acme: Acme, purpose: str, hours: int) -> None:
    _, token = await MAKERS[purpose](acme)
    acme.identity.clock.advance(hours=hours, seconds=1)
    late = await use(acme.identity, purpose, token)
    page = await acme.identity.ask("GET", f"{PAGES[purpose]}?token={token}")
    assert (late.status, late.json["type"], page.status) == (422, "urn:staffgate:problem:link_dead", 410)
    acme.identity.clock.advance(seconds=-2)
    assert (await use(acme.identity, purpose, token)).status == 200


@pytest.mark.checklist("F02")
@purposes
async def test_opening_it_however_often_uses_nothing_up(acme: Acme, purpose: str) -> None:
    _, token = await MAKERS[purpose](acme)
    for method in ("GET", "HEAD", "GET", "GET"):
        assert (await acme.identity.ask(method, f"{PAGES[purpose]}?token={token}")).status == 200
    assert (await use(acme.identity, purpose, token)).status == 200
    assert (await use(acme.identity, purpose, token)).status == 422, "and once means once"


@pytest.mark.checklist("F03")
async def test_an_activation_link_is_sent_again_at_any_time_and_kills_the_one_before(acme: Acme) -> None:
    staff = await acme.add()
    tokens = []
    for count in (1, 2):
        tokens.append(await activation_link(acme, staff))
        shown = (await acme.identity.ask("GET", f"/v1/staff/{staff}", token=acme.ray)).json
        assert str(count) in str(shown), "how often it was sent can be seen"
        acme.identity.clock.advance(seconds=61)
    assert [(await use(acme.identity, "activate", token)).status for token in tokens] == [422, 200]


@pytest.mark.checklist("F03")
async def test_a_password_link_is_sent_again_and_says_how_often_and_when(acme: Acme) -> None:
    identity, staff = acme.identity, await acme.add()
    await acme.activate(staff)
    tokens = []
    for count in (1, 2):
        answer = await identity.post(f"/v1/staff/{staff}/password-link", token=acme.ray)
        assert (answer.status, answer.json["purpose"], answer.json["sent_count"]) == (202, "reset", count)
        assert answer.json["sent_at"] == identity.clock.now().isoformat().replace("+00:00", "Z")
        tokens.append(await next_link(identity, count + 1))
        identity.clock.advance(seconds=61)
    assert [(await use(identity, "reset", token)).status for token in tokens] == [422, 200]


@pytest.mark.checklist("F03")
async def test_whoever_is_not_activated_gets_the_activation_link_instead(acme: Acme) -> None:
    staff = await acme.add()
    answer = await acme.identity.post(f"/v1/staff/{staff}/password-link", token=acme.ray)
    assert (answer.status, answer.json["purpose"], answer.json["sent_count"]) == (202, "activate", 1)
    token = await next_link(acme.identity, 1)
    assert (await use(acme.identity, "activate", token)).status == 200


@pytest.mark.checklist("F03")
async def test_an_administrator_sends_a_link_whenever_they_like_ten_times_a_day(acme: Acme) -> None:
    identity, staff = acme.identity, await acme.add()
    send = f"/v1/staff/{staff}/activation-email"
    for _ in range(10):
        assert (await identity.post(send, token=acme.ray)).status == 202
    over = await identity.post(send, token=acme.ray)
    assert (over.status, over.json["type"]) == (429, "urn:staffgate:problem:too_many_links")
    assert int(over.headers["Retry-After"]) > 0
    assert len(await identity.told(contract.LinkIssued, 11)) == 11, "Ray's own, and ten of Jane's"


@pytest.mark.checklist("F03")
async def test_what_strangers_ask_for_uses_up_nothing_of_what_administrators_may_send(acme: Acme) -> None:
    identity, staff = acme.identity, await acme.add()
    login = await acme.activate(staff)
    for _ in range(3):  # of one minute: one goes out
        assert (await ask_for_reset(identity, login)).status == 202
    await answered(identity)
    asked = await run_as_owner(identity, "SELECT count(*) FROM link WHERE staff = $1 AND asked", staff)
    assert asked[0][0] == 1
    assert (await identity.post(f"/v1/staff/{staff}/password-link", token=acme.ray)).status == 202


@pytest.mark.checklist("F04")
@purposes
async def test_a_link_leads_where_the_settings_say_whatever_the_host_header_claims(acme: Acme, purpose: str) -> None:
    identity = acme.identity
    jane = await sign_in(acme)
    luke = await acme.add("Luke")
    before = len(identity.heard.of(contract.LinkIssued))
    method, path, token, body = {
        "activate": ("POST", f"/v1/staff/{luke}/activation-email", acme.ray, None),
        "reset": ("POST", f"/v1/staff/{jane.staff}/password-link", acme.ray, None),
        "email": ("PUT", "/v1/me/email", jane.token, {"email": "jane@elsewhere.example"}),
    }[purpose]
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    sent = await identity.ask(method, path, token=token, headers=headers, **({"json": body} if body else {}))
    assert sent.status == 202, sent.text
    event = (await identity.told(contract.LinkIssued, before + 1))[-1]
    assert opened(identity, event).url.startswith(f"{ISSUER}{PAGES[purpose]}?token=")


@pytest.mark.checklist("F05")
async def test_a_reset_logs_nobody_in_and_takes_no_second_factor_away(acme: Acme) -> None:
    identity = acme.identity
    laya = await sign_in(acme, "Laya", type="administrator")
    assert laya.app is not None
    done = await use(identity, "reset", await reset_link(acme, laya.staff))
    assert sorted(done.json) == ["device", "login"], "no token of any kind"
    identity.clock.advance(seconds=30)
    started = await identity.post("/v1/login", {"login": laya.login, "password": NEW})
    assert [factor["kind"] for factor in started.json["factors"]] == ["totp", "recovery"], "as before"
    assert started.json["enrol"] is False
    finish = {"transaction": started.json["transaction"], "factor": "totp", "code": laya.app.at(identity.clock.now())}
    assert (await identity.post("/v1/login/finish", finish)).status == 200


@pytest.mark.checklist("F06")
@purposes
async def test_a_link_is_good_for_its_own_purpose_alone(acme: Acme, purpose: str) -> None:
    staff, token = await MAKERS[purpose](acme)
    before = await run_as_owner(acme.identity, "SELECT staff::text FROM staff WHERE id = $1", staff)
    for other in {*OPERATIONS} - {purpose}:
        answer = await use(acme.identity, other, token)
        assert (answer.status, answer.json["type"]) == (422, "urn:staffgate:problem:link_dead"), other
        page = await acme.identity.ask("GET", f"{PAGES[other]}?token={token}")
        form = await acme.identity.ask("POST", PAGES[other], data={"token": token, "password": NEW})
        assert (page.status, form.status) == (410, 410), other
    assert await run_as_owner(acme.identity, "SELECT staff::text FROM staff WHERE id = $1", staff) == before
    assert (await use(acme.identity, purpose, token)).status == 200, "and that it still is"


STATES = {
    "suspended": "UPDATE staff SET status = 'suspended' WHERE id = $1",
    "deleted": "UPDATE staff SET status = 'deleted' WHERE id = $1",
    "without portal": "UPDATE staff SET portal = false WHERE id = $1",
    "closed": "UPDATE organisation SET closed_at = now() WHERE org = (SELECT org FROM staff WHERE id = $1)",
}


@pytest.mark.checklist("F06", "A10")
@purposes
@pytest.mark.parametrize("state", [*STATES])
async def test_the_link_of_whoever_can_not_get_in_is_dead(acme: Acme, purpose: str, state: str) -> None:
    staff, token = await MAKERS[purpose](acme)
    await run_as_owner(acme.identity, STATES[state], staff)
    assert (await use(acme.identity, purpose, token)).status == 422
    assert (await acme.identity.ask("GET", f"{PAGES[purpose]}?token={token}")).status == 410


@pytest.mark.checklist("F06")
async def test_an_activation_link_does_not_bring_a_suspended_person_back(acme: Acme) -> None:
    staff, token = await activating(acme)
    await run_as_owner(acme.identity, "UPDATE staff SET status = 'active' WHERE id = $1", staff)
    assert (await use(acme.identity, "activate", token)).status == 422
    assert (await use(acme.identity, "reset", token)).status == 422


@pytest.mark.checklist("F06")
async def test_another_address_kills_what_was_sent_to_the_old_one(acme: Acme) -> None:
    identity = acme.identity
    jane = await sign_in(acme)
    reset = await own_reset_link(identity, jane.login)
    identity.clock.advance(seconds=61)
    assert (await use(identity, "email", await email_link(identity, jane.token))).status == 200
    assert (await use(identity, "reset", reset)).status == 422
    back = await email_link(identity, jane.token, "Jane@acme.example")
    assert (await use(identity, "email", back)).status == 200
    assert (await use(identity, "reset", reset)).status == 422, "though it is the address that it was sent to"


@pytest.mark.checklist("F06")
async def test_a_link_is_bound_to_the_address_that_it_was_sent_to(acme: Acme) -> None:
    """Whatever changes it, and though nothing kills the link."""
    for maker, purpose in ((activating, "activate"), (resetting, "reset")):
        staff, token = await maker(acme)
        await run_as_owner(acme.identity, "UPDATE staff SET email = 'x@acme.example' WHERE id = $1", staff)
        assert (await use(acme.identity, purpose, token)).status == 422


@pytest.mark.checklist("F07")
@purposes
async def test_of_fifty_who_use_one_link_at_once_one_succeeds(acme: Acme, purpose: str) -> None:
    staff, token = await MAKERS[purpose](acme)
    answers: list[Any] = []
    # Twenty-five and then as many again: no more than thirty-two passwords are looked at at a time.
    for _ in range(2):
        answers += await asyncio.gather(*(use(acme.identity, purpose, token) for _ in range(25)))
    assert sorted(answer.status for answer in answers) == [200] + [422] * 49
    used = await run_as_owner(acme.identity, "SELECT 1 FROM link WHERE staff = $1 AND used_at IS NOT NULL", staff)
    assert len(used) == (1 if purpose == "activate" else 2), "the activation before, and this one"


async def test_a_used_activation_link_still_lets_in_through_the_front_door_only(acme: Acme) -> None:
    staff, token = await activating(acme)
    done = await acme.identity.post("/v1/activations", {"token": token, "password": PASSWORD})
    assert (done.status, done.json["login"]) == (200, f"{acme.number}\\Jane")
    assert (await log_in(acme.identity, done.json["login"])).status == 200
    assert staff
