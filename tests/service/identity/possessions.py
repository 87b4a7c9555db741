"""People with second factors, and the steps of getting in, one by one; for tests alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
import pyotp

from staffgate.contracts import identity as contract
from tests.service.identity.authenticator import Authenticator, Otherwise
from tests.service.identity.conftest import PASSWORD, Acme, Answer, Running, run_as_owner, sign_in


@dataclass
class Member:
    """Somebody signed in; with the app, the passkey and the recovery codes that they have."""

    identity: Running
    staff: UUID
    login: str
    token: str
    app: pyotp.TOTP | None = None
    authenticator: Authenticator | None = None
    codes: list[str] | None = None

    def shown(self) -> str:
        """What the app shows now. One that was shown before is good no more: let time go by."""
        assert self.app is not None
        return self.app.at(self.identity.clock.now())

    def later(self) -> str:
        self.identity.clock.advance(seconds=30)
        return self.shown()


async def member(acme: Acme, username: str = "Jane", **more: Any) -> Member:
    """Signed in by e-mail."""
    somebody = await sign_in(acme, username, **more)
    return Member(acme.identity, somebody.staff, somebody.login, somebody.token, somebody.app)


async def with_app(acme: Acme, username: str = "Jane", **more: Any) -> Member:
    """And with an app; a time step later, so that its code is good again."""
    jane = await member(acme, username, **more)
    if jane.app is None:
        await add_app(jane)
    acme.identity.clock.advance(seconds=30)
    return jane


async def add_app(jane: Member) -> Answer:
    enrolment = await jane.identity.post("/v1/me/factors/totp", token=jane.token)
    assert enrolment.status == 201, enrolment.text
    jane.app = pyotp.TOTP(enrolment.json["secret"])
    answer = await jane.identity.post("/v1/me/factors/totp/confirm", {"code": jane.shown()}, token=jane.token)
    assert answer.status == 200, answer.text
    jane.token, jane.codes = answer.json["access_token"], answer.json["recovery_codes"] or jane.codes
    return answer


async def with_passkey(acme: Acme, username: str = "Jane", *, counts: bool = False) -> Member:
    jane = await member(acme, username)
    await add_passkey(jane, Authenticator(counts=counts))
    return jane


async def add_passkey(jane: Member, authenticator: Authenticator) -> Answer:
    answer = await offer_and_add(jane, authenticator)
    assert answer.status == 201, answer.text
    jane.authenticator, jane.token = authenticator, answer.json["access_token"]
    jane.codes = answer.json["recovery_codes"] or jane.codes
    return answer


async def offer_and_add(jane: Member, authenticator: Authenticator, otherwise: Otherwise | None = None) -> Answer:
    offered = await jane.identity.post("/v1/me/factors/passkeys/options", token=jane.token)
    assert offered.status == 200, offered.text
    body = {"credential": authenticator.create(offered.json["options"], otherwise)}
    return await jane.identity.post("/v1/me/factors/passkeys", body, token=jane.token)


async def begun(identity: Running, login: str) -> dict[str, Any]:
    answer = await identity.post("/v1/login", {"login": login, "password": PASSWORD})
    assert answer.status == 200, answer.text
    started: dict[str, Any] = answer.json
    return started


async def finished(identity: Running, login: str, factor: str | None, code: str | None = None) -> Answer:
    """Begin, and finish with what is shown."""
    transaction = (await begun(identity, login))["transaction"]
    return await identity.post("/v1/login/finish", {"transaction": transaction, "factor": factor, "code": code})


async def sent(identity: Running, transaction: str, factor: str = "email") -> str:
    """The code that was sent for it."""
    before = len(identity.heard.of(contract.CodeIssued))
    answer = await identity.post("/v1/login/codes", {"transaction": transaction, "factor": factor})
    assert answer.status == 202, answer.text
    await identity.told(contract.CodeIssued, before + 1)
    return identity.heard.code()


async def by_passkey(
    identity: Running, login: str, authenticator: Authenticator, otherwise: Otherwise | None = None
) -> Answer:
    """As the second factor."""
    transaction = (await begun(identity, login))["transaction"]
    asked = await identity.post("/v1/login/passkey-options", {"transaction": transaction})
    assert asked.status == 200, asked.text
    credential = authenticator.get(asked.json["options"], otherwise)
    body = {"transaction": transaction, "factor": "passkey", "credential": credential}
    return await identity.post("/v1/login/finish", body)


async def by_passkey_alone(
    identity: Running, authenticator: Authenticator, otherwise: Otherwise | None = None, login: str | None = None
) -> Answer:
    started = (await identity.post("/v1/login/passkey", {"login": login})).json
    credential = authenticator.get(started["options"], otherwise)
    body = {"transaction": started["transaction"], "credential": credential}
    return await identity.post("/v1/login/passkey/finish", body)


async def list_factors(jane: Member) -> dict[str, Any]:
    listed: dict[str, Any] = (await jane.identity.ask("GET", "/v1/me/factors", token=jane.token)).json
    return listed


async def audited(acme: Acme, event: str) -> list[dict[str, Any]]:
    """The bodies of these entries, the oldest first."""
    rows = await run_as_owner(
        acme.identity, "SELECT body FROM audit WHERE org = $1 AND event = $2 ORDER BY number", acme.org, event
    )
    return [msgspec.json.decode(row["body"]) for row in rows]


def problem(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json["type"].rpartition(":")[2]
