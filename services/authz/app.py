"""authz, put together: the one place that knows all its pieces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import msgspec
from aiohttp.web import Application, RouteDef
from msgspec import Meta

from services.authz.api import api
from services.authz.arrivals import Arrivals
from services.authz.at_once import AtOnce
from services.authz.candidates import Candidates
from services.authz.catalogue import Catalogues
from services.authz.changes import Changes
from services.authz.decisions import Decisions
from services.authz.drift import Drifts
from services.authz.endings import ending
from services.authz.events import HANDLERS, Announcements, item_handlers
from services.authz.explanations import Explanations
from services.authz.heartbeat import beating
from services.authz.holders import Holders
from services.authz.items import Items
from services.authz.listing import Listing
from services.authz.manifests import Manifests
from services.authz.measuring import MIRRORS, synced
from services.authz.pages import Pages
from services.authz.replicas import FORGOTTEN_EVERY, Replicas
from services.authz.rows import Rows
from services.authz.searches import Searches
from services.authz.service import Authz
from services.authz.source import Stored
from services.authz.stream import Streams
from services.authz.verdicts import Verdicts
from services.authz.views import Views
from shared.access import Access
from shared.bus.consumer import Consumer
from shared.bus.port import Bus
from shared.bus.topology import AUTHZ_ITEMS, AUTHZ_STAFF
from shared.clock import Clock
from shared.db import Database
from shared.http.express import Express, lanes
from shared.http.health import Check
from shared.ids import Ids
from shared.rounds import Round
from shared.service import (
    Part,
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
from shared.settings import ClientSettings
from staffgate.contracts.authz import Heartbeat
from staffgate.contracts.catalogue import CataloguePublished
from staffgate.contracts.decisions import Metadata
from staffgate.mirror import Mirror
from staffgate.standings import carried

MIGRATIONS = Path(__file__).parent / "migrations"


class Settings(ClientSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """authz's own, besides what every service needs."""

    # Where product services reach it, if that is not http_host and http_port. It is the decision point's name too, so
    # that it has neither a path (AuthZEN 1.0, 9.2: the metadata would be elsewhere) nor a query or fragment (9.1.1).
    public_url: Annotated[str, Meta(pattern=r"^(https?://[^/?#\s]+/?)?$(?!\n)")] = ""
    cache_size: Annotated[int, Meta(ge=1)] = 100_000  # people whose permissions a replica remembers
    # How far behind an answer may be: with no heartbeat for so long, nothing is answered from memory any more.
    staleness_seconds: Annotated[float, Meta(gt=0)] = 3.0
    arrival_seconds: Annotated[float, Meta(ge=0)] = 2.0  # how long a request waits for a person just made
    streams: Annotated[int, Meta(ge=0)] = 500  # product processes that may follow this process's event stream at a time
    # Evaluations that can be answered from memory are answered in front of the HTTP parser, four times as fast.
    express: bool = True
    stream_seconds: Annotated[float, Meta(gt=0)] = 300.0  # how long one lasts at most: as long as an access token


