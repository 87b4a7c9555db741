"""notify put together."""

from __future__ import annotations

from pathlib import Path

from services.notify.api import api
from services.notify.content.contents import Contents
from services.notify.delivery.attempts import Attempts
from services.notify.delivery.deliveries import LAST, URGENT, Deliveries
from services.notify.delivery.dispatcher import Dispatcher
from services.notify.events import HANDLERS, waking
from services.notify.limit.admission import Admission
from services.notify.provider.opening import routes as open_routes
from services.notify.provider.settings import read as read_providers
from services.notify.service import Notify
from services.notify.settings import Settings
from services.notify.store.deliveries import Lane
from shared.access import Access
from shared.bus.consumer import Consumer
from shared.bus.port import Bus
from shared.clock import Clock
from shared.db import Database
from shared.http.health import Check
from shared.ids import Ids
from shared.sealing import Opener
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

MIGRATIONS = Path(__file__).parent / "migrations"
# Each with slots of its own: what somebody waits for, and what may wait.
LANES = {
    "codes.email": Lane(channel="email", first=URGENT, last=URGENT),
    "codes.sms": Lane(channel="sms", first=URGENT, last=URGENT),
    "email": Lane(channel="email", first=URGENT + 1, last=LAST),
    "sms": Lane(channel="sms", first=URGENT + 1, last=LAST),
}


def build(settings: Settings, bus: Bus, role: str, *, clock: Clock | None = None, ids: Ids | None = None) -> Service:
    db, relay = open_database(settings, bus, clock, ids)
    access = Access(settings.identity_url, settings.issuer, db.clock)
    parts: list[Part] = [migrated(settings, MIGRATIONS), db.opened()]
    checks = [Check("database", db.ping), Check("bus", lambda: bus_connected(bus), needed=False)]
    if role != Role.HTTP:
        dispatchers = _sending(settings, db, bus, parts)
        checks += [Check(f"dispatcher.{name}", dispatcher.ping) for name, dispatcher in dispatchers.items()]
    if role != Role.WORKER:
        access.listen(bus)
        parts.append(access.kept("notify", settings.client_secret))
        checks.append(Check("access", access.ready))
    parts.append(connected(bus))
    if role != Role.HTTP:
        parts.append(relayed(relay))
    routes = api_routes("notify", api, Notify(deliveries=Deliveries(db)), access.authenticate)
    return assemble("notify", settings, routes=[] if role == Role.WORKER else routes, parts=parts, checks=checks)


def _sending(settings: Settings, db: Database, bus: Bus, parts: list[Part]) -> dict[str, Dispatcher]:
    """The worker's side: what hears of messages, and what sends them."""
    routes = open_routes(read_providers(settings.providers))
    attempts = Attempts(db, Opener(settings.seal_key), Contents(), Admission(), routes)
    dispatchers = {name: Dispatcher(name, lane, db, attempts) for name, lane in LANES.items()}
    parts += [provider.opened() for provider in routes.providers]
    parts += [dispatcher.running() for dispatcher in dispatchers.values()]
    wake = [dispatcher.wake for dispatcher in dispatchers.values()]
    for queue, handlers in HANDLERS.items():
        bus.consume(queue, waking(Consumer(queue, db, handlers), wake))
    return dispatchers
