"""Product services: the platform's own programs, each with credentials from the settings (RFC 6749 section 4.4)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from services.identity.keys import Signer
from shared.errors import Unauthenticated
from staffgate.access import LIFETIME
from staffgate.contracts.identity import Tokens


class Products:
    def __init__(self, secrets: Mapping[str, str], signer: Signer) -> None:
        """`secrets` are SHA-256 in hex by name: the settings hold nothing that can be used to sign in."""
        self._secrets = secrets
        self._signer = signer

    def sign_in(self, client_id: str, client_secret: str) -> Tokens:
        given = hashlib.sha256(client_secret.encode()).hexdigest()
        if not hmac.compare_digest(given, self._secrets.get(client_id, "")):
            raise Unauthenticated("invalid_client", "Unknown client or wrong secret.", error="invalid_client")
        access = self._signer.sign(client_id, client_id)
        return Tokens(access_token=access, token_type="Bearer", expires_in=LIFETIME, refresh_token=None)  # noqa: S106


def read_products(text: str) -> dict[str, str]:
    """`name:sha256,name:sha256`, as in the setting; raise ValueError for anything else."""
    products = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, _, digest = entry.partition(":")
        if not name or len(digest) != 64:
            raise ValueError(f"{name or entry!r}: give each product as name:<sha256 of its secret in hex>")
        products[name] = digest.lower()
    return products
