"""authz, put together: the one place that knows all its pieces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from aiohttp.web import RouteDef
from msgspec import Meta

from services.authz.api import api
from services.authz.arrivals import Arrivals
from services.authz.decisions import Decisions
from services.authz.events import HANDLERS, Announcements
from services.authz.facts import Reader
from services.authz.grants import Grants
from services.authz.items import Items
from services.authz.service import Authz
from services.authz.snapshots import Snapshots
from shared.access import Access
from shared.bus.consumer import Consumer
from shared.bus.port import Bus
from shared.bus.topology import AUTHZ_STAFF
from shared.clock import Clock
from shared.db import Database
from shared.http.health import Check
from shared.ids import Ids
from shared.service import (
    Part,
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
from shared.settings import ClientSettings
from staffgate.contracts.authz import Metadata, PermissionsChanged
from staffgate.decision import Catalogue, shipped

MIGRATIONS = Path(__file__).parent / "migrations"


class Settings(ClientSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """authz's own, besides what every service needs."""

    public_url: str = ""  # where product services reach it, if that is not http_host and http_port
    cache_size: Annotated[int, Meta(ge=1)] = 100_000  # people whose permissions a replica remembers
    arrival_seconds: Annotated[float, Meta(ge=0)] = 2.0  # how long a request waits for a person just made


def build(settings: Settings, bus: Bus, role: str, *, clock: Clock | None = None, ids: Ids | None = None) -> Service:
    db, relay = open_database(settings, bus, clock, ids)
    parts: list[Part] = [migrated(settings, MIGRATIONS), db.opened()]
    # Without the bus every question goes to the database: slower, and right.
    checks = [Check("database", db.ping), Check("bus", lambda: bus_connected(bus), needed=False)]
    routes: list[RouteDef] = []
    if role != Role.WORKER:
        access = Access(settings.identity_url, settings.issuer, db.clock)
        access.listen(bus)
        parts.append(access.kept("authz", settings.client_secret))
        checks.append(Check("access", access.ready))
        routes = api_routes("authz", api, _authz(settings, db, bus), access.authenticate)
    if role != Role.HTTP:
        bus.consume(AUTHZ_STAFF, Consumer(AUTHZ_STAFF, db, HANDLERS).handle)
    # Whoever commits may have to carry, and tells the one that does: a revoke made here is not to wait for a poll.
    parts += [connected(bus), relayed(relay)]
    return assemble("authz", settings, routes=routes, parts=parts, checks=checks)


def _authz(settings: Settings, db: Database, bus: Bus) -> Authz:
    catalogue = Catalogue.from_manifests(shipped())
    snapshots = Snapshots(Reader(db, catalogue), db.clock, size=settings.cache_size)
    arrivals = Arrivals(settings.arrival_seconds)
    bus.listen([PermissionsChanged.type], Announcements(snapshots, arrivals))
    return Authz(
        decisions=Decisions(db, catalogue, snapshots, arrivals),
        items=Items(db, catalogue, arrivals),
        grants=Grants(db, catalogue, snapshots, arrivals),
        metadata=_metadata(settings.public_url or f"http://{settings.http_host}:{settings.http_port}"),
    )


def _metadata(url: str) -> Metadata:
    url = url.rstrip("/")
    return Metadata(
        policy_decision_point=url,
        access_evaluation_endpoint=f"{url}/access/v1/evaluation",
        search_resource_endpoint=f"{url}/access/v1/search/resource",
    )
