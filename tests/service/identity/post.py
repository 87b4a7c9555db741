"""Links as they reach a person, and the organisation's policy as its settings would make it; for tests alone."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID

import msgspec

from staffgate.contracts import identity as contract
from tests.service.identity.conftest import Acme, Answer, Running, run_as_owner


def opened(identity: Running, event: contract.LinkIssued) -> contract.LinkMessage:
    """As notify reads it."""
    return msgspec.json.decode(identity.heard.opener.open(event.sealed, str(event.link)), type=contract.LinkMessage)


def notices(identity: Running, kind: contract.NoticeKind) -> list[contract.NoticeMessage]:
    """Those of a kind, as notify reads them."""
    return [
        msgspec.json.decode(identity.heard.opener.open(one.sealed, str(one.notice)), type=contract.NoticeMessage)
        for one in identity.heard.of(contract.NoticeIssued)
        if one.kind is kind
    ]


def code_to(identity: Running) -> contract.CodeMessage:
    """The newest code, and where it goes."""
    event = identity.heard.of(contract.CodeIssued)[-1]
    return msgspec.json.decode(identity.heard.opener.open(event.sealed, str(event.code)), type=contract.CodeMessage)


async def next_link(identity: Running, before: int) -> str:
    """The token of the link that comes after so many others."""
    await identity.told(contract.LinkIssued, before + 1)
    return identity.heard.link()


async def activation_link(acme: Acme, staff: UUID) -> str:
    before = len(acme.identity.heard.of(contract.LinkIssued))
    answer = await acme.identity.post(f"/v1/staff/{staff}/activation-email", token=acme.ray)
    assert answer.status == 202, answer.text
    return await next_link(acme.identity, before)


async def reset_link(acme: Acme, staff: UUID) -> str:
    """Sent by Ray."""
    before = len(acme.identity.heard.of(contract.LinkIssued))
    answer = await acme.identity.post(f"/v1/staff/{staff}/password-link", token=acme.ray)
    assert answer.status == 202, answer.text
    return await next_link(acme.identity, before)


async def own_reset_link(identity: Running, login: str) -> str:
    """Asked for by the person, who may be signed in meanwhile."""
    before = len(identity.heard.of(contract.LinkIssued))
    assert (await ask_for_reset(identity, login)).status == 202
    return await next_link(identity, before)


async def email_link(identity: Running, token: str, email: str = "jane@elsewhere.example") -> str:
    before = len(identity.heard.of(contract.LinkIssued))
    answer = await identity.ask("PUT", "/v1/me/email", json={"email": email}, token=token)
    assert answer.status == 202, answer.text
    return await next_link(identity, before)


async def ask_for_reset(identity: Running, login: str) -> Answer:
    return await identity.post("/v1/password-resets", {"login": login})


async def answered(identity: Running, seconds: float = 10) -> None:
    """Until everything that was asked has been looked at, and what came of it was told."""
    waiting = "SELECT count(*) FROM reset_request WHERE typed IS NOT NULL"
    unsent = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
    async with asyncio.timeout(seconds):
        for statement in (waiting, unsent):
            while (await run_as_owner(identity, statement))[0][0]:
                pass


async def set_policy(identity: Running, org: UUID, **policy: Any) -> None:
    text = json.dumps(policy)
    await run_as_owner(identity, "UPDATE organisation SET security = $2::jsonb WHERE org = $1", org, text)
