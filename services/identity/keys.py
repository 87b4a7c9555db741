"""Signing access tokens (RFC 9068, EdDSA) and publishing the keys that verify them (RFC 7517)."""

from __future__ import annotations

import msgspec
from joserfc import jws
from joserfc.jwk import OKPKey

from shared.clock import Clock
from shared.ids import Ids
from staffgate.access import ALGORITHMS, AUDIENCE, LIFETIME, TYPE, Claims
from staffgate.contracts.identity import KeySet


class Signer:
    def __init__(self, key: str, issuer: str, clock: Clock, ids: Ids) -> None:
        """`key` is a private Ed25519 JWK in JSON."""
        self._key = OKPKey.import_key(msgspec.json.decode(key))
        self._issuer = issuer
        self._clock = clock
        self._ids = ids

    def public(self) -> KeySet:
        public = {**self._key.as_dict(private=False), "use": "sig", "alg": ALGORITHMS[0]}
        return KeySet(keys=[{name: str(value) for name, value in public.items()}])

    def sign(self, subject: str, client: str, **about: object) -> str:
        """An access token for `subject`, good for LIFETIME seconds. `about` fills the other Claims."""
        now = int(self._clock.now().timestamp())
        claims = Claims(
            iss=self._issuer,
            aud=AUDIENCE,
            sub=subject,
            client_id=client,
            iat=now,
            exp=now + LIFETIME,
            jti=str(self._ids.uuid()),
            **about,  # type: ignore[arg-type]
        )
        header = {"alg": ALGORITHMS[0], "typ": TYPE, "kid": self._key.kid}
        return jws.serialize_compact(header, msgspec.json.encode(claims), self._key, algorithms=ALGORITHMS)
