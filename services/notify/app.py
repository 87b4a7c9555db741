"""notify put together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from services.notify.api import api
from services.notify.channels.email import EmailChannel
from services.notify.channels.sms import SmsChannel
from services.notify.deliveries import Deliveries
from services.notify.dispatcher import Dispatcher
from services.notify.events import HANDLERS, waking
from services.notify.service import Notify
from services.notify.templates import Templates
from shared.access import Access
from shared.bus.consumer import Consumer
from shared.bus.port import Bus
from shared.bus.topology import NOTIFY_MESSAGES
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
from shared.settings import ClientSettings

MIGRATIONS = Path(__file__).parent / "migrations"
_LOGIN = r"[^:@/\s]+:[^@/\s]+@"
_PLACE = r"(\[[0-9a-fA-F:]+\]|[^:@/\s\[\]?]+)(:\d{1,5})?"

# A password goes over TLS or nowhere, so `tls=none` takes no login.
_SECURE = rf"smtps://({_LOGIN})?{_PLACE}/?|smtp://({_LOGIN})?{_PLACE}/?(\?tls=starttls)?"
SmtpUrl = Annotated[str, Meta(pattern=rf"^({_SECURE}|smtp://{_PLACE}/?\?tls=none)$")]
SmsUrl = Annotated[str, Meta(pattern=rf"^https?://{_LOGIN}{_PLACE}(/[^\s?#]*)?$")]
Sender = Annotated[str, Meta(pattern=r"^([^<>\x00-\x1f]+ <[^<>@\s]+@[^<>@\s]+>|[^<>@\s]+@[^<>@\s]+)$")]


class Settings(ClientSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """notify's own, besides what every service needs."""

    seal_key: str  # JWK, X25519 with its private half
    smtp_url: SmtpUrl  # smtps://user:password@host:465, smtp://host:587 (STARTTLS), smtp://host:25?tls=none
    mail_from: Sender
    sms_url: SmsUrl  # https://account:token@host, with Twilio's interface behind it
    sms_from: str


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
    opener, templates = Opener(settings.seal_key), Templates()
    channels = (EmailChannel(settings.smtp_url, settings.mail_from), SmsChannel(settings.sms_url, settings.sms_from))
    dispatchers = {channel.name: Dispatcher(db, channel, opener, templates) for channel in channels}
    parts += [channel.opened() for channel in channels]
    parts += [dispatcher.running() for dispatcher in dispatchers.values()]
    consumer = Consumer(NOTIFY_MESSAGES, db, HANDLERS)
    bus.consume(NOTIFY_MESSAGES, waking(consumer, [dispatcher.wake for dispatcher in dispatchers.values()]))
    return dispatchers
