"""Providers as the operator names them: a JSON list, the first of a channel preferred. It holds their secrets."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta

from services.notify.channels.placeholders import NAMES, named
from staffgate.contracts.identity import Email

_LOGIN = r"[^:@/\s]+:[^@/\s]+@"
_PLACE = r"(\[[0-9a-fA-F:]+\]|[^:@/\s\[\]?]+)(:\d{1,5})?"
# A password goes over TLS or nowhere, so `tls=none` takes no login.
_SECURE = rf"smtps://({_LOGIN})?{_PLACE}/?|smtp://({_LOGIN})?{_PLACE}/?(\?tls=starttls)?"
_THIS_MACHINE = r"(127\.0\.0\.1|\[::1\]|localhost)(:\d{1,5})?"
_END = r"$(?!\n)"  # `$` alone would let a line feed through at the end, and with it another header
_NUMBER_OR_NAME = r"\+?[0-9][0-9 ]{2,24}|(?=.*[A-Za-z])[A-Za-z0-9 &+_\-]{1,11}"

Name = Annotated[str, Meta(pattern=r"^[a-z0-9](-?[a-z0-9]){0,31}" + _END)]
SmtpUrl = Annotated[str, Meta(pattern=rf"^({_SECURE}|smtp://{_PLACE}/?\?tls=none)" + _END)]
# Its login is the key of receipts, too, so it goes over TLS, or no farther than this machine or the next container.
AccountUrl = Annotated[
    str,
    Meta(
        pattern=rf"^(https://{_LOGIN}{_PLACE}|http://{_LOGIN}({_THIS_MACHINE}|[a-z0-9-]+(:\d{{1,5}})?))(/[^\s?#]*)?"
        + _END
    ),
]
# What it is called with holds secrets, so without TLS nobody but this machine is.
ProviderUrl = Annotated[str, Meta(pattern=rf"^(https://{_PLACE}|http://{_THIS_MACHINE})(/[^\s#{{}}]*)?" + _END)]
Sender = Annotated[str, Meta(pattern=r"^([^<>\x00-\x1f]+ <[^<>@\s]+@[^<>@\s]+>|[^<>@\s]+@[^<>@\s]+)" + _END)]
SmsSender = Annotated[str, Meta(pattern=rf"^({_NUMBER_OR_NAME})" + _END)]
TwilioSender = Annotated[str, Meta(pattern=rf"^(MG[0-9a-fA-F]{{32}}|{_NUMBER_OR_NAME})" + _END)]
Country = Annotated[str, Meta(pattern=r"^[A-Z]{2}" + _END)]
Price = Annotated[int, Meta(ge=0)]
HeaderName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~\-]{1,64}" + _END)]
HeaderValue = Annotated[str, Meta(pattern=r"^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?" + _END)]
Pointer = Annotated[str, Meta(pattern=r"^(/([^/~]|~[01])*)+" + _END)]
Status = Annotated[int, Meta(ge=200, le=299)]
Byte = Annotated[int, Meta(ge=0, le=255)]

_FRAMING = frozenset({"content-length", "transfer-encoding", "connection", "host"})


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
    bounces_to: Email | None = None  # the envelope's sender, where bounces go


class TwilioSettings(ProviderSettings, frozen=True, kw_only=True, tag="twilio"):
    channel: ClassVar[str] = "sms"

    url: AccountUrl  # https://account:token@host, with Twilio's interface behind it
    sender: TwilioSender  # a number, a name of up to eleven letters, or a messaging service (MG...)
    idempotency_header: HeaderName | None = None  # where it knows one: a message that is tried again is sent once


class AcceptedWhen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The status is one of these, and, where `at` points somewhere in the answer, one of the values stands there."""

    statuses: frozenset[Status] = frozenset({200, 201, 202})
    at: Pointer | None = None
    values: list[str] = []

    def __post_init__(self) -> None:
        if bool(self.at) != bool(self.values) or not self.statuses:
            raise ValueError("what is accepted needs statuses, and `at` and `values` both or neither")


