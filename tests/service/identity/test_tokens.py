"""What is handed out: each thing is good for one purpose, says all that it has to, and is written down nowhere."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
import pytest
import structlog
from structlog.testing import capture_logs

from services.identity.session.products import read_products
from shared import log as logging
from staffgate.access import AUDIENCE, LIFETIME
from staffgate.contracts import identity as contract
from tests.service.identity.conftest import (
    ISSUER,
    PASSWORD,
    SIGNING,
    SMS_INBOX_SECRET,
    Acme,
    Answer,
    Running,
    log_in,
    run_as_owner,
    sign_in,
)

FORM = "application/x-www-form-urlencoded"
CREDENTIALS = {"client_id": "sms-inbox", "client_secret": SMS_INBOX_SECRET}


async def token(identity: Running, form: dict[str, str], **headers: str) -> Answer:
    return await identity.ask("POST", "/oauth/token", data=form, headers=headers)


def basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


def part(token: str, number: int) -> dict[str, Any]:
    text = token.split(".")[number]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found


# --- what they say --------------------------------------------------------------------------------------------


@pytest.mark.checklist("G05")
async def test_an_access_token_says_all_that_rfc_9068_wants(acme: Acme) -> None:
    header, claims = part(acme.ray, 0), part(acme.ray, 1)
    now = int(acme.identity.clock.now().timestamp())
    assert header == {"alg": "EdDSA", "typ": "at+jwt", "kid": SIGNING["kid"]}
    assert claims.keys() == {
        "iss", "aud", "sub", "client_id", "iat", "exp", "jti", "org", "sid", "roles", "amr", "acr", "auth_time",
    }  # fmt: skip
    assert {name: claims[name] for name in ("iss", "aud", "sub", "org", "roles", "iat")} == {
        "iss": ISSUER, "aud": AUDIENCE, "sub": str(acme.owner_id), "org": str(acme.org), "roles": ["owner"], "iat": now,
    }  # fmt: skip
    assert claims["exp"] - claims["iat"] == LIFETIME <= 300
    assert claims["client_id"] == "staffgate"
    assert (claims["amr"], claims["acr"]) == (["pwd", "otp"], "aal2")
    assert claims["auth_time"] <= now
    assert UUID(claims["sid"])
    answer = await token(acme.identity, {"grant_type": "client_credentials", **CREDENTIALS})
    product = part(answer.json["access_token"], 1)
    assert product.keys() == {"iss", "aud", "sub", "client_id", "iat", "exp", "jti"}
    assert (product["sub"], product["client_id"]) == ("sms-inbox", "sms-inbox")
    assert product["jti"] != claims["jti"]


async def test_no_two_tokens_are_the_same(acme: Acme) -> None:
    form = {"grant_type": "client_credentials", **CREDENTIALS}
    ids = {part((await token(acme.identity, form)).json["access_token"], 1)["jti"] for _ in range(20)}
    assert len(ids) == 20


# --- each for its own purpose ---------------------------------------------------------------------------------


@dataclass
class Things:
    """Everything that identity hands out, of one person; unused."""

    access: str
    product: str
    secret: str
    refresh: str
    link: str
    transaction: str
    device: str
    code: str
    sealed: str
    event: str

    def items(self) -> Iterator[tuple[str, str]]:
        return iter(msgspec.to_builtins(self).items())


async def things(acme: Acme) -> Things:
    identity = acme.identity
    someone = await sign_in(acme)
    before = len(identity.heard.of(contract.LinkIssued))
    luke = await acme.add("Luke")
    await identity.post(f"/v1/staff/{luke}/activation-email", token=acme.ray)
    await identity.told(contract.LinkIssued, before + 1)
    link = identity.heard.link()
    started = (await identity.post("/v1/login", {"login": someone.login, "password": PASSWORD})).json
    identity.clock.advance(seconds=31)  # a code was just sent
    before = len(identity.heard.of(contract.CodeIssued))
    sent = await identity.post("/v1/login/codes", {"transaction": started["transaction"], "factor": "email"})
    assert sent.status == 202, sent.text
    await identity.told(contract.CodeIssued, before + 1)
    code = identity.heard.code()
    product = (await token(identity, {"grant_type": "client_credentials", **CREDENTIALS})).json["access_token"]
    other = await sign_in(acme, "Han")
    await identity.post("/v1/me/logout", token=other.token)
    await identity.told(contract.SessionsEnded, 1)
    return Things(
        access=someone.token,
        product=product,
        secret=SMS_INBOX_SECRET,
        refresh=someone.refresh,
        link=link,
        transaction=started["transaction"],
        device=await device(acme, "Chewie"),
        code=code,
        sealed=identity.heard.of(contract.LinkIssued)[-1].sealed,
        event=base64.urlsafe_b64encode(msgspec.json.encode(identity.heard.of(contract.SessionsEnded)[-1])).decode(),
    )


async def device(acme: Acme, username: str) -> str:
    before = len(acme.identity.heard.of(contract.LinkIssued))
    staff = await acme.add(username)
    await acme.identity.post(f"/v1/staff/{staff}/activation-email", token=acme.ray)
    await acme.identity.told(contract.LinkIssued, before + 1)
    body = {"token": acme.identity.heard.link(), "password": PASSWORD}
    return str((await acme.identity.post("/v1/activations", body)).json["device"])


@pytest.mark.checklist("G07")
async def test_nothing_that_is_handed_out_is_taken_for_anything_else(acme: Acme) -> None:
    """Every thing at every place where one is shown: taken at its own, refused at every other, and then still good."""
    identity, all_things, faults = acme.identity, await things(acme), []
    transaction = all_things.transaction

    async def as_bearer(thing: str) -> Answer:
        return await identity.ask("GET", "/v1/me", token=thing)

    async def as_product(thing: str) -> Answer:
        return await identity.ask("GET", "/v1/revocations", token=thing)

    async def as_secret(thing: str) -> Answer:
        return await token(identity, {"grant_type": "client_credentials"}, Authorization=basic("sms-inbox", thing))

    async def as_code(thing: str) -> Answer:
        body = {"transaction": transaction, "factor": "email", "code": thing}
        return await identity.post("/v1/login/finish", body)

    async def as_transaction(thing: str) -> Answer:
        return await identity.post("/v1/login/codes", {"transaction": thing, "factor": "email"})

    async def as_link(thing: str) -> Answer:
        return await identity.post("/v1/activations", {"token": thing, "password": PASSWORD})

    async def as_refresh(thing: str) -> Answer:
        return await token(identity, {"grant_type": "refresh_token", "refresh_token": thing})

    places = (
        (as_bearer, "access", {401}), (as_product, "product", {401}), (as_secret, "secret", {401}),
        (as_transaction, "transaction", {401, 422}), (as_link, "link", {422}), (as_refresh, "refresh", {400}),
        (as_code, "code", {401, 422}),
    )  # fmt: skip
    for place, own, refusals in places:
        wrong = [(name, thing) for name, thing in all_things.items() if name != own]
        for name, thing in wrong:
            answer = await place(thing)
            person_or_product = {"access", "product"}
            expected = {403} if {name, own} == person_or_product else refusals
            if answer.status not in expected:
                faults.append(f"{name} {place.__name__}: {answer.status} {answer.text[:100]}")
    assert not faults, "\n".join(faults)
    identity.clock.advance(seconds=31)
    for place, own, _ in places:
        if own != "transaction":  # of which a new code would kill the one that we have
            answer = await place(getattr(all_things, own))
            assert answer.status in (200, 202), (own, answer.text)


# --- the token endpoint ---------------------------------------------------------------------------------------


async def test_a_product_signs_in_by_the_header_or_by_the_form(identity: Running) -> None:
    form = {"grant_type": "client_credentials"}
    for answer in (
        await token(identity, form | CREDENTIALS),
        await token(identity, form, Authorization=basic("sms-inbox", SMS_INBOX_SECRET.replace(" ", "+"))),
        await token(identity, form, Authorization=basic("sms%2Dinbox", SMS_INBOX_SECRET.replace("'", "%27"))),
        await token(identity, form | {"client_id": "sms-inbox"}, Authorization=basic("sms-inbox", SMS_INBOX_SECRET)),
    ):
        assert answer.status == 200, answer.text
        assert answer.json["token_type"] == "Bearer"
        assert answer.json["expires_in"] == LIFETIME
        assert answer.json["refresh_token"] is None
        assert answer.headers["Cache-Control"] == "no-store"


WRONG: list[tuple[dict[str, str], dict[str, str], int, str]] = [
    ({"grant_type": "client_credentials"}, {}, 401, "invalid_client"),
    ({"grant_type": "client_credentials"} | CREDENTIALS | {"client_secret": "wrong"}, {}, 401, "invalid_client"),
    ({"grant_type": "client_credentials"} | CREDENTIALS | {"client_id": "nobody"}, {}, 401, "invalid_client"),
    ({"grant_type": "client_credentials"}, {"Authorization": basic("sms-inbox", "wrong")}, 401, "invalid_client"),
    ({"grant_type": "client_credentials"}, {"Authorization": basic("nobody", "")}, 401, "invalid_client"),
    ({"grant_type": "client_credentials"}, {"Authorization": "Basic !!!"}, 401, "invalid_client"),
    ({"grant_type": "client_credentials"}, {"Authorization": "Basic c21z"}, 401, "invalid_client"),
    ({"grant_type": "client_credentials"}, {"Authorization": "Basic /w=="}, 401, "invalid_client"),
    ({"grant_type": "client_credentials"}, {"Authorization": basic("%ff", "%ff")}, 401, "invalid_client"),
    (
        {"grant_type": "client_credentials", **CREDENTIALS},
        {"Authorization": basic("sms-inbox", SMS_INBOX_SECRET)},
        400,
        "invalid_request",
    ),
    (
        {"grant_type": "client_credentials", "client_id": "other"},
        {"Authorization": basic("sms-inbox", SMS_INBOX_SECRET)},
        400,
        "invalid_request",
    ),
    ({}, {}, 400, "invalid_request"),
    ({"grant_type": "refresh_token"}, {}, 400, "invalid_request"),
    ({"grant_type": "password", "username": "Jane", "password": PASSWORD}, {}, 400, "unsupported_grant_type"),
    ({"grant_type": "authorization_code", "code": "x"}, {}, 400, "unsupported_grant_type"),
    ({"grant_type": 'é"\\'}, {}, 400, "unsupported_grant_type"),
    ({"grant_type": "refresh_token", "refresh_token": "nothing"}, {}, 400, "invalid_grant"),
]


@pytest.mark.parametrize(("form", "headers", "status", "error"), WRONG)
async def test_the_token_endpoint_refuses_in_oauths_words(
    identity: Running, form: dict[str, str], headers: dict[str, str], status: int, error: str
) -> None:
    """RFC 6749 section 5.2; and as a problem besides, like everywhere."""
    answer = await token(identity, form, **headers)
    assert (answer.status, answer.json["error"]) == (status, error), answer.text
    assert answer.headers["Content-Type"].startswith("application/json")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers.get("WWW-Authenticate", "").startswith("Basic ") == (status == 401)
    assert answer.json["type"].startswith("urn:staffgate:problem:")
    assert answer.json["status"] == status
    description = answer.json["error_description"]
    assert description
    assert not set(description) - {chr(one) for one in range(0x20, 0x7F)} | (set(description) & set('"\\'))


@pytest.mark.parametrize(
    ("content", "type"),
    [
        (b'{"grant_type": "client_credentials"}', "application/json"),
        (b"grant_type=client_credentials&grant_type=refresh_token", FORM),
        (b"grant_type=\xff", FORM),
        (b"", FORM),
    ],
)
async def test_what_is_no_form_is_an_invalid_request(identity: Running, content: bytes, type: str) -> None:
    answer = await identity.ask("POST", "/oauth/token", data=content, headers={"Content-Type": type})
    assert (answer.status, answer.json["error"]) == (400, "invalid_request"), answer.text


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def test_a_product_may_have_two_secrets_while_one_is_changed() -> None:
    old, new = digest("old"), digest("new").upper()
    assert read_products(f"sms:{old}:{new}, fax:{old},") == {"sms": [old, new.lower()], "fax": [old]}


@pytest.mark.parametrize(
    "text",
    ["sms", "sms:", f":{digest('a')}", "sms:123", f"sms:{'g' * 64}", "sms:" + ":".join(map(digest, "abc")),
     f"sms:{digest('a')},sms:{digest('b')}"],
)  # fmt: skip
def test_what_names_no_product_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_products(text)


async def test_each_of_two_secrets_signs_in_and_the_others_not(identity: Running) -> None:
    form = {"grant_type": "client_credentials", "client_id": "two-secrets"}
    statuses = [(await token(identity, form | {"client_secret": one})).status for one in ("old", "new", "older")]
    assert statuses == [200, 200, 401]


# --- metadata -------------------------------------------------------------------------------------------------


@pytest.mark.checklist("G11")
async def test_the_metadata_lists_what_works_and_nothing_else(identity: Running) -> None:
    answer = await identity.ask("GET", "/.well-known/oauth-authorization-server")
    assert answer.json == {
        "issuer": ISSUER,
        "token_endpoint": f"{ISSUER}/oauth/token",
        "jwks_uri": f"{ISSUER}/.well-known/jwks.json",
        "grant_types_supported": ["refresh_token", "client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "response_types_supported": [],
    }
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    product = (await token(identity, {"grant_type": "client_credentials", **CREDENTIALS})).json["access_token"]
    assert part(product, 1)["iss"] == answer.json["issuer"]
    for place in (answer.json["token_endpoint"], answer.json["jwks_uri"]):
        path = place.removeprefix(ISSUER)
        assert (await identity.ask("POST" if "token" in path else "GET", path)).status in (200, 400)
    for grant in answer.json["grant_types_supported"]:
        assert (await token(identity, {"grant_type": grant})).json["error"] != "unsupported_grant_type"
    assert (await identity.ask("GET", "/.well-known/openid-configuration")).status == 404
    assert (await identity.ask("GET", "/authorize")).status == 404


# --- nowhere written down -------------------------------------------------------------------------------------


@pytest.fixture
def logged() -> Iterator[None]:
    logging.configure("identity", "debug")
    yield
    structlog.reset_defaults()


@pytest.mark.checklist("G15")
@pytest.mark.usefixtures("logged")
async def test_no_token_and_no_session_id_is_in_the_log_or_in_the_database(
    acme: Acme, capsys: pytest.CaptureFixture[str]
) -> None:
    with capture_logs() as lines:
        identity, handed = acme.identity, await things(acme)
        session = part(handed.access, 1)["sid"]
        refreshed = await token(identity, {"grant_type": "refresh_token", "refresh_token": handed.refresh})
        wrong = handed.access[:-4] + "AAAA"
        await identity.ask("GET", "/v1/me", token=wrong)
        await identity.ask("GET", "/v1/me", token=handed.access)
        await identity.ask("GET", "/activate", params={"token": handed.link})
        await token(identity, {"grant_type": "refresh_token", "refresh_token": "x" + handed.refresh})
        await token(
            identity, {"grant_type": "client_credentials"}, Authorization=basic("sms-inbox", handed.secret + "x")
        )
        await identity.post("/v1/me/logout", token=refreshed.json["access_token"])
    secret = {
        name: one for name, one in handed.items() if name not in ("sealed", "event")
    } | {"wrong": wrong, "next": refreshed.json["refresh_token"], "access again": refreshed.json["access_token"]}  # fmt: skip
    said = capsys.readouterr()
    assert "http.issue_token" in [line["event"] for line in lines]
    assert [
        name for name, one in (secret | {"session": session}).items() if one in said.out + said.err + repr(lines)
    ] == []
    tables = await run_as_owner(identity, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    for table in tables:
        rows = await run_as_owner(identity, f"SELECT t::text AS whole FROM {table['tablename']} t")
        whole = "".join(row["whole"] for row in rows)
        assert [name for name, one in secret.items() if one in whole] == [], table


async def test_an_sms_will_name_the_site(acme: Acme) -> None:
    """The host of the public address goes along to notify, sealed like the code."""
    identity = acme.identity
    await log_in(identity, await acme.activate(await acme.add()))
    event = identity.heard.of(contract.CodeIssued)[-1]
    message = msgspec.json.decode(identity.heard.opener.open(event.sealed, str(event.code)), type=contract.CodeMessage)
    assert (message.host, message.purpose) == ("identity.test", "login")
