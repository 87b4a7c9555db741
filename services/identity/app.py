"""identity, put together: the one place that knows all its pieces."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import aiohttp
from aiohttp import web
from msgspec import Meta

from services.identity.api import api
from services.identity.codes import Codes
from services.identity.devices import Devices
from services.identity.events import HANDLERS
from services.identity.keys import Keys, Signer
from services.identity.links import Links
from services.identity.logins import Logins
from services.identity.messages import Messages
from services.identity.organisations import Organisations
from services.identity.passwords import Passwords
from services.identity.permits import OwnToken, Permits
from services.identity.products import Products, read_products
from services.identity.proofs import Proofs
from services.identity.replies import KeptReplies
from services.identity.service import Identity
from services.identity.sessions import Sessions
from services.identity.staff import StaffAccounts
from services.identity.totp import Totp
from shared.bus.consumer import Consumer
from shared.bus.port import Bus
from shared.bus.topology import IDENTITY_PLACEMENTS
from shared.clock import Clock
from shared.db import Database
from shared.http.health import Check
from shared.ids import Ids
from shared.sealing import Opener, Sealer
from shared.service import (
    Role,
    Service,
    api_routes,
    assemble,
    bus_connected,
    connected,
    migrated,
    open_database,
    relayed,
)
from shared.settings import CommonSettings
from staffgate.access import Verifier
from staffgate.client import AuthzClient

MIGRATIONS = Path(__file__).parent / "migrations"


class Settings(CommonSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    public_url: str  # where links lead, and the issuer that tokens name
    signing_key: str  # private Ed25519 JWK: the first key that signs access tokens, until there is another in the database
    factor_key: str  # private X25519 JWK: secrets of authenticator apps and signing keys at rest
    code_key: str  # 32 bytes in base64: login codes and refresh tokens
    seal_key: str  # notify's public X25519 JWK
    authz_url: str  # where this service reaches authz, which it asks who may administer staff
    products: str = ""  # name:sha256 of its secret, comma between; while a secret is changed, name:sha256:sha256
    key_days: Annotated[int, Meta(ge=1, le=365)] = 30  # so long one key signs access tokens


def build(
    settings: Settings, bus: Bus, role: str, *, clock: Clock | None = None, ids: Ids | None = None,
    passwords: Passwords | None = None,
) -> Service:  # fmt: skip
    db, relay = open_database(settings, bus, clock, ids)
    permits = Permits()
    identity = _identity(settings, db, passwords or Passwords(), permits)
    if role != Role.HTTP:
        bus.consume(IDENTITY_PLACEMENTS, Consumer(IDENTITY_PLACEMENTS, db, HANDLERS).handle)
    return assemble(
        "identity",
        settings,
        routes=_routes(settings, db, identity) if role != Role.WORKER else [],
        # Whoever commits may have to carry, and tells the one that does: nothing is to wait for a poll.
        parts=[
            migrated(settings, MIGRATIONS),
            db.opened(),
            identity.keys.kept(),
            _asking(permits, settings.authz_url, OwnToken(identity.signer, db.clock)),
            connected(bus),
            relayed(relay),
        ],
        # A broker that is away keeps nobody from logging in: events wait in the outbox.
        checks=[Check("database", db.ping), Check("bus", lambda: bus_connected(bus), needed=False)],
    )


def _routes(settings: Settings, db: Database, identity: Identity) -> list[web.RouteDef]:
    replies = KeptReplies(db, Opener(settings.factor_key))
    return api_routes("identity", api, identity, identity.sessions.authenticate, replies)


@asynccontextmanager
async def _asking(permits: Permits, url: str, token: OwnToken) -> AsyncIterator[None]:
    """authz is asked, and not waited for: who logs in needs nothing of it."""
    async with aiohttp.ClientSession() as session:
        permits.authz = AuthzClient(session, url, token)
        yield


def signing_keys(settings: Settings, db: Database) -> Keys:
    signer = Signer(settings.public_url, db.clock, db.ids)
    verifier = Verifier(settings.public_url, lambda: db.clock.now().timestamp())
    life = timedelta(days=settings.key_days)
    return Keys(db, Opener(settings.factor_key), signer, verifier, settings.signing_key, life)


def _identity(settings: Settings, db: Database, passwords: Passwords, permits: Permits) -> Identity:
    keys = signing_keys(settings, db)
    code_key = base64.b64decode(settings.code_key)
    messages = Messages(Sealer(settings.seal_key), settings.public_url)
    links = Links(db, messages, passwords, Devices())
    sessions = Sessions(db, keys.signer, keys.verifier, code_key, permits, messages)
    totp = Totp(db, Opener(settings.factor_key), sessions, messages)
    codes = Codes(db, messages, code_key)
    proofs = Proofs(db, totp, codes)
    return Identity(
        organisations=Organisations(db, links, permits),
        staff=StaffAccounts(db, links, permits, sessions),
        links=links,
        logins=Logins(db, passwords, proofs, codes, sessions),
        totp=totp,
        sessions=sessions,
        products=Products(read_products(settings.products), keys.signer),
        signer=keys.signer,
        keys=keys,
    )