class HttpSettings(ProviderSettings, frozen=True, kw_only=True, tag="http"):
    """A request that the operator describes. In `headers`, `json` and `form` stand the placeholders {to}, {digits} (the
    number without its plus), {text}, {from}, {id} and {receipts}; the address has none, because proxies write it down."""

    channel: ClassVar[str] = "sms"

    url: ProviderUrl
    method: Literal["POST", "PUT"] = "POST"
    headers: dict[HeaderName, HeaderValue] = {}
    json: dict[str, Any] | None = None
    form: dict[str, str] | None = None
    sender: SmsSender | None = None
    accepted: AcceptedWhen = AcceptedWhen()
    reference_at: Pointer | None = None  # what it calls the message
    code_at: Pointer | None = None  # why it refuses
    permanent: list[str] = []  # of these, what never changes: no such number, opted out
    idempotency_header: HeaderName | None = None

    def __post_init__(self) -> None:
        if (self.json is None) == (self.form is None):
            raise ValueError("the body is either `json` or `form`")
        inside = set(named(self.json if self.form is None else self.form))
        if unknown := sorted((inside | set(named(self.headers))) - NAMES):
            raise ValueError(f"nobody knows what {{{unknown[0]}}} is")
        if "text" not in inside or not inside & {"to", "digits"}:
            raise ValueError("the body lacks {text}, or {to} and {digits}")
        if "text" in named(self.headers) or _FRAMING & {name.lower() for name in self.headers}:
            raise ValueError("a header can't hold {text}, nor be one of the transport's own")
        if not self.sender and "from" in inside | set(named(self.headers)):
            raise ValueError("{from} needs a sender")
        if self.permanent and not self.code_at:
            raise ValueError("codes that are permanent need `code_at`")

    @property
    def says_receipts(self) -> bool:
        return "receipts" in {*named(self.json), *named(self.form), *named(self.headers)}


class SmppSettings(ProviderSettings, frozen=True, kw_only=True, tag="smpp"):
    """SMPP 3.4, as a transceiver. Receipts come over the same link, so they need no secret."""

    channel: ClassVar[str] = "sms"

    host: Annotated[str, Meta(pattern=r"^([^\s/@:]+|[0-9a-fA-F:]+)" + _END)]
    port: Annotated[int, Meta(ge=1, le=65_535)]
    tls: bool = True  # without it the password and the codes are readable on the way
    system_id: Annotated[str, Meta(pattern=r"^[\x21-\x7e]{1,15}" + _END)]
    password: Annotated[str, Meta(pattern=r"^[\x21-\x7e]{0,64}" + _END)]  # the standard has room for 8, many take more
    system_type: Annotated[str, Meta(pattern=r"^[\x20-\x7e]{0,12}" + _END)] = ""
    sender: SmsSender
    source_ton: Byte | None = None  # none: as the sender looks, international, a name, or a short number
    source_npi: Byte | None = None
    window: Annotated[int, Meta(ge=1, le=1000)] = 10  # messages that may be without an answer at a time
    long_messages: Literal["parts", "payload"] = "parts"
    validity: bool = True  # says until when a message is of use; some servers refuse to be told
    receipt_ids: Literal["same", "decimal", "hex"] = (
        "same"  # how receipts write an id that the answer wrote the other way
    )
    permanent: list[int] = []  # statuses of its own that mean never
    dead_numbers: list[str] = []  # `err:` of its receipts that mean that the number is nobody's


Settings = SmtpSettings | TwilioSettings | HttpSettings | SmppSettings


def read(text: str) -> list[Settings]:
    """Raise ValueError for what is no such list, or where a name stands twice."""
    providers = msgspec.json.decode(text, type=list[Settings])
    names = [provider.name for provider in providers]
    if len(names) != len(set(names)):
        raise ValueError("two providers have one name")
    return providers
