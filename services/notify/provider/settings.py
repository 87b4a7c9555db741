"""Providers as the operator names them: a JSON list, the first of a channel preferred. It holds their secrets."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

_LOGIN = r"[^:@/\s]+:[^@/\s]+@"
_PLACE = r"(\[[0-9a-fA-F:]+\]|[^:@/\s\[\]?]+)(:\d{1,5})?"
# A password goes over TLS or nowhere, so `tls=none` takes no login.
_SECURE = rf"smtps://({_LOGIN})?{_PLACE}/?|smtp://({_LOGIN})?{_PLACE}/?(\?tls=starttls)?"

Name = Annotated[str, Meta(pattern=r"^[a-z0-9](-?[a-z0-9]){0,31}$")]
SmtpUrl = Annotated[str, Meta(pattern=rf"^({_SECURE}|smtp://{_PLACE}/?\?tls=none)$")]
AccountUrl = Annotated[str, Meta(pattern=rf"^https?://{_LOGIN}{_PLACE}(/[^\s?#]*)?$")]
Sender = Annotated[str, Meta(pattern=r"^([^<>\x00-\x1f]+ <[^<>@\s]+@[^<>@\s]+>|[^<>@\s]+@[^<>@\s]+)$")]
Country = Annotated[str, Meta(pattern=r"^[A-Z]{2}$")]
Price = Annotated[int, Meta(ge=0)]


class ProviderSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What every provider has. The name stands in receipts' addresses, in metrics and in each delivery."""

    channel: ClassVar[str] = ""

    name: Name
    countries: list[Country] = []  # where it sends to, ISO 3166; none: everywhere
    price: Price = 0  # of one SMS segment or one e-mail, in millionths of the operator's currency
    prices: dict[Country, Price] = {}  # where a country's is another one
    receipts_secret: str | None = None  # signs what it tells us afterwards; without it nothing is believed


class SmtpSettings(ProviderSettings, frozen=True, kw_only=True, tag="smtp"):
    channel: ClassVar[str] = "email"

    url: SmtpUrl  # smtps://user:password@host:465, smtp://host:587 (STARTTLS), smtp://host:25?tls=none
    sender: Sender
    bounces_to: str | None = None  # the envelope's sender, where bounces go


class TwilioSettings(ProviderSettings, frozen=True, kw_only=True, tag="twilio"):
    channel: ClassVar[str] = "sms"

    url: AccountUrl  # https://account:token@host, with Twilio's interface behind it
    sender: str


Settings = SmtpSettings | TwilioSettings


def read(text: str) -> list[Settings]:
    """Raise ValueError for what is no such list, or where a name stands twice."""
    providers = msgspec.json.decode(text, type=list[Settings])
    names = [provider.name for provider in providers]
    if len(names) != len(set(names)):
        raise ValueError("two providers have one name")
    return providers