def build(settings: Settings, bus: Bus, role: str, *, clock: Clock | None = None, ids: Ids | None = None) -> Service:
    db, relay = open_database(settings, bus, clock, ids)
    catalogues = Catalogues(db)
    manifests = Manifests(db, catalogues)
    bus.listen([CataloguePublished.type, Heartbeat.type], catalogues)
    parts: list[Part] = [migrated(settings, MIGRATIONS), db.opened(), manifests.shipped(), catalogues.kept()]
    # Without the bus every question goes to the database: slower, and right.
    checks = [Check("database", db.ping), Check("bus", lambda: bus_connected(bus), needed=False)]
    routes: list[RouteDef] = []
    express = None
    streams = Streams(settings.streams, settings.stream_seconds)
    if role != Role.WORKER:
        access = Access(settings.identity_url, settings.issuer, db.clock)
        access.listen(bus)
        parts.append(access.kept("authz", settings.client_secret))
        checks.append(Check("access", access.ready))
        mirror = _mirror(settings, db, catalogues)
        parts.append(MIRRORS.measured(mirror))
        checks.append(Check("mirror", lambda: synced(mirror), needed=False))
        bus.listen(Streams.types, streams)
        authz = _authz(settings, db, bus, catalogues, manifests, mirror, streams)
        routes = api_routes("authz", api, authz, access.authenticate)
        express = Express(lanes(api, authz), access.recall) if settings.express else None
    if role != Role.HTTP:
        bus.consume(AUTHZ_STAFF, Consumer(AUTHZ_STAFF, db, HANDLERS).handle)
        items = Items(db, catalogues, Arrivals(0), lambda *_: None)  # of what they do here the bus tells everybody
        bus.consume(AUTHZ_ITEMS, Consumer(AUTHZ_ITEMS, db, item_handlers(items)).handle)
    # Whoever commits may have to carry, and tells the one that does: a revoke made here is not to wait for a poll.
    # The heart has a connection of its own: one that waits behind questions would send more of them to the database.
    own, _ = open_database(msgspec.structs.replace(settings, pool_size=1), bus, clock, ids)
    parts += [connected(bus), relayed(relay), own.opened(), beating(own, bus)]
    if role != Role.HTTP:
        parts.append(ending(db))
        parts.append(Round("recent", FORGOTTEN_EVERY, Replicas(db, catalogues).forget).running())
    parts.append(drained(bus))
    service = assemble("authz", settings, routes=routes, parts=parts, checks=checks, express=express)
    service.app.on_shutdown.append(_stopping(streams))
    return service


def _stopping(streams: Streams) -> Callable[[Application], Awaitable[None]]:
    async def stop(_app: Application) -> None:
        streams.stop()

    return stop


def _mirror(settings: Settings, db: Database, catalogues: Catalogues) -> Mirror:
    mirror = Mirror(
        Stored(db),
        catalogues.current,
        db.clock.seconds,
        size=settings.cache_size,
        bound=settings.staleness_seconds,
        answers=2 * settings.cache_size,  # 500 bytes each, and only what was really asked
        carried=carried,
    )
    catalogues.tell(mirror.replace)
    return mirror


def _authz(
    settings: Settings, db: Database, bus: Bus, catalogues: Catalogues, manifests: Manifests, mirror: Mirror,
    streams: Streams,
) -> Authz:  # fmt: skip
    arrivals = Arrivals(settings.arrival_seconds)
    bus.listen(Announcements.types, Announcements(mirror, arrivals))
    verdicts = Verdicts(mirror, arrivals)
    # What every replica has and nobody else: a page's token may come to another replica.
    pages = Pages(settings.client_secret)
    holders = Holders(db, verdicts, arrivals, pages)
    return Authz(
        decisions=Decisions(verdicts),
        at_once=AtOnce(mirror),
        searches=Searches(verdicts, pages),
        holders=holders,
        explanations=Explanations(verdicts, holders, arrivals),
        catalogues=catalogues,
        manifests=manifests,
        drifts=Drifts(db, catalogues, arrivals),
        items=Items(db, catalogues, arrivals, mirror.changed),
        listing=Listing(db, catalogues, arrivals),
        changes=Changes(db, lambda: catalogues.current, arrivals, mirror.changed),
        candidates=Candidates(db, lambda: catalogues.current, arrivals),
        views=Views(db, lambda: catalogues.current, arrivals),
        replicas=Replicas(db, catalogues),
        streams=streams,
        rows=Rows(db, catalogues, arrivals),
        metadata=_metadata(settings.public_url or f"http://{settings.http_host}:{settings.http_port}"),
    )


def _metadata(url: str) -> Metadata:
    url = url.rstrip("/")
    return Metadata(
        policy_decision_point=url,
        access_evaluation_endpoint=f"{url}/access/v1/evaluation",
        access_evaluations_endpoint=f"{url}/access/v1/evaluations",
        search_subject_endpoint=f"{url}/access/v1/search/subject",
        search_resource_endpoint=f"{url}/access/v1/search/resource",
        search_action_endpoint=f"{url}/access/v1/search/action",
    )
