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
from services.identity.cursors import Cursors
from services.identity.events import HANDLERS
from services.identity.factor.secondfactors import read_ceremonies, second_factors
from services.identity.log.trail import Trail
from services.identity.login.admission import Admission
from services.identity.login.devices import Devices
from services.identity.login.locks import Locks
from services.identity.login.logins import Logins
from services.identity.login.passwordless import Passwordless
from services.identity.login.throttle import Throttle
from services.identity.messages import Messages
from services.identity.networks import read_floor
from services.identity.organisation.blocklist import Visitors
from services.identity.organisation.closing import Closing
from services.identity.organisation.numbers import Numbers
from services.identity.organisation.organisations import Organisations
from services.identity.organisation.ownership import Ownership
from services.identity.organisation.recoveries import Recoveries
from services.identity.organisation.security import Security
from services.identity.password.links import Links
from services.identity.password.own_password import OwnPassword
from services.identity.password.passwords import Passwords, read_pepper
from services.identity.password.resets import Resets
from services.identity.permits import OwnToken, Permits
from services.identity.replies import KeptReplies
from services.identity.retention import Retention
from services.identity.service import Identity
from services.identity.session.keys import Keys, Signer
from services.identity.session.products import Products, read_products
from services.identity.session.sessions import Sessions
from services.identity.staff.accounts import StaffAccounts
from services.identity.staff.availability import Availabilities
from services.identity.staff.contacts import Contacts
from services.identity.staff.edits import Edits
from services.identity.staff.erasure import Erasure
from services.identity.staff.exports import Exports
from services.identity.staff.imports.importer import Importer
from services.identity.staff.imports.sending import Imports
from services.identity.staff.imports.work import Work
from services.identity.staff.lifecycle import Lifecycle
from services.identity.staff.reach import Reach
from services.identity.staff.roster import Roster
from services.identity.staff.weblinks import Weblinks
from shared.bus.consumer import Consumer
from shared.bus.port import Bus
from shared.bus.topology import IDENTITY_MESSAGES, IDENTITY_PLACEMENTS
from shared.clock import Clock
from shared.db import Database
from shared.http.health import Check
from shared.ids import Ids
from shared.rounds import Round
from shared.sealing import Opener, Sealer
from shared.service import (
    Role,
    Service,
    api_routes,
    assemble,
    bus_connected,
    connected,
    drained,
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
    signing_key: str  # private Ed25519 JWK: the first key that signs access tokens; the later ones are in the database
    factor_key: str  # private X25519 JWK: secrets of authenticator apps and signing keys at rest
    code_key: str  # 32 bytes in base64: login codes and refresh tokens
    seal_key: str  # notify's public X25519 JWK
    authz_url: str  # where this service reaches authz, which it asks who may administer staff
    products: str = ""  # name:sha256 of its secret, comma between; while a secret is changed, name:sha256:sha256
    weblink_url: str = ""  # where weblinks lead; the random part comes after it. By default a page of identity's own
    erase_days: Annotated[int, Meta(ge=1, le=3650)] = 30  # who was deleted so long ago is forgotten
    keep_days: Annotated[int, Meta(ge=1, le=3650)] = 30  # logins, sessions, links and the like, from when they are over
    recovery_hours: Annotated[int, Meta(ge=1, le=720)] = 24  # so long the recovery of an owner waits for an objection
    networks: str = ""  # from where people may get in, CIDR with commas between; organisations can only tighten it
    passkey_domain: str = ""  # what passkeys are good for, by default the host of public_url; can not be changed later
    passkey_origins: str = ""  # the pages that may ask for them, commas between; by default the origin of public_url
    key_days: Annotated[int, Meta(ge=1, le=365)] = 30  # so long one key signs access tokens
    pepper: str = ""  # 32 bytes in base64 that passwords are keyed with; lose it, and nobody gets in without a reset
    former_pepper: str = ""  # while another takes its place: each password is keyed anew at its next login


def build(
    settings: Settings, bus: Bus, role: str, *, clock: Clock | None = None, ids: Ids | None = None,
    passwords: Passwords | None = None,
) -> Service:  # fmt: skip
    db, relay = open_database(settings, bus, clock, ids)
    permits, replies = Permits(), KeptReplies(db, Opener(settings.factor_key))
    identity = _identity(settings, db, passwords or password_hashing(settings), permits)
    if role != Role.HTTP:
        bus.consume(IDENTITY_PLACEMENTS, Consumer(IDENTITY_PLACEMENTS, db, HANDLERS).handle)
        bus.consume(IDENTITY_MESSAGES, Consumer(IDENTITY_MESSAGES, db, identity.reach.handlers).handle)
    return assemble(
        "identity",
        settings,
        routes=_routes(identity, replies) if role != Role.WORKER else [],
        # Whoever commits may have to carry, and tells the one that does: nothing is to wait for a poll.
        parts=[
            migrated(settings, MIGRATIONS),
            db.opened(),
            identity.keys.kept(),
            _asking(permits, settings.authz_url, OwnToken(identity.signer, db.clock)),
            connected(bus),
            relayed(relay),
            *([Erasure(db, settings.erase_days).round.running()] if role != Role.HTTP else []),
            *([Retention(db, settings.keep_days).round.running()] if role != Role.HTTP else []),
            *([identity.closing.round.running(), _gone(identity).running()] if role != Role.HTTP else []),
            *([identity.importer.running(), identity.recoveries.round.running()] if role != Role.HTTP else []),
            identity.resets.answering(),
            drained(bus),
        ],
        # A broker that is away keeps nobody from logging in: events wait in the outbox.
        checks=[Check("database", db.ping), Check("bus", lambda: bus_connected(bus), needed=False)],
    )


def _routes(identity: Identity, replies: KeptReplies) -> list[web.RouteDef]:
    return api_routes("identity", api, identity, identity.sessions.authenticate, replies)


def _gone(identity: Identity) -> Round:
    """Whose sessions ran out is offline within so many seconds."""
    return Round("availability", 30.0, identity.availabilities.sweep)


@asynccontextmanager
async def _asking(permits: Permits, url: str, token: OwnToken) -> AsyncIterator[None]:
    """authz is asked, and not waited for: who logs in needs nothing of it."""
    async with aiohttp.ClientSession() as session:
        permits.authz = AuthzClient(session, url, token)
        yield


def signing_keys(settings: Settings, db: Database) -> Keys:
    signer = Signer(settings.public_url, db.clock, db.ids)
    verifier = Verifier(settings.public_url, db.clock.seconds)
    life = timedelta(days=settings.key_days)
    return Keys(db, Opener(settings.factor_key), signer, verifier, settings.signing_key, life)


def recoveries(settings: Settings, db: Database) -> Recoveries:
    """For who has no service around them."""
    return _identity(settings, db, password_hashing(settings), Permits()).recoveries


def password_hashing(settings: Settings) -> Passwords:
    return Passwords(pepper=read_pepper(settings.pepper), former_pepper=read_pepper(settings.former_pepper))


def _identity(settings: Settings, db: Database, passwords: Passwords, permits: Permits) -> Identity:
    keys = signing_keys(settings, db)
    code_key = base64.b64decode(settings.code_key)
    messages = Messages(Sealer(settings.seal_key), settings.public_url, code_key)
    devices, floor, throttle = Devices(), read_floor(settings.networks), Throttle(code_key)
    links = Links(db, messages, passwords, devices)
    sessions = Sessions(db, keys.signer, keys.verifier, code_key, permits, messages, floor)
    ceremonies = read_ceremonies(settings.public_url, settings.passkey_domain, settings.passkey_origins)
    opener = Opener(settings.factor_key)
    factors = second_factors(db, sessions, messages, permits, opener, code_key, ceremonies)
    admission = Admission(devices, sessions, messages, floor)
    contacts = Contacts(db, links, factors.codes, messages, opener)
    weblink_url = settings.weblink_url or f"{settings.public_url.rstrip('/')}/w/"
    locks = Locks(db, throttle, messages, permits, weblink_url)
    lifecycle = Lifecycle(db, permits, sessions, weblink_url)
    importer = Importer(db, Work(db, permits, links, messages))
    return Identity(
        organisations=Organisations(db, links, permits),
        staff=StaffAccounts(db, links, permits, weblink_url),
        edits=Edits(db, permits, lifecycle, contacts, messages, weblink_url),
        lifecycle=lifecycle,
        roster=Roster(db, permits, Cursors(code_key), weblink_url),
        weblinks=Weblinks(db, permits, weblink_url),
        imports=Imports(db, permits, importer.wake),
        importer=importer,
        exports=Exports(db, permits),
        links=links,
        resets=Resets(db, links, passwords, permits, sessions, messages, devices, throttle),
        own_password=OwnPassword(db, passwords, sessions, messages),
        contacts=contacts,
        logins=Logins(db, passwords, factors.proofs, factors.codes, devices, throttle, locks, admission, messages),
        locks=locks,
        security=Security(db, sessions, floor),
        factors=factors,
        passwordless=Passwordless(db, factors.passkeys, devices, admission, code_key),
        sessions=sessions,
        products=Products(read_products(settings.products), keys.signer),
        signer=keys.signer,
        keys=keys,
        availabilities=Availabilities(db, permits),
        visitors=Visitors(db, permits),
        closing=Closing(db, sessions, lifecycle, messages, settings.erase_days),
        numbers=Numbers(db, permits),
        ownership=Ownership(db, sessions, messages),
        recoveries=Recoveries(db, links, lifecycle, messages),
        trail=Trail(db, permits),
        reach=Reach(messages),
    )
