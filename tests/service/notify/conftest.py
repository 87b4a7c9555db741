"""notify on a database of its own, beside a real SMTP server, an SMS gateway and an identity that has keys only."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as policy
from typing import Any, Literal
from uuid import UUID

import aiohttp
import asyncpg
import msgspec
import pytest
import pytest_asyncio
from aiohttp import web
from aiosmtpd.smtp import SMTP
from joserfc import jws
from joserfc.jwk import OKPKey

from deploy.local.databases import Urls
from services.notify.app import build
from services.notify.limit.settings import Conversion, Limits
from services.notify.provider.settings import ProviderSettings, SmtpSettings, TwilioSettings
from services.notify.settings import Settings
from shared import log as logging
from shared.bus.envelope import encode
from shared.bus.memory import MemoryBus
from shared.bus.outbox import write_events
from shared.bus.port import Message
from shared.clock import Clock
from shared.db import Database
from shared.ids import RandomIds
from shared.sealing import Sealer
from shared.service import Role, start
from staffgate.access import AUDIENCE, TYPE
from staffgate.contracts.caller import StaffType
from staffgate.contracts.event import Event
from staffgate.contracts.identity import (
    CodeIssued,
    CodeMessage,
    LinkIssued,
    LinkMessage,
    LinkPurpose,
    NoticeIssued,
    NoticeKind,
    NoticeMessage,
)
from tests.conftest import FrozenClock, fresh_database

IDS = RandomIds()
ACME, JANE, RAY = IDS.uuid(), IDS.uuid(), IDS.uuid()
ISSUER = "http://identity.test"
ACCOUNT, TOKEN = "AC1", "the gateway's secret"
RECEIPTS_SECRET = "the-mail-provider's-secret"


def _key(curve: Literal["X25519", "Ed25519"]) -> str:
    return json.dumps(
        OKPKey.generate_key(curve, parameters={"kid": f"test-{curve}"}, private=True).as_dict(private=True)
    )


SEAL, SIGNING = _key("X25519"), _key("Ed25519")


ADDRESS_KEY = base64.b64encode(bytes(32)).decode()
_MANY = 1_000_000
# Hardly any: most tests send everything to Jane. Where SMS go has to be named.
WIDE = Limits(
    countries=["AU", "DE", "ES", "FR", "TW", "US"],
    number_per_hour=_MANY, number_per_day=_MANY, prefix_per_hour=_MANY, address_per_hour=_MANY, address_per_day=_MANY,
    person_per_hour=_MANY, person_per_day=_MANY, ip_per_hour=_MANY, organisation_sms_per_day=_MANY,
    organisation_emails_per_day=_MANY, conversion=Conversion(used_percent=0),
)  # fmt: skip


def limits(settings: Limits) -> str:
    """As the operator writes them down."""
    return msgspec.json.encode(settings).decode()


def providers(*settings: ProviderSettings) -> str:
    """As the operator writes them down."""
    return msgspec.json.encode(settings).decode()


async def until(ready: Callable[[], Any], seconds: float = 30) -> Any:
    """Wait for a condition, which may have to be awaited itself."""
    async with asyncio.timeout(seconds):
        while True:
            found = ready()
            if found := await found if isinstance(found, Awaitable) else found:
                return found
            await asyncio.sleep(0.005)


# --- those that take messages ---------------------------------------------------------------------------------


@dataclass
class Mailbox:
    """What an SMTP server was given, and the answers it was told to give."""

    mails: list[EmailMessage] = field(default_factory=list)
    answers: dict[str, list[str]] = field(default_factory=dict)
    tried: list[str] = field(default_factory=list)
    sessions: set[int] = field(default_factory=set)
    hold: asyncio.Event | None = None
    refuse_data: str = ""
    url: str = ""

    async def handle_RCPT(self, _server: Any, session: Any, envelope: Any, address: str, _options: Any) -> str:
        self.tried.append(address)
        self.sessions.add(id(session))
        waiting = self.answers.get(address)
        if waiting:
            return waiting.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.hold:
            await self.hold.wait()
        if self.refuse_data:
            return self.refuse_data
        mail = BytesParser(policy=policy).parsebytes(envelope.content)
        assert isinstance(mail, EmailMessage)
        mail["X-RcptTo"] = ", ".join(envelope.rcpt_tos)
        mail.replace_header("Message-ID", mail["Message-ID"].strip())  # it is long: it stands on a line of its own
        self.mails.append(mail)
        return "250 2.0.0 Ok: queued as 4F1A2B"

    async def more_than(self, count: int) -> None:
        await until(lambda: len(self.mails) > count)

    def to(self, address: str) -> list[EmailMessage]:
        return [mail for mail in self.mails if mail["X-RcptTo"] == address]


@asynccontextmanager
async def smtp_server(mailbox: Mailbox, *, port: int = 0, **options: Any) -> AsyncIterator[int]:
    sessions: list[SMTP] = []

    def session() -> SMTP:
        loop = asyncio.get_running_loop()
        sessions.append(SMTP(mailbox, hostname="mail.test", enable_SMTPUTF8=True, loop=loop, **options))
        return sessions[-1]

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for one in sessions:
            if one.transport:
                one.transport.close()


@dataclass
class Gateway:
    """What an SMS gateway was given, and what it was told to answer first."""

    sent: list[dict[str, str]] = field(default_factory=list)
    answers: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == aiohttp.encode_basic_auth(ACCOUNT, TOKEN)
        if self.answers:
            status, body = self.answers.pop(0)
            return web.json_response(body, status=status)
        self.sent.append({name: str(value) for name, value in (await request.post()).items()})
        return web.json_response({"sid": f"SM{len(self.sent)}"}, status=201)


@asynccontextmanager
async def served(*routes: web.RouteDef) -> AsyncIterator[int]:
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def identity_routes() -> list[web.RouteDef]:
    public = OKPKey.import_key(json.loads(SIGNING)).as_dict(private=False)

    def answering(body: object) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(_request: web.Request) -> web.Response:
            return web.json_response(body)

        return answer

    token = {"access_token": "t", "token_type": "Bearer", "expires_in": 300, "refresh_token": None}
    return [
        web.get("/.well-known/jwks.json", answering({"keys": [public]})),
        web.get("/v1/revocations", answering({"sessions": []})),
        web.post("/oauth/token", answering(token)),
    ]


# --- the suite around notify ----------------------------------------------------------------------------------


@dataclass
class Running:
    """notify, and everything it talks to."""

    bus: MemoryBus
    clock: FrozenClock
    mailbox: Mailbox
    gateway: Gateway
    settings: Settings
    owner: asyncpg.Connection[Any]
    stack: AsyncExitStack
    url: str = ""

    async def start(self, role: str = Role.ALL, *, bus: MemoryBus | None = None) -> Callable[[], Awaitable[None]]:
        """Another process of notify; call what it returns to stop it."""
        runner = await start(build(self.settings, bus or self.bus, role, clock=self.clock))
        self.url = "http://{}:{}".format(*runner.addresses[0][:2])
        self.stack.push_async_callback(runner.cleanup)
        return runner.cleanup

    async def publish(self, event: Event, *, times: int = 1, at: datetime | None = None) -> None:
        id = IDS.uuid()
        message = Message(id=str(id), type=event.type, body=encode(event, id, at or self.clock.now()))
        assert await self.bus.publish([message] * times) == [True] * times

    async def rows(self) -> list[asyncpg.Record]:
        return await self.owner.fetch("SELECT * FROM delivery ORDER BY created_at, id")

    async def row(self, id: UUID, *states: str) -> asyncpg.Record:
        """This delivery, once it is in one of these states."""

        async def there() -> asyncpg.Record | None:
            return await self.owner.fetchrow("SELECT * FROM delivery WHERE id = $1 AND state = ANY($2)", id, states)

        return await until(there)  # type: ignore[no-any-return]

    async def tried(self, id: UUID) -> asyncpg.Record:
        """This delivery, once somebody has tried to send it."""

        async def there() -> asyncpg.Record | None:
            return await self.owner.fetchrow("SELECT * FROM delivery WHERE id = $1 AND last_answer IS NOT NULL", id)

        return await until(there)  # type: ignore[no-any-return]

    def token(self, staff: UUID, type: StaffType, org: UUID = ACME, *, fresh: bool = False) -> str:
        """`fresh`: a factor was shown just now."""
        now = int(self.clock.now().timestamp())
        claims = {
            "iss": ISSUER, "aud": AUDIENCE, "sub": str(staff), "client_id": "console", "iat": now, "exp": now + 300,
            "jti": str(IDS.uuid()), "org": str(org), "sid": str(IDS.uuid()), "roles": [type.value],
            "auth_time": now if fresh else now - 3600,
        }  # fmt: skip
        key = OKPKey.import_key(json.loads(SIGNING))
        header = {"alg": "EdDSA", "typ": TYPE, "kid": key.kid}
        return jws.serialize_compact(header, json.dumps(claims), key, algorithms=["EdDSA"])


def database_of(notify: Running) -> Database:
    """notify's database, with nobody but the test at work in it."""
    return Database(
        notify.settings.database_url, clock=notify.clock, ids=IDS, write_events=write_events, committed=lambda: None
    )


