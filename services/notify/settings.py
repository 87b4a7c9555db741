"""notify's own settings, besides what every service needs."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from shared.settings import ClientSettings


class Settings(ClientSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    seal_key: str  # JWK, X25519 with its private half
    address_key: str  # 32 bytes, base64: addresses that are counted or suppressed are kept as HMACs under it
    providers: str  # who sends for us: a JSON list, see the page about providers
    limits: str = "{}"  # how much may be sent, and where SMS go to: a JSON object, see the page about limits
    public_url: str = ""  # where providers reach notify with receipts; without it none are asked for
    webhooks: str = ""  # products' endpoints that events are posted to: a JSON list, see the page about webhooks
    keep_days: Annotated[int, Meta(ge=1, le=3650)] = 30  # how long deliveries are listed after their end
