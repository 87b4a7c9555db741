"""Secrets that have to travel or rest: sealed as JWE (RFC 7516) to a key that one service alone holds.

ECDH-ES over X25519 with A256GCM: whoever has the public half can seal, only the owner of the private half can open,
and a seal made for one context does not open in another.
"""

from __future__ import annotations

import base64

import msgspec
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

_ALGORITHMS = ["ECDH-ES", "A256GCM"]


class Unopenable(Exception):
    """Not sealed to this key, not for this context, or tampered with."""


class Sealer:
    """Seals; can't open again unless the key that it was given has its private half."""

    def __init__(self, key: str) -> None:
        self._key = OKPKey.import_key(msgspec.json.decode(key))

    def seal(self, content: bytes, context: str) -> str:
        """`context` names what the secret belongs to (the id of its row).

        It goes in as `apv` (RFC 7518 section 4.6.1.3), so the key itself is derived from it.
        """
        header = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": self._key.kid, "apv": _apv(context)}
        return jwe.encrypt_compact(header, content, self._key, algorithms=_ALGORITHMS)


class Opener(Sealer):
    """Holds the private half."""

    def open(self, sealed: str, context: str) -> bytes:
        try:
            opened = jwe.decrypt_compact(sealed, self._key, algorithms=_ALGORITHMS)
        except (JoseError, ValueError) as fault:
            raise Unopenable("the seal does not open with this key") from fault
        if opened.headers().get("apv") != _apv(context) or opened.plaintext is None:
            raise Unopenable("the seal was made for something else")
        return opened.plaintext


def _apv(context: str) -> str:
    return base64.urlsafe_b64encode(context.encode()).rstrip(b"=").decode()
