"""authz on a database of its own, spoken to over HTTP. identity is there as far as the network shows it: its keys, its
ended sessions, and the events that it would tell."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import msgspec
import pytest
import pytest_asyncio
from aiohttp import web
from joserfc import jws
from joserfc.jwk import OKPKey

from deploy.local.databases import Urls
from services.authz.app import Settings, build
from services.authz.store import dossiers as dossier_store
from shared.bus.envelope import decode, encode, open_envelope
from shared.bus.memory import MemoryBus
from shared.bus.port import Bus, Message
from shared.ids import RandomIds
from shared.service import Role, start
from staffgate.access import ALGORITHMS, AUDIENCE, LIFETIME, TYPE, Claims
from staffgate.contracts.authz import PermissionsChanged
from staffgate.contracts.caller import StaffType
from staffgate.contracts.event import Event
from staffgate.contracts.identity import (
    OrganisationNamed,
    OrganisationRegistered,
    OrganisationState,
    StaffAdded,
    StaffEvent,
    StaffState,
    StaffStatus,
)
from staffgate.contracts.level import Level
from staffgate.decision import shipped
from tests.conftest import FrozenClock, fresh_database

IDS = RandomIds()
ISSUER = "http://identity.test"
NOBODY = UUID("00000000-0000-7000-8000-000000000000")
# Which product service registers the items of a type.
OWNERS = {type: manifest.product for manifest in shipped() for section in manifest.sections for type in section.items}


async def until(ready: Callable[[], Any], seconds: float = 30) -> Any:
    """Wait for a condition."""
    async with asyncio.timeout(seconds):
        while not (found := ready()):
            await asyncio.sleep(0.002)
    return found


# --- what the network shows of identity -----------------------------------------------------------------------


class FakeIdentity:
    def __init__(self, clock: Any) -> None:
        self._key = OKPKey.generate_key("Ed25519", parameters={"kid": "test"}, private=True)
        self._clock = clock
        self.ended: list[UUID] = []
        self.url = ""

    def token(self, subject: str, **about: Any) -> str:
        now = int(self._clock.now().timestamp())
        claims = Claims(
            iss=ISSUER, aud=AUDIENCE, sub=subject, client_id=subject, iat=now, exp=now + LIFETIME, jti="1", **about
        )  # fmt: skip
        header = {"alg": ALGORITHMS[0], "typ": TYPE, "kid": "test"}
        return jws.serialize_compact(header, msgspec.json.encode(claims), self._key, algorithms=ALGORITHMS)

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        async def keys(_request: web.Request) -> web.Response:
            return web.json_response({"keys": [self._key.as_dict(private=False)]})

        async def token(_request: web.Request) -> web.Response:
            tokens = {"access_token": self.token("authz"), "token_type": "Bearer", "expires_in": 300}
            return web.json_response(tokens | {"refresh_token": None})

        async def revocations(_request: web.Request) -> web.Response:
            return web.json_response({"sessions": [str(session) for session in self.ended]})

        app = web.Application()
        app.router.add_get("/.well-known/jwks.json", keys)
        app.router.add_post("/oauth/token", token)
        app.router.add_get("/v1/revocations", revocations)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = "http://{}:{}".format(*runner.addresses[0][:2])
        yield
        await runner.cleanup()


# --- authz ----------------------------------------------------------------------------------------------------


@dataclass
class Answer:
    status: int
    json: Any
    headers: Any
    text: str

    @property
    def problem(self) -> tuple[int, str]:
        return self.status, (self.json or {}).get("type", "").rpartition(":")[2]


@dataclass
class Replica:
    """One process of authz, over HTTP."""

    url: str
    session: aiohttp.ClientSession
    bus: Any
    stop: Any

    async def ask(self, method: str, path: str, *, token: str = "", **options: Any) -> Answer:
        headers = options.pop("headers", {}) | ({"Authorization": f"Bearer {token}"} if token else {})
        async with self.session.request(method, self.url + path, headers=headers, **options) as response:
            text = await response.text()
            is_json = "json" in response.headers.get("Content-Type", "")
            return Answer(response.status, json.loads(text) if is_json else None, response.headers, text)

    async def ready(self) -> None:
        async with asyncio.timeout(30):
            while (await self.ask("GET", "/readyz")).status != 200:
                await asyncio.sleep(0.005)


@dataclass
class Heard:
    """Every announcement that went over the bus."""

    events: list[PermissionsChanged] = field(default_factory=list)

    def heard(self, message: Message) -> None:
        event = decode(open_envelope(message.body))
        assert isinstance(event, PermissionsChanged)
        self.events.append(event)

    def lost(self) -> None: ...

    def restored(self) -> None: ...

    def of(self, org: UUID) -> list[PermissionsChanged]:
        return [event for event in self.events if event.org == org]


@dataclass
class Authz:
    """authz and all that it talks to."""

    identity: FakeIdentity
    bus: MemoryBus
    clock: FrozenClock
    heard: Heard
    database: Urls
    settings: Settings
    stack: AsyncExitStack
    session: aiohttp.ClientSession
    first: Replica | None = None

    @property
    def ask(self) -> Callable[..., Any]:
        assert self.first is not None
        return self.first.ask

    @property
    def product(self) -> str:
        return self.identity.token("sms")

    async def replica(self, bus: Bus | None = None, role: str = Role.ALL, **settings: Any) -> Replica:
        changed = msgspec.structs.replace(self.settings, **settings)
        runner = await start(build(changed, bus or self.bus, role, clock=self.clock))
        self.stack.push_async_callback(runner.cleanup)
        replica = Replica(
            "http://{}:{}".format(*runner.addresses[0][:2]), self.session, bus or self.bus, runner.cleanup
        )
        await replica.ready()
        return replica

    async def publish(self, event: Event, *, id: UUID | None = None, bus: Bus | None = None) -> None:
        """As identity would tell it, or another replica."""
        id = id or IDS.uuid()
        body = encode(event, id, self.clock.now())
        assert await (bus or self.bus).publish([Message(id=str(id), type=event.type, body=body)]) == [True]

    async def told(self, org: UUID, count: int) -> list[PermissionsChanged]:
        """Wait until that many announcements of an organisation have left."""
        return await until(lambda: found if len(found := self.heard.of(org)) >= count else None)  # type: ignore[no-any-return]


@dataclass
class Someone:
    authz: Authz
    org: UUID
    state: StaffState
    session: UUID

    @property
    def id(self) -> UUID:
        return self.state.staff

    @property
    def token(self) -> str:
        return self.authz.identity.token(str(self.id), org=self.org, sid=self.session, roles=[self.state.type])

    async def becomes(self, kind: type[StaffEvent], **changes: Any) -> None:
        """identity tells of a change, and authz has taken it in."""
        self.state = msgspec.structs.replace(self.state, version=self.state.version + 1, **changes)
        before = self.changes
        await self.authz.publish(kind(org=self.org, state=self.state))
        await until(lambda: self.changes > before)

    @property
    def changes(self) -> int:
        """How often it was announced that this person's permissions have changed."""
        return sum(event.people == [self.id] for event in self.authz.heard.of(self.org))


