"""Passkeys: what a software authenticator does rightly gets in, and each thing that it does otherwise does not."""

from __future__ import annotations

import asyncio
import copy
import os
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

from services.identity.factor.ceremonies import Ceremonies, Refused, is_assertion, is_creation
from services.identity.login.passwordless import Passwordless
from services.identity.store.passkeys import PasskeyRow
from staffgate.contracts.identity import FactorKind, FactorRule, NoticeKind, SecurityPolicy
from tests.conftest import FrozenClock
from tests.service.identity.authenticator import DOMAIN, EDDSA, ES512, ORIGIN, Authenticator, Otherwise
from tests.service.identity.conftest import Acme, register, run_as_owner, until
from tests.service.identity.possessions import (
    add_passkey,
    audited,
    begun,
    by_passkey,
    by_passkey_alone,
    finished,
    list_factors,
    member,
    offer_and_add,
    problem,
    with_passkey,
)
from tests.service.identity.post import notices
from tests.service.identity.states import set_policy
from tests.service.identity.test_bad_input import claims_of

# What an authenticator or a browser can do otherwise, and is refused for at both ceremonies.
WRONG = {
    "another origin": Otherwise(origin="https://identity.example"),
    "an origin that only begins alike": Otherwise(origin=ORIGIN + ".example"),
    "another port": Otherwise(origin=ORIGIN + ":8443"),
    "another domain": Otherwise(domain="identity.example"),
    "a domain below": Otherwise(domain="a." + DOMAIN),
    "nobody present": Otherwise(present=False),
    "another challenge": Otherwise(challenge=os.urandom(32)),
    "an empty challenge": Otherwise(challenge=b""),
    "the other ceremony": Otherwise(type="payment.get"),
    "a frame of another page": Otherwise(cross_origin=True),
}
AT_SHOWING = WRONG | {
    "another key": Otherwise(key=ec.generate_private_key(ec.SECP256R1())),
    "another user": Otherwise(user=os.urandom(32)),
    "no passkey that syncs any more": Otherwise(synced=False),
}
AT_MAKING = WRONG | {
    "an algorithm not allowed": Otherwise(algorithm=ES512),
    "an attestation that nobody asked for": Otherwise(format="apple"),
    "an endless id": Otherwise(id=bytes(1024)),
}


@pytest.mark.checklist("K01")
async def test_a_passkey_is_a_second_factor(acme: Acme) -> None:
    jane = await with_passkey(acme)
    assert jane.authenticator is not None
    offered = (await begun(acme.identity, jane.login))["factors"]
    assert (offered[0]["kind"], offered[0]["strength"]) == ("passkey", "strong")
    answer = await by_passkey(acme.identity, jane.login, jane.authenticator)
    assert answer.status == 200, answer.text
    claims = claims_of(answer.json["access_token"])
    assert (claims["amr"], claims["acr"]) == (["pwd", "hwk"], "aal2")
    unverified = await by_passkey(acme.identity, jane.login, jane.authenticator, Otherwise(verified=False))
    assert unverified.status == 200, "behind the password it need not make sure of its user"


@pytest.mark.checklist("K01")
@pytest.mark.parametrize("named", [True, False])
async def test_a_passkey_is_a_whole_login(acme: Acme, named: bool) -> None:
    jane = await with_passkey(acme)
    assert jane.authenticator is not None
    answer = await by_passkey_alone(acme.identity, jane.authenticator, login=jane.login if named else None)
    assert answer.status == 200, answer.text
    claims = claims_of(answer.json["access_token"])
    assert (claims["sub"], claims["amr"], claims["acr"]) == (str(jane.staff), ["hwk", "user"], "aal2")
    unverified = await by_passkey_alone(acme.identity, jane.authenticator, Otherwise(verified=False))
    assert unverified.status == 401, "by itself it has to make sure of its user"


@pytest.mark.checklist("K01", "K02")
@pytest.mark.parametrize("wrong", AT_SHOWING)
async def test_what_is_shown_otherwise_is_refused(acme: Acme, wrong: str) -> None:
    jane = await with_passkey(acme)
    assert jane.authenticator is not None
    as_factor = await by_passkey(acme.identity, jane.login, jane.authenticator, AT_SHOWING[wrong])
    alone = await by_passkey_alone(acme.identity, jane.authenticator, AT_SHOWING[wrong])
    assert (problem(as_factor), problem(alone)) == ((401, "code_wrong"), (401, "login_failed"))
    assert (await by_passkey(acme.identity, jane.login, jane.authenticator)).status == 200, "and nothing is broken"


