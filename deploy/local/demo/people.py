"""What the people of the story do with their hands: open links, type passwords and codes."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import msgspec
import pyotp

from deploy.local.demo.world import World, found_in_message, newest_message

PASSWORD = "seven miles of copper wire"  # noqa: S105 - everybody's in the story
_LINK = re.compile(r"token=([\w-]+)")
_CODE = re.compile(r"\b(\d{6,8})\b")


class Tokens(msgspec.Struct):
    access: str
    refresh: str


async def open_link_and_set_password(world: World, token: str) -> str:
    """GET shows the page and consumes nothing; POST sets the password. The name to log in with."""
    for _ in range(2):  # a mail scanner opened it before
        await world.identity.get(f"/activate?token={token}")
    activated = await world.identity.post("/v1/activations", {"token": token, "password": PASSWORD})
    return str(activated["login"])


async def link_in_email(world: World, to: str, since: int) -> str:
    return await found_in_message(world, to, "email", _LINK, since)


async def log_in(world: World, login: str, factor: str, to: str, totp: str = "") -> Tokens:
    """Password, then the second factor: a code out of the mailbox, or one that the authenticator app shows."""
    started = await world.identity.post("/v1/login", {"login": login, "password": PASSWORD})
    code = totp or await _code_from_mailbox(world, started["transaction"], factor, to)
    finish = {"transaction": started["transaction"], "factor": factor, "code": code}
    tokens = await world.identity.post("/v1/login/finish", finish)
    return Tokens(tokens["access_token"], tokens["refresh_token"])


async def enrol_app(world: World, login: str, to: str) -> tuple[Tokens, pyotp.TOTP]:
    """The first login of an owner or administrator: a code by e-mail leads only as far as to an authenticator app, and
    the app's first code leads in. It is the one of the step before, so that the present one is good for a login."""
    by_mail = await log_in(world, login, "email", to)
    enrolment = await world.identity.post("/v1/me/factors/totp", token=by_mail.access, want=201)
    app = pyotp.TOTP(enrolment["secret"])
    code = {"code": app.at(datetime.now(UTC), counter_offset=-1)}
    tokens = await world.identity.post("/v1/me/factors/totp/confirm", code, token=by_mail.access)
    return Tokens(tokens["access_token"], tokens["refresh_token"]), app


async def confirm_mobile(world: World, number: str, token: str) -> None:
    """A number that somebody else entered counts when its owner has shown a code that was sent to it."""
    since = await newest_message(world)
    sent = await world.identity.post("/v1/me/mobile/code", token=token, want=202)
    confirm = {"transaction": sent["transaction"], "code": await _code(world, number, "sms", since)}
    await world.identity.post("/v1/me/mobile/confirm", confirm, token=token, want=204)


async def _code_from_mailbox(world: World, transaction: str, factor: str, to: str) -> str:
    since = await newest_message(world)
    await world.identity.post("/v1/login/codes", {"transaction": transaction, "factor": factor}, want=202)
    return await _code(world, to, "sms" if factor == "sms" else "email", since)


async def _code(world: World, to: str, kind: str, since: int) -> str:
    return await found_in_message(world, to, kind, _CODE, since)


async def refresh(world: World, token: str) -> tuple[int, Any]:
    grant = {"grant_type": "refresh_token", "refresh_token": token}
    answer = await world.identity.ask("POST", "/oauth/token", data=grant)
    return answer.status, answer.body