def link_issued(
    clock: Clock, *, purpose: LinkPurpose = LinkPurpose.ACTIVATE, staff: UUID = JANE, org: UUID = ACME,
    seal_for: UUID | None = None, hours: float = 24, **changed: str,
) -> LinkIssued:  # fmt: skip
    link = IDS.uuid()
    values = {
        "to": "jane@acme.example",
        "name": "Jane",
        "organisation": "ACME Crates",
        "login": "AcmeCrates\\Jane",
        "url": f"https://id.acme.example/activate?token={link.hex}",
    }
    sealed = Sealer(SEAL).seal(msgspec.json.encode(LinkMessage(**(values | changed))), str(seal_for or link))
    expires_at = clock.now() + timedelta(hours=hours)
    return LinkIssued(org=org, staff=staff, link=link, purpose=purpose, expires_at=expires_at, sealed=sealed)


def code_issued(
    clock: Clock, channel: Literal["email", "sms"] = "sms", *, staff: UUID = JANE, org: UUID = ACME,
    minutes: float = 10, **changed: str,
) -> CodeIssued:  # fmt: skip
    code = IDS.uuid()
    to = "+61 400 000 000" if channel == "sms" else "jane@acme.example"
    values = {"to": to, "name": "Jane", "organisation": "ACME Crates", "code": "82461937"}
    sealed = Sealer(SEAL).seal(msgspec.json.encode(CodeMessage(**(values | changed))), str(code))
    expires_at = clock.now() + timedelta(minutes=minutes)
    return CodeIssued(org=org, staff=staff, code=code, channel=channel, expires_at=expires_at, sealed=sealed)