@pytest.mark.checklist("K01", "K02")
@pytest.mark.parametrize("wrong", AT_MAKING)
async def test_what_is_made_otherwise_is_refused(acme: Acme, wrong: str) -> None:
    jane = await member(acme)
    answer = await offer_and_add(jane, Authenticator(), AT_MAKING[wrong])
    assert answer.status == 422, answer.text
    assert (await list_factors(jane))["passkeys"] == []


async def test_the_other_algorithms_are_good_too(acme: Acme) -> None:
    jane = await member(acme)
    authenticator = Authenticator()
    added = await offer_and_add(jane, authenticator, Otherwise(algorithm=EDDSA))
    assert added.status == 201, added.text
    assert (await by_passkey(acme.identity, jane.login, authenticator)).status == 200


@pytest.mark.checklist("K01")
async def test_a_challenge_is_long_good_once_for_five_minutes_and_for_one_thing(acme: Acme) -> None:
    identity, jane = acme.identity, await with_passkey(acme)
    assert jane.authenticator is not None
    challenges = set()
    transaction = (await begun(identity, jane.login))["transaction"]
    for _ in range(3):
        asked = (await identity.post("/v1/login/passkey-options", {"transaction": transaction})).json["options"]
        challenges.add(asked["challenge"])
    assert {len(base64url_to_bytes(one)) >= 16 for one in challenges} == {True}
    assert len(challenges) == 3
    credential = jane.authenticator.get(asked)
    body: dict[str, Any] = {"transaction": transaction, "factor": "passkey", "credential": credential}
    elsewhere = (await begun(identity, jane.login))["transaction"]
    assert (await identity.post("/v1/login/finish", body | {"transaction": elsewhere})).status == 401, "another login"
    spoilt = copy.deepcopy(body)
    spoilt["credential"]["response"]["signature"] = "AAAA"
    assert (await identity.post("/v1/login/finish", spoilt)).status == 401
    assert (await identity.post("/v1/login/finish", body)).status == 401, "it was used up by what was wrong"
    started = (await identity.post("/v1/login/passkey", {"login": None})).json
    body = {"transaction": started["transaction"], "credential": jane.authenticator.get(started["options"])}
    answers = await asyncio.gather(*(identity.post("/v1/login/passkey/finish", body) for _ in range(10)))
    assert sorted(answer.status for answer in answers) == [200] + [401] * 9
    started = (await identity.post("/v1/login/passkey", {"login": None})).json
    body = {"transaction": started["transaction"], "credential": jane.authenticator.get(started["options"])}
    identity.clock.advance(minutes=5, seconds=1)
    assert (await identity.post("/v1/login/passkey/finish", body)).status == 401


