"""identity on a database of its own, spoken to over HTTP; what it tells goes into a memory bus and is read there."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import msgspec
import pyotp
import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from joserfc.jwk import OKPKey

from services.identity.app import Settings, build
from services.identity.password.passwords import Passwords
from shared.bus.envelope import decode, open_envelope
from shared.bus.memory import MemoryBus
from shared.bus.port import Message
from shared.sealing import Opener
from shared.service import Role, start
from staffgate.access import Verifier
from staffgate.contracts import identity as contract
from staffgate.contracts.event import Event, event_types
from tests.conftest import FrozenClock, fresh_database
from tests.service.identity.fake_authz import FakeAuthz

ISSUER = "http://identity.test"
PASSWORD = "seven miles of copper wire"
SMS_INBOX_SECRET = "the sms inbox's own secret"


def _key(curve: str) -> dict[str, Any]:
    return OKPKey.generate_key(curve, parameters={"kid": f"test-{curve}"}, private=True).as_dict(private=True)


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


SIGNING, FACTOR, NOTIFY = _key("Ed25519"), _key("X25519"), _key("X25519")


@dataclass
class Heard:
    """Everything that identity told, and what only notify could read of it."""

    events: list[Event] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    opener: Opener = field(default_factory=lambda: Opener(json.dumps(NOTIFY)))

    def heard(self, message: Message) -> None:
        self.bodies.append(message.body)
        self.events.append(decode(open_envelope(message.body)))

    def lost(self) -> None: ...

    def restored(self) -> None: ...

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def type_of(self, staff: UUID) -> str | None:
        """What authz could know by now."""
        told = [*self.of(contract.StaffAdded), *self.of(contract.StaffChanged)]
        types = [event.state.type for event in told if event.state.staff == staff]
        return types[-1] if types else None

    def links(self, staff: UUID) -> list[contract.LinkIssued]:
        return [event for event in self.of(contract.LinkIssued) if event.staff == staff]

    def link(self, staff: UUID | None = None) -> str:
        """The token of the newest link; of the newest to that person."""
        event = (self.of(contract.LinkIssued) if staff is None else self.links(staff))[-1]
        message = msgspec.json.decode(self.opener.open(event.sealed, str(event.link)), type=contract.LinkMessage)
        return message.url.partition("token=")[2]

    def code(self) -> str:
        event = self.of(contract.CodeIssued)[-1]
        return msgspec.json.decode(self.opener.open(event.sealed, str(event.code)), type=contract.CodeMessage).code


@dataclass
class Answer:
    status: int
    json: Any
    headers: Any
    text: str


@dataclass
class Running:
    """identity over HTTP."""

    url: str
    session: aiohttp.ClientSession
    clock: FrozenClock
    heard: Heard
    authz: FakeAuthz
    owner_url: str
    app_url: str
    bus: MemoryBus

    async def ask(self, method: str, path: str, *, token: str = "", **options: Any) -> Answer:
        headers = options.pop("headers", {}) | ({"Authorization": f"Bearer {token}"} if token else {})
        async with self.session.request(method, self.url + path, headers=headers, **options) as response:
            text = await response.text()
            is_json = response.content_type.endswith("json")
            return Answer(response.status, json.loads(text) if is_json else None, response.headers, text)

    async def post(self, path: str, body: Any = None, *, token: str = "") -> Answer:
        return await self.ask("POST", path, token=token, **({"json": body} if body is not None else {}))

    async def told(self, kind: type[Event], count: int) -> list[Any]:
        """Wait until so many events of that kind have left the outbox."""
        return await until(lambda: found if len(found := self.heard.of(kind)) >= count else None)


async def until(ready: Any, seconds: float = 30) -> Any:
    """Wait for a condition."""
    async with asyncio.timeout(seconds):
        while not (found := ready()):
            await asyncio.sleep(0.005)
    return found


@pytest_asyncio.fixture(scope="module")
async def database(postgres: str) -> Any:
    """Each module's own: what others have left behind is neither found nor counted here, and there is little to look through."""
    return await fresh_database(postgres, "identity")


@pytest_asyncio.fixture
async def identity(database: Any) -> AsyncIterator[Running]:
    async with running(database) as identity:
        yield identity


@asynccontextmanager
async def running(
    database: Any, *, passwords: Passwords | None = None, clock: Any = None, **settings_of_test: Any
) -> AsyncIterator[Running]:
    """With settings of its own, where a test is about them. Nobody has failed at anything yet."""
    bus, heard, clock = MemoryBus(), Heard(), clock or FrozenClock()
    bus.listen([type for type in event_types() if type.startswith("identity.")], heard)
    verifier = Verifier(ISSUER, lambda: clock.now().timestamp())
    verifier.trust(contract.KeySet(keys=[{name: value for name, value in SIGNING.items() if name != "d"}]))
    authz = FakeAuthz(verifier, heard.type_of)
    settings = Settings(
        database_url=database.app,
        migration_url=database.owner,
        http_port=0,
        public_url=ISSUER,
        authz_url="",
        signing_key=json.dumps(SIGNING),
        factor_key=json.dumps(FACTOR),
        code_key=base64.b64encode(bytes(32)).decode(),
        seal_key=json.dumps({name: value for name, value in NOTIFY.items() if name != "d"}),
        key_days=365,  # the database is many tests', and time begins anew with each
        products=f"sms-inbox:{_sha256(SMS_INBOX_SECRET)},two-secrets:{_sha256('old')}:{_sha256('new')}",
    )
    fast = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    async with authz.served(), aiohttp.ClientSession() as session:
        settings = msgspec.structs.replace(settings, authz_url=authz.url, **settings_of_test)
        runner = await start(build(settings, bus, Role.ALL, clock=clock, passwords=passwords or fast))
        host, port = runner.addresses[0][:2]
        identity = Running(f"http://{host}:{port}", session, clock, heard, authz, database.owner, database.app, bus)
        await run_as_owner(identity, "DELETE FROM throttle")
        await run_as_owner(identity, "DELETE FROM reset_request")
        try:
            yield identity
        finally:
            await runner.cleanup()


