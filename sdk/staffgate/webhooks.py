"""What notify posts to a product: signed as Standard Webhooks (standardwebhooks.com) has it, with a CloudEvent inside.

    webhooks = Webhooks(["whsec_..."])
    envelope = webhooks.opened(request.headers, await request.read())

It may come twice, and in another order than it was sent: `envelope.id` is the same each time, and what carries a whole
state says its version. Any other library that knows Standard Webhooks verifies it just as well.
"""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Callable, Mapping, Sequence

from staffgate.contracts.envelope import Envelope, Undecodable, open_envelope

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
_PREFIX, _VERSION = "whsec_", "v1,"
_SHORTEST, _LONGEST = 24, 64  # bytes of a secret, as the standard has it
_TOLERANCE = 300.0  # seconds that our clocks may differ, and a recorded post is good for


class WebhookRefused(Exception):
    """Not signed with a secret of ours, not lately, or no event: answer 401 and do nothing."""


def secret_key(secret: str) -> bytes:
    """Raise ValueError for what is no secret: `whsec_` and 24 to 64 bytes in base64."""
    if not secret.startswith(_PREFIX):
        raise ValueError(f"a webhook's secret begins with {_PREFIX}")
    key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    if not _SHORTEST <= len(key) <= _LONGEST:
        raise ValueError(f"a webhook's secret is {_SHORTEST} to {_LONGEST} bytes long, in base64")
    return key


def signature(key: bytes, id: str, timestamp: int, body: bytes) -> str:
    signed = hmac.digest(key, f"{id}.{timestamp}.".encode() + body, "sha256")
    return _VERSION + base64.b64encode(signed).decode()


class Webhooks:
    """One endpoint's. While a secret is being replaced both are given here."""

    def __init__(self, secrets: Sequence[str], now: Callable[[], float] = time.time) -> None:
        """`now` is seconds since the epoch."""
        self._keys = [secret_key(secret) for secret in secrets]
        self._now = now

    def opened(self, headers: Mapping[str, str], body: bytes) -> Envelope:
        """The event, to be read with `staffgate.contracts.envelope.decode`; `body` is as it came, byte for byte."""
        named = {name.lower(): value for name, value in headers.items()}
        try:
            id, timestamp, signatures = named[ID], named[TIMESTAMP], named[SIGNATURE].split()
        except KeyError as missing:
            raise WebhookRefused(f"the header {missing} is missing") from None
        if not id.isascii():
            raise WebhookRefused(f"{ID} is no id")
        if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 12):
            raise WebhookRefused(f"{TIMESTAMP} is no time")
        if abs(self._now() - int(timestamp)) > _TOLERANCE:
            raise WebhookRefused("it was signed too long ago, or by a clock that is wrong")
        if not self._signed(signatures, id, int(timestamp), body):
            raise WebhookRefused("it is not signed with a secret of ours")
        try:
            return open_envelope(body)
        except Undecodable as fault:
            raise WebhookRefused(str(fault)) from fault

    def _signed(self, signatures: Sequence[str], id: str, timestamp: int, body: bytes) -> bool:
        ours = [signature(key, id, timestamp, body).encode() for key in self._keys]
        return any(hmac.compare_digest(one, theirs.encode(errors="replace")) for one in ours for theirs in signatures)
