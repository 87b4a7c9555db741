"""notify put together."""

from __future__ import annotations

from pathlib import Path

from services.notify.api import api
from services.notify.brand.branding import Branding
from services.notify.brand.brands import Brands
from services.notify.channels.tokens import Tokens
from services.notify.content.contents import Contents
from services.notify.content.previews import Previews
from services.notify.delivery import retention, watch
from services.notify.delivery.attempts import Attempts
from services.notify.delivery.dead import DeadLetters
from services.notify.delivery.deliveries import Deliveries
from services.notify.delivery.dispatcher import Dispatcher, running
from services.notify.events import HANDLERS, waking
from services.notify.kinds import LAST, URGENT
from services.notify.limit.opening import address_key, admission
from services.notify.limit.policies import Policies
from services.notify.limit.settings import read as read_limits
from services.notify.limit.watch import Watch as LimitWatch
from services.notify.provider.opening import routes as open_routes
from services.notify.provider.settings import read as read_providers
from services.notify.receipt.receipts import Receipts
from services.notify.service import Notify
from services.notify.settings import Settings
from services.notify.store.deliveries import Lane
from services.notify.suppression.addresses import Addresses
from services.notify.suppression.suppressions import Suppressions
from services.notify.webhook import opening as webhook_opening
from services.notify.webhook.endpoints import read as read_endpoints
from services.notify.webhook.webhooks import Webhooks
from shared.access import Access
from shared.bus.consumer import Consumer
from shared.bus.port import Bus
from shared.bus.topology import NOTIFY_WEBHOOKS
from shared.clock import Clock
from shared.db import Database
from shared.http.health import Check
from shared.ids import Ids
from shared.rounds import Round
from shared.sealing import Opener
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
    access, brands = Access(settings.identity_url, settings.issuer, db.clock), Brands(db)
    contents = Contents(brands.of)
    key = address_key(settings.address_key)
    suppressions, tokens = Suppressions(db, Addresses(key)), Tokens(key)
    receipts = Receipts(db, suppressions, read_providers(settings.providers), settings.public_url, tokens)
    parts: list[Part] = [migrated(settings, MIGRATIONS), db.opened()]
    checks = [Check("database", db.ping), Check("bus", lambda: bus_connected(bus), needed=False)]
    if role != Role.WORKER:
        access.listen(bus)
        parts.append(access.kept("notify", settings.client_secret))
        checks.append(Check("access", access.ready))
    parts.append(connected(bus))
    if role != Role.HTTP:
        parts.append(relayed(relay))
        dispatchers = _sending(settings, db, bus, parts, contents, receipts)
        parts.append(receipts.round.running())
        checks += [Check(f"dispatcher.{name}", dispatcher.ping) for name, dispatcher in dispatchers.items()]
    parts.append(drained(bus))
    routes = api_routes(
        "notify",
        api,
        Notify(
            deliveries=Deliveries(db),
            dead=DeadLetters(db),
            branding=Branding(db, brands),
            previews=Previews(contents, brands, db.clock),
            suppressions=suppressions,
            receipts=receipts,
            policies=Policies(db, read_limits(settings.limits)),
        ),
        access.authenticate,
    )
    return assemble("notify", settings, routes=[] if role == Role.WORKER else routes, parts=parts, checks=checks)


def _sending(
    settings: Settings, db: Database, bus: Bus, parts: list[Part], contents: Contents, receipts: Receipts
) -> dict[str, Dispatcher]:  # fmt: skip
    """The worker's side: what hears of messages, and what sends them."""
    named, opener = read_providers(settings.providers), Opener(settings.seal_key)
    key, limits = address_key(settings.address_key), read_limits(settings.limits)
    routes = open_routes(named, settings.public_url, receipts.tell, Tokens(key))
    admitting = admission(limits, key, db, routes)
    attempts = Attempts(db, opener, contents, admitting, routes)
    urgent = [Dispatcher(name, lane, db, attempts) for name, lane in LANES.items() if lane.last == URGENT]
    others = [Dispatcher(name, lane, db, attempts, urgent) for name, lane in LANES.items() if lane.last != URGENT]
    dispatchers = {one.name: one for one in (*urgent, *others)}
    endpoints = read_endpoints(settings.webhooks, [one.name for one in named])
    posting = webhook_opening.providers(endpoints)
    dispatchers |= webhook_opening.dispatchers(posting, db, opener)
    parts += [provider.opened() for provider in (*routes.providers, *posting)]
    parts.append(running([*dispatchers.values()]))
    wake = [dispatcher.wake for dispatcher in dispatchers.values()]
    for queue, handlers in {**HANDLERS, NOTIFY_WEBHOOKS: Webhooks(endpoints, opener).handlers()}.items():
        bus.consume(queue, waking(Consumer(queue, db, handlers), wake))
    parts += [one.running() for one in LimitWatch(db, limits).rounds()]
    parts.append(Round("watch", watch.EVERY, watch.Watch(db).look).running())
    parts.append(Round("retention", retention.EVERY, retention.Retention(db, settings.keep_days).sweep).running())
    return dispatchers
