"""Showing a factor again: for one session, by something as strong as what opened it, and for what is sensitive."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import OKPKey
from yarl import URL

from shared.freshness import MAX_AGE
from tests.service.bad_input.sound import Operation, Sound, request
from tests.service.identity.authenticator import Authenticator
from tests.service.identity.conftest import SIGNING, Acme, Answer, run_as_owner
from tests.service.identity.possessions import (
    Member,
    add_passkey,
    audited,
    begun,
    finished,
    member,
    problem,
    sent,
    with_app,
)
from tests.service.identity.sound import FOR_PRODUCTS, FRESH, World
from tests.service.identity.test_bad_input import OPERATIONS, claims_of, sound_of, world

__all__ = ["world"]


async def step_up(jane: Member, factor: str, code: str | None = None, **more: Any) -> Answer:
    started = await jane.identity.post("/v1/me/step-up", token=jane.token)
    assert started.status == 201, started.text
    body = {"transaction": started.json["transaction"], "factor": factor, "code": code} | more
    return await jane.identity.post("/v1/me/step-up/finish", body, token=jane.token)


@pytest.mark.checklist("G14", "G01")
async def test_a_session_is_made_fresh_and_goes_on_under_another_id(acme: Acme) -> None:
    identity, jane = acme.identity, await with_app(acme)
    identity.clock.advance(seconds=200)
    old = claims_of(jane.token)
    answer = await step_up(jane, "totp", jane.later())
    assert answer.status == 200, answer.text
    new = claims_of(answer.json["access_token"])
    assert new["auth_time"] == int(identity.clock.now().timestamp()) > old["auth_time"]
    assert new["sid"] != old["sid"]
    assert (new["amr"], new["acr"]) == (old["amr"], "aal2")
    assert (await identity.ask("GET", "/v1/me", token=jane.token)).status == 401
    assert (await identity.ask("GET", "/v1/me", token=answer.json["access_token"])).status == 200
    entries = [one for one in await audited(acme, "authn_step_up") if one["target"] == str(jane.staff)]
    assert [one["detail"] for one in entries] == [{"factor": "totp"}]
    ends = await run_as_owner(identity, "SELECT id, expires_at FROM session WHERE staff = $1", jane.staff)
    by_id = {str(row["id"]): row["expires_at"] for row in ends}
    assert by_id[new["sid"]] == by_id[old["sid"]], "it ends no later"


@pytest.mark.checklist("G14")
async def test_only_something_as_strong_makes_a_session_fresh(acme: Acme) -> None:
    """Whoever reads the mailbox can't raise a session that the app has opened."""
    identity, jane = acme.identity, await with_app(acme)
    started = (await identity.post("/v1/me/step-up", token=jane.token)).json
    assert [one["kind"] for one in started["factors"]] == ["totp", "recovery"]
    code = await sent(identity, started["transaction"])
    body = {"transaction": started["transaction"], "factor": "email", "code": code}
    assert (await identity.post("/v1/me/step-up/finish", body, token=jane.token)).status == 422
    luke = await member(acme, "Luke")
    started = (await identity.post("/v1/me/step-up", token=luke.token)).json
    body = {
        "transaction": started["transaction"],
        "factor": "email",
        "code": await sent(identity, started["transaction"]),
    }
    assert (await identity.post("/v1/me/step-up/finish", body, token=luke.token)).status == 200


async def test_a_passkey_and_a_recovery_code_make_a_session_fresh_too(acme: Acme) -> None:
    identity, jane = acme.identity, await with_app(acme)
    await add_passkey(jane, Authenticator())
    assert jane.codes is not None
    assert jane.authenticator is not None
    started = (await identity.post("/v1/me/step-up", token=jane.token)).json
    asked = (await identity.post("/v1/login/passkey-options", {"transaction": started["transaction"]})).json
    credential = jane.authenticator.get(asked["options"])
    body = {"transaction": started["transaction"], "factor": "passkey", "credential": credential}
    answer = await identity.post("/v1/me/step-up/finish", body, token=jane.token)
    assert answer.status == 200, answer.text
    jane.token = answer.json["access_token"]
    assert (await step_up(jane, "recovery", jane.codes[0])).status == 200


