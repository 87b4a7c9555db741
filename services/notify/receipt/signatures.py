"""Whether a receipt is from the provider that it speaks for. Whoever could invent one could have any address suppressed.

Twilio, and who speaks like it, signs the address that is asked and the fields of the form with the account's token; it
names no time, so what it signed once is good for ever, and says the same however often it is told. Everybody else signs
time and body with the provider's `receipts_secret`, and is believed for five minutes.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from services.notify.provider.settings import ProviderSettings, TwilioSettings
from shared.http.head import Head

HEADER = "receipt-signature"
_TWILIO = "x-twilio-signature"
_TOLERANCE = timedelta(minutes=5)
_SHORTEST = 16


class Signatures(Protocol):
    def match(self, head: Head, content: bytes, now: datetime) -> bool: ...


def signatures(settings: ProviderSettings, public_url: str) -> Signatures | None:
    """None where nothing is believed. Raise ValueError for a secret that can be guessed."""
    secrets = [secret.encode() for secret in (settings.receipts_secret or "").split()]
    if any(len(secret) < _SHORTEST for secret in secrets):
        raise ValueError(f"receipts_secret of {settings.name} is shorter than {_SHORTEST} characters")
    if isinstance(settings, TwilioSettings):
        token = unquote(urlsplit(settings.url).password or "").encode()
        return FormSignatures(public_url, [token, *secrets]) if public_url else None
    return TimedSignatures(secrets) if secrets else None


class TimedSignatures:
    """`Receipt-Signature: t=1795341600,v1=<HMAC-SHA256 of "t.body" in hexadecimal>`. While the secret is changed there are
    two, and a signature by either will do."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._secrets = secrets

    def match(self, head: Head, content: bytes, now: datetime) -> bool:
        fields = [field.strip().partition("=")[::2] for field in head.headers.get(HEADER, "").split(",")]
        times = [value for name, value in fields if name == "t"]
        if len(times) != 1 or not _is_near(times[0], now):
            return False
        given = [value for name, value in fields if name == "v1"]
        return _any_is(given, [signed(secret, times[0], content) for secret in self._secrets])


class FormSignatures:
    """X-Twilio-Signature: HMAC-SHA1 in base64, as Twilio says at "Security". The address is the public one, for that is
    what Twilio asked, whatever stands between it and us."""

    def __init__(self, public_url: str, tokens: Sequence[bytes]) -> None:
        self._public_url = public_url.rstrip("/")
        self._tokens = tokens

    def match(self, head: Head, content: bytes, now: datetime) -> bool:
        try:
            fields = _form(content)
        except ValueError:  # more of them than anybody signs
            return False
        text = f"{self._public_url}{head.target}" + "".join(name + value for name, value in fields)
        given = head.headers.get(_TWILIO, "")
        return _any_is([given], [signed_form(token, text) for token in self._tokens])


def signed(secret: bytes, time: str, content: bytes) -> str:
    return hmac.new(secret, time.encode() + b"." + content, "sha256").hexdigest()


def signed_form(token: bytes, text: str) -> str:
    return base64.b64encode(hmac.digest(token, text.encode(errors="surrogateescape"), "sha1")).decode()


def _form(content: bytes) -> list[tuple[str, str]]:
    """Sorted, and what stands there twice once, as Twilio does it."""
    text = content.decode(errors="surrogateescape")
    return sorted(set(parse_qsl(text, keep_blank_values=True, errors="surrogateescape", max_num_fields=200)))


def _is_near(time: str, now: datetime) -> bool:
    if not (time.isascii() and time.isdigit() and len(time) <= 12):
        return False
    return abs(now.timestamp() - int(time)) <= _TOLERANCE.total_seconds()


def _any_is(given: Iterable[str], right: Sequence[str]) -> bool:
    """All are compared, and each in a time that says nothing of how much of it was right."""
    found = [hmac.compare_digest(one.encode(errors="replace"), other.encode()) for one in given for other in right]
    return any(found)
