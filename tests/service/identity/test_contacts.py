"""A person's own address and number: a new one counts once it was confirmed, and the old one is told."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from staffgate.contracts import identity as contract
from staffgate.contracts.identity import NoticeKind
from tests.service.identity.conftest import Acme, Answer, Running, log_in, run_as_owner, sign_in
from tests.service.identity.post import answered, code_to, email_link, notices, opened, set_policy

NEW = "jane@elsewhere.example"
NUMBER = "+61491570110"


async def shown(identity: Running, token: str) -> dict[str, str]:
    me = (await identity.ask("GET", "/v1/me", token=token)).json
    return {name: me[name] for name in ("email", "mobile")}


async def proposed(identity: Running, token: str, mobile: str = "+61 491 570 110") -> Answer:
    before = len(identity.heard.of(contract.CodeIssued))
    answer = await identity.ask("PUT", "/v1/me/mobile", json={"mobile": mobile}, token=token)
    assert answer.status == 202, answer.text
    await identity.told(contract.CodeIssued, before + 1)
    return answer


async def confirm(identity: Running, token: str, transaction: str, code: str) -> Answer:
    body = {"transaction": transaction, "code": code}
    return await identity.post("/v1/me/mobile/confirm", body, token=token)


async def is_confirmed(identity: Running, staff: UUID) -> bool:
    statement = "SELECT mobile_confirmed_at IS NOT NULL FROM staff WHERE id = $1"
    return bool((await run_as_owner(identity, statement, staff))[0][0])


# --- e-mail ---------------------------------------------------------------------------------------------------


@pytest.mark.checklist("F08")
async def test_a_new_address_counts_once_the_link_that_went_there_was_used_and_both_are_told(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    link = await email_link(identity, jane.token, NEW)
    assert opened(identity, identity.heard.of(contract.LinkIssued)[-1]).to == NEW
    assert (await shown(identity, jane.token))["email"] == "Jane@acme.example", "the old one stays"
    confirmed = await identity.post("/v1/email-confirmations", {"token": link})
    assert (confirmed.status, confirmed.json) == (200, {"login": jane.login})
    assert (await shown(identity, jane.token))["email"] == NEW
    await answered(identity)
    assert {one.to for one in notices(identity, NoticeKind.EMAIL_CHANGED)} == {"Jane@acme.example", NEW}
    assert (await log_in(identity, jane.login)).status == 200
    assert code_to(identity).to == NEW


@pytest.mark.checklist("F08", "G14")
async def test_contacts_are_changed_only_by_whoever_has_shown_a_factor_of_late(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme, mobile="+61491570006")
    identity.clock.advance(seconds=200)
    grant = {"grant_type": "refresh_token", "refresh_token": jane.refresh}
    stale = (await identity.ask("POST", "/oauth/token", data=grant)).json["access_token"]
    identity.clock.advance(seconds=101)
    for method, path, body in (
        ("PUT", "/v1/me/email", {"email": NEW}),
        ("PUT", "/v1/me/mobile", {"mobile": NUMBER}),
        ("POST", "/v1/me/mobile/code", None),
        ("DELETE", "/v1/me/mobile", None),
    ):
        answer = await identity.ask(method, path, token=stale, **({"json": body} if body else {}))
        assert (answer.status, answer.json["type"]) == (401, "urn:staffgate:problem:step_up_needed"), path
        assert "insufficient_user_authentication" in answer.headers["WWW-Authenticate"]


@pytest.mark.checklist("F08")
async def test_a_second_proposal_kills_the_first(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    first = await email_link(identity, jane.token, NEW)
    identity.clock.advance(seconds=61)
    second = await email_link(identity, jane.token, "jane@third.example")
    assert (await identity.post("/v1/email-confirmations", {"token": first})).status == 422
    assert (await identity.post("/v1/email-confirmations", {"token": second})).status == 200
    assert (await shown(identity, jane.token))["email"] == "jane@third.example"


async def test_the_present_address_is_no_new_one(acme: Acme) -> None:
    jane = await sign_in(acme)
    same = await acme.identity.ask("PUT", "/v1/me/email", json={"email": "Jane@acme.example"}, token=jane.token)
    assert (same.status, same.json["type"]) == (422, "urn:staffgate:problem:email_unchanged")


# --- mobile ---------------------------------------------------------------------------------------------------


@pytest.mark.checklist("F08")
async def test_a_new_number_counts_once_its_code_was_shown(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme, mobile="+61491570006")
    transaction = (await proposed(identity, jane.token)).json["transaction"]
    sent = code_to(identity)
    assert (sent.to, sent.purpose) == (NUMBER, "mobile")
    assert (await shown(identity, jane.token))["mobile"] == "+61491570006", "the old one stays"
    assert (await confirm(identity, jane.token, transaction, sent.code)).status == 204
    assert (await shown(identity, jane.token))["mobile"] == NUMBER
    assert (await confirm(identity, jane.token, transaction, sent.code)).status == 422, "once"
    await answered(identity)
    assert [one.to for one in notices(identity, NoticeKind.MOBILE_CHANGED)] == ["Jane@acme.example"]
    assert (await log_in(identity, jane.login, "sms")).status == 200, "it is a second factor now"


@pytest.mark.checklist("F08", "C08")
async def test_a_number_that_an_administrator_entered_is_confirmed_the_same_way(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme, mobile="+61491570006")
    before = len(identity.heard.of(contract.CodeIssued))
    answer = await identity.post("/v1/me/mobile/code", token=jane.token)
    await identity.told(contract.CodeIssued, before + 1)
    assert code_to(identity).to == "+61491570006"
    assert not await is_confirmed(identity, jane.staff)
    assert (await confirm(identity, jane.token, answer.json["transaction"], identity.heard.code())).status == 204
    assert await is_confirmed(identity, jane.staff)
    again = await identity.post("/v1/me/mobile/code", token=jane.token)
    assert (again.status, again.json["type"]) == (409, "urn:staffgate:problem:nothing_to_confirm")


@pytest.mark.checklist("F08")
async def test_a_code_for_a_number_is_tried_five_times_at_most_even_in_parallel(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    transaction = (await proposed(identity, jane.token)).json["transaction"]
    code = identity.heard.code()
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    answers = await asyncio.gather(*(confirm(identity, jane.token, transaction, wrong) for _ in range(20)))
    assert {answer.status for answer in answers} == {422}
    assert (await confirm(identity, jane.token, transaction, code)).status == 422
    assert (await shown(identity, jane.token))["mobile"] is None


@pytest.mark.checklist("F08", "C04")
async def test_a_number_is_confirmed_by_whoever_proposed_it_and_by_nothing_else(acme: Acme) -> None:
    """Not by somebody else's session, not by a login, and the transaction finishes no login."""
    identity, jane, luke = acme.identity, await sign_in(acme), await sign_in(acme, "Luke")
    transaction = (await proposed(identity, jane.token)).json["transaction"]
    code = identity.heard.code()
    assert (await confirm(identity, luke.token, transaction, code)).status == 422
    finish = {"transaction": transaction, "factor": "sms", "code": code}
    assert (await identity.post("/v1/login/finish", finish)).status == 401
    sent = await identity.post("/v1/login/codes", {"transaction": transaction, "factor": "email"})
    assert sent.status == 401
    assert (await confirm(identity, jane.token, transaction, code)).status == 204


