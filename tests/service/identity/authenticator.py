"""An authenticator in software, and the browser round it: it does what WebAuthn says, or, told so, something else."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

ORIGIN, DOMAIN = "http://identity.test", "identity.test"
ES256, EDDSA, ES512 = -7, -8, -36
_UP, _UV, _BE, _BS, _AT = 0x01, 0x04, 0x08, 0x10, 0x40


@dataclass(frozen=True)
class Otherwise:
    """What it is to do otherwise than it should."""

    origin: str = ORIGIN
    domain: str = DOMAIN
    type: str | None = None
    challenge: bytes | None = None
    present: bool = True
    verified: bool = True
    synced: bool = True
    cross_origin: bool | None = None
    algorithm: int = ES256
    user: bytes | None = None
    key: Any = None
    count: int | None = None
    format: str = "none"
    more: dict[str, Any] = field(default_factory=dict)  # in clientDataJSON
    id: bytes | None = None


@dataclass
class Authenticator:
    """Holds one passkey. `counts`: as security keys do; those that sync say 0 for ever."""

    counts: bool = False
    count: int = 0
    id: bytes = field(default_factory=lambda: os.urandom(20))
    user: bytes = b""
    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def create(self, options: dict[str, Any], otherwise: Otherwise | None = None) -> dict[str, Any]:
        """`navigator.credentials.create(...).toJSON()`"""
        said = otherwise or Otherwise()
        self.user = base64url_to_bytes(options["user"]["id"])
        if said.algorithm == EDDSA:
            self.key = ed25519.Ed25519PrivateKey.generate()
        elif said.algorithm == ES512:
            self.key = ec.generate_private_key(ec.SECP521R1())
        id = said.id or self.id
        key = cbor2.dumps(self._cose(said.algorithm))
        attested = bytes(16) + len(id).to_bytes(2, "big") + id + key
        data = self._data(said, _AT) + attested
        statement: dict[str, Any] = {} if said.format == "none" else {"x5c": []}
        attestation = cbor2.dumps({"fmt": said.format, "attStmt": statement, "authData": data})
        client = self._client(said, "webauthn.create", options["challenge"])
        return self._credential(
            {
                "clientDataJSON": bytes_to_base64url(client),
                "attestationObject": bytes_to_base64url(attestation),
                "transports": ["internal", "hybrid", "of tomorrow"],
            }
        )

    def get(self, options: dict[str, Any], otherwise: Otherwise | None = None) -> dict[str, Any]:
        """`navigator.credentials.get(...).toJSON()`"""
        said = otherwise or Otherwise()
        self.count += self.counts
        data, client = self._data(said, 0), self._client(said, "webauthn.get", options["challenge"])
        signed = data + hashlib.sha256(client).digest()
        return self._credential(
            {
                "clientDataJSON": bytes_to_base64url(client),
                "authenticatorData": bytes_to_base64url(data),
                "signature": bytes_to_base64url(self._sign(said.key or self.key, signed)),
                "userHandle": bytes_to_base64url(said.user or self.user),
            }
        )

    def _credential(self, response: dict[str, Any]) -> dict[str, Any]:
        id = bytes_to_base64url(self.id)
        return {"id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {}, "response": response}

    def _data(self, said: Otherwise, flags: int) -> bytes:
        flags |= (_UP if said.present else 0) | (_UV if said.verified else 0) | (_BE | _BS if said.synced else 0)
        count = self.count if said.count is None else said.count
        return hashlib.sha256(said.domain.encode()).digest() + bytes([flags]) + count.to_bytes(4, "big")

    @staticmethod
    def _client(said: Otherwise, type: str, challenge: str) -> bytes:
        if said.challenge is not None:
            challenge = bytes_to_base64url(said.challenge)
        client: dict[str, Any] = {"type": said.type or type, "challenge": challenge, "origin": said.origin}
        if said.cross_origin is not None:
            client["crossOrigin"] = said.cross_origin
        return json.dumps(client | said.more).encode()

    @staticmethod
    def _sign(key: Any, content: bytes) -> bytes:
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(content)
        return bytes(key.sign(content, ec.ECDSA(SHA256())))

    def _cose(self, algorithm: int) -> dict[int, Any]:
        if algorithm == EDDSA:
            return {1: 1, 3: EDDSA, -1: 6, -2: self.key.public_key().public_bytes_raw()}
        numbers = self.key.public_key().public_numbers()
        curve, size = (3, 66) if algorithm == ES512 else (1, 32)
        x, y = numbers.x.to_bytes(size, "big"), numbers.y.to_bytes(size, "big")
        return {1: 2, 3: algorithm, -1: curve, -2: x, -3: y}