def state(
    type: str = "standard", status: str = "active", *, default: str = "deny", route_anywhere: bool = False,
    version: int = 1, staff: UUID | None = None,
) -> StaffState:  # fmt: skip
    return StaffState(
        staff=staff or IDS.uuid(), type=StaffType(type), status=StaffStatus(status), default_level=Level(default),
        route_anywhere=route_anywhere, version=version,
    )  # fmt: skip


@dataclass
class Organisation:
    """One with its owner Ray, who asks for everything that is administered."""

    authz: Authz
    org: UUID
    ray: Someone

    async def add(self, type: str = "standard", status: str = "active", **about: Any) -> Someone:
        someone = Someone(self.authz, self.org, state(type, status, **about), IDS.uuid())
        await self.authz.publish(StaffAdded(org=self.org, state=someone.state))
        await until(lambda: someone.changes)
        return someone

    async def revision(self) -> int:
        """The present one, once everything up to it was announced."""
        answer = await self.authz.ask("GET", f"/v1/staff/{self.ray.id}/grants", token=self.ray.token)
        present: int = answer.json["revision"]
        await until(lambda: present in [event.revision for event in self.authz.heard.of(self.org)])
        return present

    async def register(self, *items: str, section: str = "sms") -> None:
        for item in items:
            type, _, id = item.partition(":")
            body = {"section": section, "label": id.title()}
            token = self.authz.identity.token(OWNERS[type])
            path = f"/v1/organisations/{self.org}/items/{type}/{id}"
            answer = await self.authz.ask("PUT", path, token=token, json=body)
            assert answer.status == 200, answer.text

    async def grant(
        self, to: Someone, level: str, section: str = "sms", *, by: Someone | None = None, on: Replica | None = None,
        **narrower: str,
    ) -> Answer:  # fmt: skip
        body = {"target": {"section": section, **narrower}, "level": level}
        ask = on.ask if on else self.authz.ask
        answer: Answer = await ask("PUT", f"/v1/staff/{to.id}/grants", token=(by or self.ray).token, json=body)
        return answer

    async def granted(self, to: Someone, *grants: tuple[str, dict[str, Any]]) -> None:
        for level, target in grants:
            answer = await self.grant(to, level, **target)
            assert answer.status == 200, answer.text

    async def may(self, who: Someone | UUID, action: str, resource: str, **context: Any) -> bool:
        return bool((await self.explained(who, action, resource, **context)).json["decision"])

    async def explained(
        self, who: Someone | UUID, action: str, resource: str, *, on: Replica | None = None, **context: Any
    ) -> Answer:
        type, _, id = resource.partition(":")
        body = {
            "subject": {"type": "staff", "id": str(who.id if isinstance(who, Someone) else who)},
            "action": {"name": action},
            "resource": {"type": type, "id": id},
            "context": {"explain": True} | context,
        }
        ask = on.ask if on else self.authz.ask
        answer: Answer = await ask("POST", "/access/v1/evaluation", token=self.authz.product, json=body)
        assert answer.status == 200, answer.text
        return answer

    async def found(self, who: Someone | UUID, action: str, type: str = "inbox") -> list[str]:
        body = {
            "subject": {"type": "staff", "id": str(who.id if isinstance(who, Someone) else who)},
            "action": {"name": action},
            "resource": {"type": type},
        }
        answer = await self.authz.ask("POST", "/access/v1/search/resource", token=self.authz.product, json=body)
        assert answer.status == 200, answer.text
        return [f"{one['type']}:{one['id']}" for one in answer.json["results"]]