async def test_a_number_that_was_replaced_meanwhile_is_not_brought_back(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    transaction = (await proposed(identity, jane.token)).json["transaction"]
    code = identity.heard.code()
    await run_as_owner(identity, "UPDATE staff SET mobile = '+61491570156' WHERE id = $1", jane.staff)
    assert (await confirm(identity, jane.token, transaction, code)).status == 422
    assert (await shown(identity, jane.token))["mobile"] == "+61491570156"


@pytest.mark.checklist("F08")
async def test_the_number_that_waits_to_be_confirmed_is_not_in_the_database_in_clear(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    await proposed(identity, jane.token)
    rows = await run_as_owner(
        identity, "SELECT login::text FROM login WHERE staff = $1 AND purpose = 'mobile'", jane.staff
    )
    assert len(rows) == 1
    assert "491570110" not in rows[0][0]


async def test_a_number_can_be_removed_and_no_code_goes_there_any_more(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    transaction = (await proposed(identity, jane.token)).json["transaction"]
    await confirm(identity, jane.token, transaction, identity.heard.code())
    assert (await identity.ask("DELETE", "/v1/me/mobile", token=jane.token)).status == 204
    assert (await shown(identity, jane.token))["mobile"] is None
    assert (await identity.ask("DELETE", "/v1/me/mobile", token=jane.token)).status == 404
    started = await identity.post("/v1/login", {"login": jane.login, "password": "seven miles of copper wire"})
    assert "sms" not in [factor["kind"] for factor in started.json["factors"]]


async def test_the_number_of_the_last_second_factor_stays_where_one_is_required(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    transaction = (await proposed(identity, jane.token)).json["transaction"]
    await confirm(identity, jane.token, transaction, identity.heard.code())
    await set_policy(identity, acme.org, standard={"allowed": ["totp", "recovery", "sms"]})
    kept = await identity.ask("DELETE", "/v1/me/mobile", token=jane.token)
    assert (kept.status, kept.json["type"]) == (409, "urn:staffgate:problem:last_factor")
    assert (await shown(identity, jane.token))["mobile"] == NUMBER
    await set_policy(identity, acme.org)
    assert (await identity.ask("DELETE", "/v1/me/mobile", token=jane.token)).status == 204


@pytest.mark.parametrize("mobile", ["+61", "0491 570 006", "+61 491 570 006 7777777777", "+999 123 456"])
async def test_a_number_that_is_none_is_refused(acme: Acme, mobile: str) -> None:
    jane = await sign_in(acme)
    answer = await acme.identity.ask("PUT", "/v1/me/mobile", json={"mobile": mobile}, token=jane.token)
    assert answer.status == 422
