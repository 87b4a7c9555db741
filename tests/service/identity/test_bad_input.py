"""Wrong input at every operation of identity: a 4xx problem with a reason, never a 500, never a half-done change."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pyotp
import pytest
import pytest_asyncio

from staffgate.contracts import identity as contract
from tests.service.bad_input import raw
from tests.service.bad_input.forged import Forger
from tests.service.bad_input.judge import Judge, judging
from tests.service.bad_input.sound import Operation, Sound, operations
from tests.service.identity.conftest import PASSWORD, SIGNING, SMS_INBOX_SECRET, Acme, Running, log_in, register

ROOT = Path(__file__).parents[3]
OPERATIONS = {one.id: one for one in operations(json.loads((ROOT / "deploy/openapi/identity.json").read_text()))}
FOR_PRODUCTS = {"list_revocations"}
# Jane may do nothing: what is about one person answers her as if there were nobody.
FORBIDDEN = {"select_organisation_username", "add_staff", "list_staff"}
HIDDEN = {"show_staff", "send_activation_email", "suspend_staff", "reactivate_staff"}

_number = itertools.count(1)


@dataclass
class World:
    """ACME Crates, where Ray is the owner and Jane a standard user; and the SMS inbox, a product service."""

    acme: Acme
    jane: str
    product: str
    judge: Judge
    fresh: Callable[[], int] = field(default=lambda: next(_number))

    @property
    def identity(self) -> Running:
        return self.acme.identity

    async def invited(self) -> UUID:
        return await self.acme.add(f"Han{self.fresh()}", mobile="+61 491 570 006")

    async def active(self) -> tuple[UUID, str]:
        staff = await self.invited()
        return staff, await self.acme.activate(staff)

    async def token(self) -> str:
        """Of a person of their own."""
        _, login = await self.active()
        return str((await log_in(self.identity, login)).json["access_token"])

    async def link(self) -> str:
        before = len(self.identity.heard.of(contract.LinkIssued))
        staff = await self.invited()
        await self.identity.post(f"/v1/staff/{staff}/activation-email", token=self.acme.ray)
        await self.identity.told(contract.LinkIssued, before + 1)
        return self.identity.heard.link()

    async def transaction(self) -> str:
        _, login = await self.active()
        return str((await self.identity.post("/v1/login", {"login": login, "password": PASSWORD})).json["transaction"])

    # --- a sound request for each operation -------------------------------------------------------------------

    async def register_organisation(self) -> Sound:
        owner = {"name": "Ray", "email": "ray@acme.example", "username": "Ray", "mobile": "+61 491 570 006"}
        return Sound(body={"name": "ACME Crates", "owner": owner})

    async def show_organisation(self) -> Sound:
        return Sound(token=self.acme.ray)

    async def select_organisation_username(self) -> Sound:
        other = await register(self.identity, "Other Crates")
        return Sound(body={"username": f"OtherCrates{other.org.hex[-8:]}"}, token=other.ray)

    async def add_staff(self) -> Sound:
        body = {"type": "standard", "name": "Luke", "email": "luke@acme.example", "username": f"Luke{self.fresh()}"}
        more = {"mobile": "+61 491 570 006", "default_level": "deny", "route_anywhere": False}
        return Sound(body=body | more, token=self.acme.ray)

    async def list_staff(self) -> Sound:
        return Sound(token=self.acme.ray)

    async def show_staff(self) -> Sound:
        return Sound(path={"staff": str(self.acme.owner_id)}, token=self.acme.ray)

    async def send_activation_email(self) -> Sound:
        return Sound(path={"staff": str(await self.invited())}, token=self.acme.ray)

    async def suspend_staff(self) -> Sound:
        staff, _ = await self.active()
        return Sound(path={"staff": str(staff)}, token=self.acme.ray)

    async def reactivate_staff(self) -> Sound:
        sound = await self.suspend_staff()
        await self.identity.post(f"/v1/staff/{sound.path['staff']}/suspend", token=self.acme.ray)
        return sound

    async def activate(self) -> Sound:
        return Sound(body={"token": await self.link(), "password": PASSWORD})

    async def activation_page(self) -> Sound:
        return Sound(query={"token": await self.link()})

    async def submit_activation_page(self) -> Sound:
        return Sound(form={"token": await self.link(), "password": PASSWORD})

    async def start_login(self) -> Sound:
        _, login = await self.active()
        return Sound(body={"login": login, "password": PASSWORD})

    async def send_login_code(self) -> Sound:
        return Sound(body={"transaction": await self.transaction(), "factor": "sms"})

    async def finish_login(self) -> Sound:
        transaction, before = await self.transaction(), len(self.identity.heard.of(contract.CodeIssued))
        await self.identity.post("/v1/login/codes", {"transaction": transaction, "factor": "sms"})
        await self.identity.told(contract.CodeIssued, before + 1)
        return Sound(body={"transaction": transaction, "factor": "sms", "code": self.identity.heard.code()})

    async def issue_token(self) -> Sound:
        _, login = await self.active()
        tokens = (await log_in(self.identity, login)).json
        return Sound(form={"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]})

    async def issue_token_to_product(self) -> Sound:
        form = {"grant_type": "client_credentials", "client_id": "sms-inbox", "client_secret": SMS_INBOX_SECRET}
        return Sound(form=form)

    async def show_me(self) -> Sound:
        return Sound(token=self.acme.ray)

    async def log_out(self) -> Sound:
        return Sound(token=await self.token())

    async def enrol_totp(self) -> Sound:
        return Sound(token=await self.token())

    async def confirm_totp(self) -> Sound:
        token = await self.token()
        secret = (await self.identity.post("/v1/me/factors/totp", token=token)).json["secret"]
        return Sound(body={"code": pyotp.TOTP(secret).at(self.identity.clock.now())}, token=token)

    async def list_keys(self) -> Sound:
        return Sound()

    async def list_revocations(self) -> Sound:
        return Sound(token=self.product)


@pytest_asyncio.fixture
async def world(acme: Acme) -> AsyncIterator[World]:
    form = {"grant_type": "client_credentials", "client_id": "sms-inbox", "client_secret": SMS_INBOX_SECRET}
    product = (await acme.identity.ask("POST", "/oauth/token", data=form)).json["access_token"]
    jane = (await log_in(acme.identity, await acme.activate(await acme.add()))).json["access_token"]
    async with judging(acme.identity.url, acme.identity.session, acme.identity.owner_url) as judge:
        yield World(acme, jane, product, judge)


def sound_of(world: World, name: str) -> Callable[[], Awaitable[Sound]]:
    maker: Callable[[], Awaitable[Sound]] = getattr(world, name)
    return maker


def test_every_operation_has_a_sound_request_to_be_spoilt() -> None:
    assert [name for name in OPERATIONS if not hasattr(World, name)] == []


@pytest.mark.parametrize("name", [*OPERATIONS, "issue_token_to_product"])
async def test_wrong_input_is_refused_with_a_reason_and_changes_nothing(world: World, name: str) -> None:
    operation = OPERATIONS[name.removesuffix("_to_product")]
    faults = await world.judge.faults(operation, sound_of(world, name))
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("operation", [one for one in OPERATIONS.values() if one.needs_token], ids=lambda one: one.id)
async def test_a_wrong_token_or_the_wrong_caller_is_refused_everywhere(world: World, operation: Operation) -> None:
    sound = await sound_of(world, operation.id)()
    forger = Forger(SIGNING, claims_of(world.acme.ray))
    wrong = [("a person", world.acme.ray)] if operation.id in FOR_PRODUCTS else [("a product", world.product)]
    wrong += [("Jane", world.jane)] if operation.id in FORBIDDEN else []
    faults = await world.judge.token_faults(operation, sound, forger)
    faults += await world.judge.caller_faults(operation, sound, wrong)
    if operation.id in HIDDEN:
        faults += await world.judge.caller_faults(operation, sound, [("Jane", world.jane)], 404)
    assert not faults, "\n".join(faults)


async def test_what_is_handed_out_for_one_thing_is_no_access_token(world: World) -> None:
    _, login = await world.active()
    tokens = (await log_in(world.identity, login)).json
    for handed in (tokens["refresh_token"], await world.link(), await world.transaction()):
        answer = await world.identity.ask("GET", "/v1/me", token=handed)
        assert answer.status == 401


async def test_a_method_or_a_path_that_does_not_exist_is_a_problem_too(world: World) -> None:
    for method, path, status in (
        ("DELETE", "/v1/staff", 405),
        ("GET", "/v1/nothing", 404),
        ("PROPFIND", "/v1/me", 405),
        ("POST", "/v1/staff/", 404),
        ("GET", "/v1//staff", 404),
    ):
        answer = await world.identity.ask(method, path, token=world.acme.ray)
        assert (answer.status, answer.json["status"], answer.json["instance"]) == (status, status, path)


def claims_of(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


@pytest.mark.parametrize("header", raw.HEADERS)
async def test_no_header_breaks_an_operation(world: World, header: str) -> None:
    """Finishing a login keeps the User-Agent; the request id comes back; the rest is read on the way."""
    faults = []
    for what, value in raw.VALUES.items():
        sound = await world.finish_login()
        before = await world.judge.snapshot()
        headers = {"Content-Type": b"application/json", header: value}
        content = json.dumps(sound.body).encode()
        status, said = await raw.answer(world.identity.url, "POST", "/v1/login/finish", headers, content)
        if not 200 <= status < 500 or b"X-Injected" in said.partition(b"\r\n\r\n")[0]:
            faults.append(f"{what}: {said[:200]!r}")
        elif status >= 400 and await world.judge.snapshot() != before:
            faults.append(f"{what}: answered {status}, and yet something changed")
    assert not faults, "\n".join(faults)