@pytest.mark.checklist("C05", "G14")
async def test_a_step_up_is_for_the_session_that_began_it(acme: Acme) -> None:
    identity, jane = acme.identity, await with_app(acme)
    other = (await finished(identity, jane.login, "totp", jane.shown())).json["access_token"]
    luke = await with_app(acme, "Luke")
    transaction = (await identity.post("/v1/me/step-up", token=jane.token)).json["transaction"]
    for token in (other, luke.token):
        body = {"transaction": transaction, "factor": "totp", "code": jane.shown()}
        assert problem(await identity.post("/v1/me/step-up/finish", body, token=token)) == (422, "code_wrong")
    body["code"] = jane.later()
    assert (await identity.post("/v1/me/step-up/finish", body, token=jane.token)).status == 200


async def test_a_step_up_is_tried_five_times_at_most_and_failures_are_written_down(acme: Acme) -> None:
    identity, jane = acme.identity, await with_app(acme)
    transaction = (await identity.post("/v1/me/step-up", token=jane.token)).json["transaction"]
    wrong = {"transaction": transaction, "factor": "totp", "code": f"{(int(jane.shown()) + 7) % 10**6:06d}"}
    answers = await asyncio.gather(
        *(identity.post("/v1/me/step-up/finish", wrong, token=jane.token) for _ in range(20))
    )
    assert {problem(answer) for answer in answers} == {(422, "code_wrong")}
    right = wrong | {"code": jane.shown()}
    assert (await identity.post("/v1/me/step-up/finish", right, token=jane.token)).status == 422
    entries = [one for one in await audited(acme, "authn_factor_fail") if one["target"] == str(jane.staff)]
    assert {one["detail"]["purpose"] for one in entries} == {"step_up"}
    assert (await identity.ask("GET", "/v1/me", token=jane.token)).status == 200, "the session is as it was"


async def test_without_a_factor_there_is_nothing_to_show(acme: Acme) -> None:
    identity, jane = acme.identity, await member(acme)
    started = (await identity.post("/v1/me/step-up", token=jane.token)).json
    body = {"transaction": started["transaction"]}
    assert (await identity.post("/v1/me/step-up/finish", body, token=jane.token)).status == 422
    await begun(identity, jane.login)
    await run_as_owner(identity, "UPDATE staff SET email_confirmed_at = NULL WHERE id = $1", jane.staff)
    assert problem(await identity.post("/v1/me/step-up", token=jane.token)) == (409, "no_factor")


# --- what takes a fresh session -----------------------------------------------------------------------------------


def aged(token: str) -> str:
    """The same token, of a session whose factor was shown longer ago."""
    key = OKPKey.import_key(SIGNING)
    claims = claims_of(token)
    header = {"alg": "EdDSA", "typ": "at+jwt", "kid": key.kid}
    claims["auth_time"] -= MAX_AGE + 1
    return jws.serialize_compact(header, json.dumps(claims), key, algorithms=["EdDSA"])


@pytest.mark.checklist("G14")
async def test_what_is_sensitive_is_refused_with_an_old_factor_and_nothing_else_is(world: World) -> None:
    """Every operation that a person may ask for, each with a request that would succeed."""
    faults = []
    for operation in OPERATIONS.values():
        if not operation.needs_token or operation.id in FOR_PRODUCTS:
            continue
        sound = await sound_of(world, operation.id)()
        status, said, text = await asked_with_an_old_factor(world, operation, sound)
        refused = status == 401 and "step_up_needed" in text
        if refused is not (operation.id in FRESH) or (refused and "insufficient_user_authentication" not in said):
            faults.append(f"{operation.id}: {status} {said} {text[:100]}")
    assert not faults, "\n".join(faults)


async def asked_with_an_old_factor(world: World, operation: Operation, sound: Sound) -> tuple[int, str, str]:
    whole = request(operation, replace(sound, token=aged(sound.token)))
    url, headers = URL(world.identity.url + whole.path, encoded=True), dict(whole.headers)
    async with world.identity.session.request(whole.method, url, headers=headers, data=whole.content) as answer:
        return answer.status, answer.headers.get("WWW-Authenticate", ""), await answer.text()