async def registered(authz: Authz, name: str = "ACME Crates") -> Organisation:
    org = IDS.uuid()
    ray = Someone(authz, org, state("owner", default="full", route_anywhere=True), IDS.uuid())
    about = OrganisationState(name=name, number=org.hex[:8], username=None, version=1)
    await authz.publish(OrganisationRegistered(org=org, state=about))
    await authz.publish(StaffAdded(org=org, state=ray.state))
    # Whichever of the two is handled first makes the organisation known; the second one names its root, or brings Ray.
    await until(lambda: ray.changes and len(authz.heard.of(org)) == 2)
    return Organisation(authz, org, ray)


def named(org: UUID, username: str = "AcmeCrates") -> OrganisationNamed:
    about = OrganisationState(name="ACME Crates", number=org.hex[:8], username=username, version=2)
    return OrganisationNamed(org=org, state=about)


class Gate:
    """Holds one reading: it has read, and has not come back yet."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.go = asyncio.Event(), asyncio.Event()
        self.read = dossier_store.dossiers
        self._shut = True
        monkeypatch.setattr(dossier_store, "dossiers", self)

    async def __call__(self, tx: Any, org: UUID, staff: Any) -> Any:
        shut, self._shut = self._shut, False
        found = await self.read(tx, org, staff)
        if shut:
            self.reached.set()
            await self.go.wait()
        return found


@pytest_asyncio.fixture
async def owner(authz: Authz) -> AsyncIterator[Any]:
    """A connection as the owner of the tables, who sees all of them."""
    connection = await asyncpg.connect(authz.database.owner)
    yield connection
    await connection.close()


# --- fixtures -------------------------------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="module")
async def database(postgres: str) -> Urls:
    """Each module's own: what others have left behind is neither found nor counted here."""
    return await fresh_database(postgres, "authz")


@asynccontextmanager
async def surroundings(database: Urls, clock: Any) -> AsyncIterator[Authz]:
    """Everything but authz itself."""
    async with AsyncExitStack() as stack:
        identity = FakeIdentity(clock)
        await stack.enter_async_context(identity.served())
        bus, heard = MemoryBus(), Heard()
        bus.listen([PermissionsChanged.type], heard)
        settings = Settings(
            database_url=database.app,
            migration_url=database.owner,
            http_port=0,
            identity_url=identity.url,
            issuer=ISSUER,
            client_secret="secret",
            public_url="https://authz.test",
            arrival_seconds=0.3,
        )
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Authz(identity, bus, clock, heard, database, settings, stack, session)


@pytest_asyncio.fixture
async def authz(database: Urls) -> AsyncIterator[Authz]:
    async with surroundings(database, FrozenClock()) as authz:
        authz.first = await authz.replica()
        yield authz


@pytest_asyncio.fixture
async def acme(authz: Authz) -> Organisation:
    return await registered(authz)


@pytest_asyncio.fixture
async def office(acme: Organisation) -> Any:
    from tests.service.authz.office import Office

    return Office(acme)