async def test_a_passkey_that_is_taken_away_while_it_logs_in_lets_nobody_in(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    jane, real = await with_passkey(acme), Passwordless._let_in
    assert jane.authenticator is not None

    async def later(self: Passwordless, *given: Any) -> Any:
        await run_as_owner(acme.identity, "DELETE FROM passkey WHERE staff = $1", jane.staff)
        return await real(self, *given)

    monkeypatch.setattr(Passwordless, "_let_in", later)
    assert (await by_passkey_alone(acme.identity, jane.authenticator)).status == 401


@pytest.mark.checklist("K01")
async def test_a_passkey_is_made_for_the_session_that_asked(acme: Acme) -> None:
    identity, jane, luke = acme.identity, await member(acme), await member(acme, "Luke")
    options = (await identity.post("/v1/me/factors/passkeys/options", token=jane.token)).json["options"]
    body = {"credential": Authenticator().create(options)}
    assert problem(await identity.post("/v1/me/factors/passkeys", body, token=luke.token)) == (422, "passkey_refused")
    assert (await identity.post("/v1/me/factors/passkeys", body, token=jane.token)).status == 201


@pytest.mark.checklist("K02")
async def test_a_credential_is_one_persons_anywhere(acme: Acme) -> None:
    """In this organisation and in all others, whoever asks at the same moment."""
    jane, luke = await with_passkey(acme), await member(acme, "Luke")
    han = await member(await register(acme.identity, "Other Crates"), "Han")
    assert jane.authenticator is not None
    for other in (luke, han):
        answer = await offer_and_add(other, Authenticator(id=jane.authenticator.id))
        assert problem(answer) == (409, "passkey_taken")
    again = await offer_and_add(jane, Authenticator(id=jane.authenticator.id))
    assert problem(again) == (409, "passkey_taken")


@pytest.mark.checklist("K02")
async def test_a_counter_that_goes_back_is_an_alarm(acme: Acme) -> None:
    identity, jane = acme.identity, await with_passkey(acme, counts=True)
    key = jane.authenticator
    assert key is not None
    assert (await by_passkey(identity, jane.login, key)).status == 200
    copied = copy.copy(key)
    assert (await by_passkey(identity, jane.login, key)).status == 200
    assert (await by_passkey(identity, jane.login, copied)).status == 401
    assert (await by_passkey_alone(identity, copied, Otherwise(count=0))).status == 401
    entries = await audited(acme, "authn_passkey_copied")
    assert [(one["target"], one["result"]) for one in entries] == [(str(jane.staff), "failure")] * 2
    await until(lambda: len(notices(identity, NoticeKind.PASSKEY_COPIED)) == 2)
    forged = Otherwise(count=1, key=ec.generate_private_key(ec.SECP256R1()))
    assert (await by_passkey(identity, jane.login, key, forged)).status == 401
    assert len(await audited(acme, "authn_passkey_copied")) == 2, "nobody raises it who can't sign"
    assert (await by_passkey(identity, jane.login, key)).status == 200


@pytest.mark.checklist("K03", "A05")
async def test_who_exists_is_not_told_by_the_list_of_passkeys(acme: Acme) -> None:
    identity, jane = acme.identity, await with_passkey(acme)
    await acme.add("Luke")

    async def listed(login: str) -> tuple[Any, ...]:
        answer = await identity.post("/v1/login/passkey", {"login": login})
        options = answer.json["options"]
        return answer.status, sorted(options), tuple(one["id"] for one in options["allowCredentials"])

    names = [jane.login, f"{acme.number}\\Luke", f"{acme.number}\\Nobody", "NoSuchPlace\\Jane", "no login at all"]
    lists = [await listed(name) for name in names]
    assert {(status, tuple(members)) for status, members, _ in lists} == {(200, tuple(lists[0][1]))}
    assert {len(ids) for _, _, ids in lists} <= {1, 2, 3}
    assert [await listed(name) for name in names] == lists, "the same each time"
    assert await listed(f"{acme.number.lower()} \\ nobody") == lists[2], "however it is typed"
    every = [id for _, _, ids in lists for id in ids]
    assert len(set(every)) == len(every)
    assert {16 <= len(base64url_to_bytes(id)) <= 64 for id in every} == {True}
    name = f"Acme{os.urandom(4).hex()}"
    assert (await identity.post("/v1/organisation/username", {"username": name}, token=acme.ray)).status == 200
    assert await listed(f"{name}\\Nobody") == lists[2], "under both names of the organisation, as a real one is"


async def test_passkeys_are_listed_renamed_and_removed(acme: Acme) -> None:
    identity, jane = acme.identity, await with_passkey(acme)
    await add_passkey(jane, Authenticator())
    first, second = (await list_factors(jane))["passkeys"]
    path = f"/v1/me/factors/passkeys/{first['id']}"
    renamed = await identity.ask("PUT", path, json={"name": "Security key"}, token=jane.token)
    assert (renamed.status, renamed.json["name"]) == (200, "Security key")
    luke = await member(acme, "Luke")
    for method, body in (("PUT", {"json": {"name": "Mine"}}), ("DELETE", {})):
        assert (await identity.ask(method, path, token=luke.token, **body)).status == 404
    assert (await identity.ask("DELETE", path, token=jane.token)).status == 204
    assert [one["id"] for one in (await list_factors(jane))["passkeys"]] == [second["id"]]


async def test_no_more_passkeys_than_anybody_needs(acme: Acme) -> None:
    jane = await with_passkey(acme)
    await run_as_owner(
        acme.identity,
        "INSERT INTO passkey SELECT org, gen_random_uuid(), staff, sha256(n::text::bytea || credential), public_key, 0,"
        " synced, transports, name, created_at, used_at FROM passkey, generate_series(1, 19) n WHERE staff = $1",
        jane.staff,
    )
    refused = await acme.identity.post("/v1/me/factors/passkeys/options", token=jane.token)
    assert problem(refused) == (409, "too_many_passkeys")


async def test_an_organisation_can_do_without_passkeys(acme: Acme) -> None:
    jane = await with_passkey(acme)
    assert jane.authenticator is not None
    await set_policy(acme, SecurityPolicy(standard=FactorRule(allowed=[FactorKind.TOTP, FactorKind.EMAIL])))
    assert [one["kind"] for one in (await begun(acme.identity, jane.login))["factors"]] == ["email"]
    assert (await by_passkey_alone(acme.identity, jane.authenticator)).status == 401
    refused = await acme.identity.post("/v1/me/factors/passkeys/options", token=jane.token)
    assert problem(refused) == (422, "factor_not_allowed")


@pytest.mark.checklist("A10")
async def test_a_passkey_alone_lets_in_nobody_whom_a_password_would_not(acme: Acme) -> None:
    identity, jane = acme.identity, await with_passkey(acme)
    key = jane.authenticator
    assert key is not None
    states = {
        "suspended": ("UPDATE staff SET status = 'suspended' WHERE id = $1", "status = 'active'"),
        "without portal": ("UPDATE staff SET portal = false WHERE id = $1", "portal = true"),
        "locked": ("UPDATE staff SET locked_at = now() WHERE id = $1", "locked_at = NULL"),
    }
    for state, (statement, back) in states.items():
        await run_as_owner(identity, statement, jane.staff)
        assert (await by_passkey_alone(identity, key)).status == 401, state
        await run_as_owner(identity, f"UPDATE staff SET {back} WHERE id = $1", jane.staff)
        assert (await by_passkey_alone(identity, key)).status == 200, state
    await set_policy(acme, SecurityPolicy(networks=["192.0.2.0/24"]))
    assert (await by_passkey_alone(identity, key)).status == 401, "from outside"
    await set_policy(acme, SecurityPolicy())
    await run_as_owner(identity, "UPDATE organisation SET closed_at = now() WHERE org = $1", acme.org)
    assert (await by_passkey_alone(identity, key)).status == 401, "closed"
    failed = await audited(acme, "authn_login_fail")
    assert [one["detail"]["reason"] for one in failed] == ["passkey"] * 5


@pytest.mark.checklist("K01")
async def test_with_a_passkey_and_no_password_nothing_else_is_asked(acme: Acme) -> None:
    """It is noticed as any other login: a device that is new to the person."""
    identity, jane = acme.identity, await with_passkey(acme)
    assert jane.authenticator is not None
    answer = await by_passkey_alone(identity, jane.authenticator)
    assert answer.json["device"], "known from now on"
    assert (await finished(identity, jane.login, None)).status == 401, "with the password alone nobody gets in"


# --- whatever is sent ---------------------------------------------------------------------------------------------

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary().map(lambda one: one.hex()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
_parts = ("id", "rawId", "type", "response", "clientDataJSON", "attestationObject", "authenticatorData", "signature")


def _spoilt(credential: dict[str, Any], part: str, value: Any) -> dict[str, Any]:
    spoilt = copy.deepcopy(credential)
    (spoilt["response"] if part in spoilt["response"] else spoilt)[part] = value
    return spoilt


@settings(max_examples=300, deadline=None)
@given(part=st.sampled_from(_parts), value=_json, flipped=st.integers(0, 2000))
def test_whatever_an_answer_holds_it_is_read_or_refused(part: str, value: Any, flipped: int) -> None:
    """Never another fault: nothing that a stranger sends is to break anything."""
    ceremonies, key, challenge = Ceremonies(DOMAIN, [ORIGIN]), Authenticator(), os.urandom(32)
    made = key.create(ceremonies.creation(b"user", "A\\Jane", "Jane", challenge, []))
    seen = ceremonies.made(made, challenge)
    row = PasskeyRow(
        id=uuid4(), staff=uuid4(), credential=seen.credential, public_key=seen.public_key, sign_count=0, synced=True,
        transports=[], name="", created_at=FrozenClock().now(), used_at=None,
    )  # fmt: skip
    shown = key.get(ceremonies.request(challenge, [], alone=True))
    for spoilt in (_spoilt(made, part, value), _flipped(made, "attestationObject", flipped)):
        if is_creation(spoilt):
            with suppress(Refused):
                ceremonies.made(spoilt, challenge)
    for spoilt in (_spoilt(shown, part, value), _flipped(shown, "authenticatorData", flipped)):
        if is_assertion(spoilt):
            with suppress(Refused):
                ceremonies.shown(spoilt, challenge, row, b"user", alone=True)
    with pytest.raises(Refused):
        ceremonies.shown(_flipped(shown, "authenticatorData", flipped), challenge, row, b"user", alone=True)
    assert ceremonies.shown(shown, challenge, row, b"user", alone=True) == 0


def _flipped(credential: dict[str, Any], part: str, bit: int) -> dict[str, Any]:
    content = bytearray(base64url_to_bytes(credential["response"][part]))
    content[bit // 8 % len(content)] ^= 1 << bit % 8
    return _spoilt(credential, part, bytes_to_base64url(bytes(content)))
