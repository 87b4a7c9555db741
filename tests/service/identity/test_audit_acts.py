"""Everything that the audit log has a word for is written, with all that belongs to it.

What happens is what the sound requests do, one for each operation, and behind them what goes wrong or falls due.
"""

from __future__ import annotations

import asyncio
import copy
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import msgspec
import pyotp
import pytest
import pytest_asyncio

from services.identity.api import api
from services.identity.log.audit import Act, Entry
from services.identity.staff.erasure import Erasure
from shared.bus.outbox import write_events
from shared.db import Database
from shared.http.openapi import document
from shared.ids import RandomIds
from tests.service.bad_input.judge import judging
from tests.service.bad_input.sound import Operation, operations, request
from tests.service.identity.conftest import PASSWORD, SMS_INBOX_SECRET, Acme, log_in, run_as_owner, sign_in
from tests.service.identity.possessions import by_passkey, with_passkey
from tests.service.identity.sound import World

OPERATIONS = {one.id: one for one in operations(document("identity", "0", api.operations))}
# Nobody is known to have done it, or it falls due by the clock; everything else names who it was.
NOBODYS = frozenset(
    {
        Act.FACTOR_FAILED, Act.KEY_ROTATED, Act.LOCKED, Act.LOGIN_FAILED, Act.PASSKEY_COPIED, Act.RESET_ASKED,
        Act.TOKEN_REUSED, Act.USER_ERASED,
    }
)  # fmt: skip
# What notify tells: test_reach.py brings it.
TOLD = frozenset({Act.USER_UNREACHABLE, Act.USER_REACHABLE, Act.SUPPRESSION_CHANGED, Act.MESSAGE_DROPPED})
# An operator's: test_owner_recovery.py brings it.
OPERATORS = frozenset({Act.RECOVERY_ASKED, Act.RECOVERY_STOPPED, Act.OWNER_RECOVERED})
# Keys are all organisations': test_keys.py rotates them, in a database of its own.
ELSEWHERE = frozenset({Act.KEY_ROTATED}) | TOLD | OPERATORS
# What is done in the background, or heard of from another service, comes from no address.
BACKGROUND = frozenset({Act.KEY_ROTATED, Act.USER_ERASED, Act.USERS_IMPORTED, Act.RESET_ASKED}) | TOLD
ABOUT_ALL = frozenset(
    {
        Act.BLOCKLIST_CHANGED, Act.KEY_ROTATED, Act.NUMBERS_CHANGED, Act.ORG_CLOSED, Act.ORG_NAMED,
        Act.SECURITY_CHANGED, Act.USERS_EXPORTED, Act.USERS_IMPORTED,
    }
)  # fmt: skip


@pytest_asyncio.fixture
async def world(acme: Acme) -> AsyncIterator[World]:
    form = {"grant_type": "client_credentials", "client_id": "sms-inbox", "client_secret": SMS_INBOX_SECRET}
    product = (await acme.identity.ask("POST", "/oauth/token", data=form)).json["access_token"]
    jane = (await log_in(acme.identity, await acme.activate(await acme.add()))).json["access_token"]
    async with judging(acme.identity.url, acme.identity.session, acme.identity.owner_url) as judge:
        yield World(acme, jane, product, judge)


async def entries(world: World, elsewhere: list[Any]) -> list[Any]:
    """Not what other tests have left: among them is a caller who says nothing of what it is."""
    rows = await run_as_owner(world.identity, "SELECT org, body FROM audit WHERE org <> ALL($1)", elsewhere)
    return [(row["org"], msgspec.json.decode(row["body"], type=Entry, strict=True)) for row in rows]


async def do_soundly(world: World, operation: Operation) -> None:
    sound = await getattr(world, operation.id)()
    whole = request(operation, sound)
    answer = await world.identity.ask(whole.method, whole.path, headers=dict(whole.headers), data=whole.content)
    assert answer.status < 400, f"{operation.id}: {answer.text}"