def notice_issued(
    clock: Clock, kind: NoticeKind = NoticeKind.NEW_DEVICE, *, staff: UUID = JANE, org: UUID = ACME,
    lasting: timedelta = timedelta(hours=48), facts: dict[str, str] | None = None, **some: str,
) -> NoticeIssued:  # fmt: skip
    """With `facts`, and some of them otherwise."""
    notice, known = IDS.uuid(), {"at": "2026-11-22 09:00 UTC", "ip": "203.0.113.9", "agent": "Firefox/140 (Windows)"}
    message = NoticeMessage(
        to="jane@acme.example", name="Jane", organisation="ACME Crates", facts=known | (facts or {}) | some
    )
    sealed = Sealer(SEAL).seal(msgspec.json.encode(message), str(notice))
    expires_at = clock.now() + lasting
    return NoticeIssued(org=org, staff=staff, notice=notice, kind=kind, expires_at=expires_at, sealed=sealed)


@pytest.fixture(autouse=True)
def log() -> None:
    """As it is in operation: one line an event, tracebacks without variables."""
    logging.configure("notify", "info")


@pytest_asyncio.fixture(scope="module")
async def database(postgres: str) -> Urls:
    """Each module's own, emptied before each test."""
    return await fresh_database(postgres, "notify")


async def _empty(owner: asyncpg.Connection[Any]) -> None:
    names = "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables WHERE schemaname = 'public'"
    if tables := await owner.fetchval(f"{names} AND tablename <> 'migration'"):
        await owner.execute(f"TRUNCATE {tables}")


@pytest_asyncio.fixture
async def surroundings(database: Urls) -> AsyncIterator[Running]:
    """Everything but notify itself."""
    async with AsyncExitStack() as stack:
        enter: Callable[[AbstractAsyncContextManager[Any]], Awaitable[Any]] = stack.enter_async_context
        mailbox, gateway = Mailbox(), Gateway()
        mailbox.url = f"smtp://127.0.0.1:{await enter(smtp_server(mailbox))}?tls=none"
        taking = web.post(f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json", gateway.take)
        port = await enter(served(taking))
        gateway.url = f"http://{ACCOUNT}:the%20gateway%27s%20secret@127.0.0.1:{port}"
        settings = Settings(
            database_url=database.app,
            migration_url=database.owner,
            http_port=0,
            identity_url=f"http://127.0.0.1:{await enter(served(*identity_routes()))}",
            issuer=ISSUER,
            client_secret="secret",
            seal_key=SEAL,
            address_key=ADDRESS_KEY,
            limits=limits(WIDE),
            providers=providers(
                SmtpSettings(
                    name="mail",
                    url=mailbox.url,
                    sender="Staffgate <no-reply@staffgate.example>",
                    receipts_secret=RECEIPTS_SECRET,
                ),
                TwilioSettings(name="sms", url=gateway.url, sender="+61 400 111 111"),
            ),
        )
        owner = await asyncpg.connect(database.owner)
        stack.push_async_callback(owner.close)
        await _empty(owner)
        yield Running(MemoryBus(), FrozenClock(), mailbox, gateway, settings, owner, stack)


@pytest_asyncio.fixture
async def notify(surroundings: Running) -> Running:
    """notify at work."""
    await surroundings.start()
    return surroundings
