"""From the operator's list to providers that can be asked."""

from __future__ import annotations

from collections.abc import Sequence

from services.notify.channels.email import SmtpProvider
from services.notify.channels.port import Provider
from services.notify.channels.twilio import TwilioProvider
from services.notify.provider.routes import Route, Routes
from services.notify.provider.settings import Settings, SmtpSettings, TwilioSettings


def routes(settings: Sequence[Settings]) -> Routes:
    return Routes([Route(provider(one), one) for one in settings])


def provider(settings: Settings) -> Provider:
    match settings:
        case SmtpSettings():
            return SmtpProvider(settings.name, settings.url, settings.sender)
        case TwilioSettings():
            return TwilioProvider(settings.name, settings.url, settings.sender)
