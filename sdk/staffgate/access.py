"""Verifying access tokens (RFC 9068) and knowing which of them are not good any more.

A token is good for five minutes, and a session may end before that: the sessions that ended are remembered here for as
long as one of their tokens could still be unexpired.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from uuid import UUID

import msgspec
from joserfc import jwk, jws
from joserfc.errors import JoseError

from staffgate.contracts.caller import Caller, Enrolling, Person, Product, StaffType
from staffgate.contracts.identity import KeySet

# RFC 9864 renames the algorithm to Ed25519; most verifiers in use know it by the old name only.
warnings.filterwarnings("ignore", message="EdDSA is deprecated")

AUDIENCE = "staffgate"
TYPE = "at+jwt"
ALGORITHMS = ["EdDSA"]
LIFETIME = 300  # seconds
ENROL = "enrol"  # the `acr` of who may do nothing yet but enrol a second factor, or change an expired password
_LEEWAY = 30
_MAX_TOKEN = 4096
_REMEMBERED = 10_000


class TokenRefused(Exception):
    """Why, in a word: malformed, signature, expired, session_ended, ..."""


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What an access token says; `org`, `sid` and `roles` only for a person."""

    iss: str
    aud: str
    sub: str
    client_id: str
    iat: int
    exp: int
    jti: str
    org: UUID | None = None
    sid: UUID | None = None
    roles: list[StaffType] = []
    amr: list[str] = []
    acr: str = ""
    auth_time: int = 0


_decode = msgspec.json.Decoder(Claims).decode


class Verifier:
    """`now` is seconds since the epoch. Verifying is synchronous: nothing is asked of anybody."""

    def __init__(self, issuer: str, now: Callable[[], float]) -> None:
        self._issuer = issuer
        self._now = now
        self._keys: jwk.KeySet | None = None
        self._ended: dict[UUID, float] = {}
        # A signature costs 170 µs to verify and a look-up 0.05; a person asks many times with the same token.
        self._known: dict[str, Claims] = {}

    @property
    def has_keys(self) -> bool:
        return self._keys is not None

    def trust(self, keys: KeySet) -> None:
        """Verify with these public keys from now on."""
        self._keys = jwk.KeySet([jwk.OKPKey.import_key({**key}) for key in keys.keys])
        self._known.clear()

    def end(self, sessions: Iterable[UUID]) -> None:
        """Refuse every token of these sessions, however fresh."""
        now = self._now()
        until = now + LIFETIME + _LEEWAY
        self._ended = {sid: end for sid, end in self._ended.items() if end > now}
        self._ended.update((UUID(int=session.int), until) for session in sessions)

    def verify(self, token: str) -> Caller:
        """Raise TokenRefused."""
        claims = self._known.get(token) or self._read(token)
        if claims.exp <= self._now():
            self._known.pop(token, None)
            raise TokenRefused("expired")
        if claims.sid in self._ended:
            raise TokenRefused("session_ended")
        return _caller(claims)

    def _read(self, token: str) -> Claims:
        if self._keys is None:
            raise TokenRefused("no_keys")
        if len(token) > _MAX_TOKEN:
            raise TokenRefused("malformed")
        try:
            signed = jws.deserialize_compact(token, self._keys, algorithms=ALGORITHMS)
            claims = _decode(signed.payload)
        except (JoseError, ValueError, msgspec.MsgspecError) as fault:
            raise TokenRefused("malformed_or_forged") from fault
        if str(signed.headers().get("typ", "")).lower() != TYPE:
            raise TokenRefused("wrong_type")
        if claims.iss != self._issuer or claims.aud != AUDIENCE:
            raise TokenRefused("wrong_issuer_or_audience")
        if claims.iat > self._now() + _LEEWAY:
            raise TokenRefused("not_yet")
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[token] = claims
        return claims


def _caller(claims: Claims) -> Caller:
    if claims.sid is None or claims.org is None:
        return Product(name=claims.sub)
    if not claims.roles:
        raise TokenRefused("no_role")
    kind = Enrolling if claims.acr == ENROL else Person
    return kind(
        staff=UUID(claims.sub),
        org=claims.org,
        type=claims.roles[0],
        session=claims.sid,
        amr=tuple(claims.amr),
        acr=claims.acr,
        auth_time=claims.auth_time,
    )
