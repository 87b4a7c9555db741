"""Product services: the platform's own programs, each with credentials from the settings (RFC 6749 section 4.4)."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence

from services.identity.session.keys import Signer
from shared.errors import Unauthenticated
from staffgate.access import LIFETIME
from staffgate.contracts.identity import Tokens

_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_MOST = 2  # secrets of one product: the new one and, until every replica of the product has it, the old one


class Products:
    def __init__(self, secrets: Mapping[str, Sequence[str]], signer: Signer) -> None:
        """`secrets` are SHA-256 in hex by name: the settings hold nothing that can be used to sign in."""
        self._secrets = secrets
        self._signer = signer

    def sign_in(self, client_id: str, client_secret: str) -> Tokens:
        given = hashlib.sha256(client_secret.encode()).hexdigest()
        if not sum(hmac.compare_digest(given, digest) for digest in self._secrets.get(client_id, ())):
            raise Unauthenticated("invalid_client", "Unknown client or wrong secret.")
        access = self._signer.sign(client_id, client_id)
        return Tokens(access_token=access, token_type="Bearer", expires_in=LIFETIME, refresh_token=None)  # noqa: S106


def read_products(text: str) -> dict[str, list[str]]:
    """`name:sha256,name:sha256:sha256`, as in the setting; raise ValueError for anything else."""
    products: dict[str, list[str]] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, *digests = entry.split(":")
        if not name or not 1 <= len(digests) <= _MOST or not all(_DIGEST.fullmatch(digest) for digest in digests):
            raise ValueError(
                f"{name or entry!r}: give each product as name:<sha256 of its secret in hex>, at most {_MOST}"
            )
        if name in products:
            raise ValueError(f"{name!r} stands there twice")
        products[name] = [digest.lower() for digest in digests]
    return products