@dataclass
class Acme:
    """ACME Crates with its owner Ray signed in."""

    identity: Running
    org: UUID
    number: str
    ray: str
    owner_id: UUID
    app: pyotp.TOTP  # Ray's authenticator app

    async def add(self, username: str = "Jane", **more: Any) -> UUID:
        body = {"type": "standard", "name": username, "email": f"{username}@acme.example", "username": username} | more
        answer = await self.identity.post("/v1/staff", body, token=self.ray)
        assert answer.status == 201, answer.text
        return UUID(answer.json["id"])

    async def activate(self, staff: UUID) -> str:
        """Send the link and use it; what the person types at login."""
        heard = self.identity.heard
        before = len(heard.links(staff))
        answer = await self.identity.post(f"/v1/staff/{staff}/activation-email", token=self.ray)
        assert answer.status == 202, answer.text
        await until(lambda: len(heard.links(staff)) > before)
        answer = await self.identity.post("/v1/activations", {"token": heard.link(staff), "password": PASSWORD})
        assert answer.status == 200, answer.text
        return str(answer.json["login"])


async def log_in(identity: Running, login: str, factor: str = "email") -> Answer:
    started = await identity.post("/v1/login", {"login": login, "password": PASSWORD})
    assert started.status == 200, started.text
    transaction = started.json["transaction"]
    before = len(identity.heard.of(contract.CodeIssued))
    sent = await identity.post("/v1/login/codes", {"transaction": transaction, "factor": factor})
    assert sent.status == 202, sent.text
    await identity.told(contract.CodeIssued, before + 1)
    code = identity.heard.code()
    return await identity.post("/v1/login/finish", {"transaction": transaction, "factor": factor, "code": code})


async def enrol_app(identity: Running, login: str) -> tuple[pyotp.TOTP, dict[str, Any]]:
    """The first login of somebody who may not use a weak factor: by e-mail, to enrol the app; then they are in."""
    tokens = await log_in(identity, login)
    assert tokens.status == 200, tokens.text
    token = tokens.json["access_token"]
    enrolment = await identity.post("/v1/me/factors/totp", token=token)
    assert enrolment.status == 201, enrolment.text
    app = pyotp.TOTP(enrolment.json["secret"])
    code = app.at(identity.clock.now())
    confirmed = await identity.post("/v1/me/factors/totp/confirm", {"code": code}, token=token)
    assert confirmed.status == 200, confirmed.text
    return app, confirmed.json


@dataclass
class SignedIn:
    """Somebody who got in: what they type at login, their tokens, and the authenticator app where they have one."""

    staff: UUID
    login: str
    token: str
    refresh: str
    app: pyotp.TOTP | None


async def sign_in(acme: Acme, username: str = "Jane", **more: Any) -> SignedIn:
    """Add somebody, activate them and let them in: administrators with the app, the others by e-mail."""
    staff = await acme.add(username, **more)
    login, app = await acme.activate(staff), None
    if more.get("type") == "administrator":
        app, tokens = await enrol_app(acme.identity, login)
    else:
        answer = await log_in(acme.identity, login)
        assert answer.status == 200, answer.text
        tokens = answer.json
    return SignedIn(staff, login, tokens["access_token"], tokens["refresh_token"], app)


async def confirm_mobile(identity: Running, staff: UUID) -> None:
    """As if they had entered the code that was sent to it."""
    await run_as_owner(identity, "UPDATE staff SET mobile_confirmed_at = $2 WHERE id = $1", staff, identity.clock.now())


async def run_as_owner(identity: Running, statement: str, *values: object) -> list[Any]:
    """What no operation does: as the database's owner, who sees every row."""
    owner: Any = await asyncpg.connect(identity.owner_url)
    rows: list[Any] = await owner.fetch(statement, *values)
    await owner.close()
    return rows


async def register(identity: Running, name: str = "ACME Crates") -> Acme:
    before = len(identity.heard.of(contract.LinkIssued))
    owner = {"name": "Ray", "email": "ray@acme.example", "username": "Ray"}
    answer = await identity.post("/v1/organisations", {"name": name, "owner": owner})
    assert answer.status == 201, answer.text
    await identity.told(contract.LinkIssued, before + 1)
    owner_id = identity.heard.of(contract.LinkIssued)[-1].staff
    confirmed = await identity.post("/v1/activations", {"token": identity.heard.link(), "password": PASSWORD})
    assert confirmed.status == 200, confirmed.text
    app, tokens = await enrol_app(identity, confirmed.json["login"])
    number, org = answer.json["number"], UUID(answer.json["organisation"])
    return Acme(identity, org, number, tokens["access_token"], owner_id, app)


@pytest.fixture
async def acme(identity: Running) -> Acme:
    return await register(identity)
