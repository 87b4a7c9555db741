"""From the operator's list to providers that can be asked."""

from __future__ import annotations

from collections.abc import Sequence

from services.notify.channels.email import SmtpProvider
from services.notify.channels.http import HttpProvider
from services.notify.channels.port import Provider, Tell
from services.notify.channels.smpp.provider import SmppProvider
from services.notify.channels.tokens import Tokens
from services.notify.channels.twilio import TwilioProvider
from services.notify.provider.routes import Route, Routes
from services.notify.provider.settings import HttpSettings, Settings, SmppSettings, SmtpSettings, TwilioSettings


def routes(settings: Sequence[Settings], public_url: str, tell: Tell, tokens: Tokens) -> Routes:
    """`tell` takes what a provider says of a message over the connection that it keeps with us."""
    return Routes([Route(provider(one, public_url, tell, tokens), one) for one in settings])


def provider(settings: Settings, public_url: str, tell: Tell, tokens: Tokens) -> Provider:
    """Raise ValueError for a description that asks for receipts where none would be believed."""
    receipts = f"{public_url.rstrip('/')}/v1/receipts/{settings.name}" if public_url else ""
    match settings:
        case SmtpSettings():
            return SmtpProvider(settings.name, settings.url, settings.sender, tokens, bounces_to=settings.bounces_to)
        case TwilioSettings():
            header = settings.idempotency_header
            return TwilioProvider(
                settings.name, settings.url, settings.sender, receipts=receipts, idempotency_header=header
            )
        case HttpSettings():
            if settings.says_receipts and not (receipts and settings.receipts_secret):
                raise ValueError(
                    f"{settings.name} asks for {{receipts}}: that needs a receipts_secret and a public_url"
                )
            return HttpProvider(settings, receipts)
        case SmppSettings():
            return SmppProvider(settings, tell)