async def what_goes_wrong(world: World) -> None:
    """And what falls due."""
    identity, acme = world.identity, world.acme
    await recovered(world)
    await copied(world)
    luke = await sign_in(acme, f"Luke{world.fresh()}")
    await identity.post("/v1/login", {"login": luke.login, "password": "wrong horse battery"})
    started = await identity.post("/v1/login", {"login": luke.login, "password": PASSWORD})
    guess = {"transaction": started.json["transaction"], "factor": "email", "code": "00000000"}
    await identity.post("/v1/login/finish", guess)
    form = {"grant_type": "refresh_token", "refresh_token": luke.refresh}
    await identity.ask("POST", "/oauth/token", data=form)
    body = {"current": "wrong horse battery", "password": "eight miles of copper wire"}
    await identity.post("/v1/me/password", body, token=luke.token)
    identity.clock.advance(seconds=11)
    await identity.ask("POST", "/oauth/token", data=form)
    await after_failures(acme, luke.login)
    await run_as_owner(
        identity, "UPDATE staff SET deleted_at = deleted_at - interval '400 days' WHERE deleted_at IS NOT NULL"
    )
    db = Database(
        identity.app_url, clock=identity.clock, ids=RandomIds(), write_events=write_events, committed=lambda: None
    )
    async with db.opened():
        await Erasure(db, 30).sweep()


async def after_failures(acme: Acme, login: str) -> None:
    """Wrong some times, and right; then wrong until the account is locked."""
    identity = acme.identity
    for _ in range(4):
        await identity.post("/v1/login", {"login": login, "password": "wrong horse battery"})
        identity.clock.advance(seconds=30)
    assert (await log_in(identity, login)).status == 200
    policy = '{"lock": {"after": 3}}'
    await run_as_owner(identity, "UPDATE organisation SET security = $2::jsonb WHERE org = $1", acme.org, policy)
    for _ in range(8):
        identity.clock.advance(minutes=2)
        await identity.post("/v1/login", {"login": login, "password": "wrong horse battery"})


async def recovered(world: World) -> None:
    """By one of the codes that stand in for a lost app."""
    identity = world.identity
    _, login = await world.active()
    token = (await log_in(identity, login)).json["access_token"]
    app = pyotp.TOTP((await identity.post("/v1/me/factors/totp", token=token)).json["secret"])
    confirm = {"code": app.at(identity.clock.now())}
    token = (await identity.post("/v1/me/factors/totp/confirm", confirm, token=token)).json["access_token"]
    made = await identity.post("/v1/me/factors/recovery-codes", token=token)
    assert made.status in (200, 201), made.text
    started = await identity.post("/v1/login", {"login": login, "password": PASSWORD})
    finish = {"transaction": started.json["transaction"], "factor": "recovery", "code": made.json["codes"][0]}
    assert (await identity.post("/v1/login/finish", finish)).status == 200


async def copied(world: World) -> None:
    """A passkey whose counter has gone back."""
    han = await with_passkey(world.acme, f"Han{world.fresh()}", counts=True)
    assert han.authenticator is not None
    copy_of_it = copy.copy(han.authenticator)
    assert (await by_passkey(world.identity, han.login, han.authenticator)).status == 200
    assert (await by_passkey(world.identity, han.login, copy_of_it)).status == 401


@pytest.mark.checklist("O01")
async def test_every_word_of_the_log_is_written_with_all_that_belongs_to_it(world: World) -> None:
    known = await run_as_owner(world.identity, "SELECT org FROM organisation WHERE org <> $1", world.acme.org)
    elsewhere = [row["org"] for row in known]
    for operation in OPERATIONS.values():
        if operation.method != "GET" or operation.id.startswith("export"):
            await do_soundly(world, operation)
    await what_goes_wrong(world)
    with suppress(TimeoutError):  # some of it happens in the background
        async with asyncio.timeout(30):
            while missing := {*Act} - ELSEWHERE - {entry.event for _, entry in await entries(world, elsewhere)}:
                await asyncio.sleep(0.1)
    assert not missing
    for org, entry in await entries(world, elsewhere):
        fault = flawed(entry)
        assert not fault, f"{fault}: {entry} of {org}"


def flawed(entry: Entry) -> str:
    act = Act(entry.event)
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", entry.at):
        return "no time in UTC"
    if entry.result not in ("success", "failure"):
        return "no result"
    if not re.fullmatch("[0-9a-f]{32}", entry.request):
        return "no trace id"
    background = act in BACKGROUND or entry.detail.get("reason") == "organisation_closed" or "by_import" in entry.detail
    if not background and (not entry.ip or not entry.agent):
        return "not from where"
    if entry.actor is None and act not in NOBODYS and not background:
        return "not who"
    return "not to whom" if entry.target is None and act not in ABOUT_ALL | {Act.LOGIN_FAILED} else ""


def test_a_word_is_written_in_the_manner_of_the_vocabulary() -> None:
    """OWASP Logging Vocabulary Cheat Sheet: lower case, what it is about first."""
    assert all(re.fullmatch("(authn|user|users|org|session|sessions|audit|sys)_[a-z_]+", act) for act in Act)
