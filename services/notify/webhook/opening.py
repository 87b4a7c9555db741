"""From the operator's list of endpoints to what posts to them."""

from __future__ import annotations

from collections.abc import Sequence

from services.notify.channels.webhook import TIMEOUT, WebhookProvider
from services.notify.delivery.attempts import Attempts
from services.notify.delivery.dispatcher import Dispatcher
from services.notify.kinds import LAST, URGENT
from services.notify.provider.routes import Route, Routes
from services.notify.provider.settings import ProviderSettings
from services.notify.store.deliveries import Lane
from services.notify.webhook.endpoints import Endpoint
from services.notify.webhook.webhooks import CHANNEL, Posts, Unlimited
from shared.db import Database
from shared.sealing import Opener


def providers(endpoints: Sequence[Endpoint]) -> list[WebhookProvider]:
    return [WebhookProvider(endpoint.name, endpoint.url, endpoint.secrets) for endpoint in endpoints]


def dispatchers(providers: Sequence[WebhookProvider], db: Database, opener: Opener) -> dict[str, Dispatcher]:
    """For each endpoint a lane, a breaker and slots of its own: one that is down holds up no other, and nobody else is
    asked in its place. That it takes its time is no reason to ask it less."""
    found = {}
    for provider in providers:
        routes = Routes([Route(provider, ProviderSettings(name=provider.name))])
        attempts = Attempts(db, opener, Posts(), Unlimited(), routes, slow=TIMEOUT)
        lane = Lane(channel=CHANNEL, first=URGENT, last=LAST, endpoint=provider.name)
        found[f"webhook.{provider.name}"] = Dispatcher(f"webhook.{provider.name}", lane, db, attempts)
    return found
