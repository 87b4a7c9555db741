"""Verifying access tokens (RFC 9068) and knowing which of them are not good any more.

A token is good for five minutes, and a session may end before that: the sessions that ended are remembered here for as
long as one of their tokens could still be unexpired.
"""

from __future__ import annotations

import base64
import json
import warnings
from collections.abc import Callable, Iterable
from typing import Any, Literal
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


class UnknownKey(TokenRefused):
    """Signed with a key that is not known here: a new one, or none of ours. Worth another look at the keys, now and then."""


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that may stand in a token's header. What brings its own key (`jwk`, `jku`, `x5u`), demands an extension
    (`crit`) or encrypts is none of ours (RFC 8725)."""

    alg: Literal["EdDSA"]
    typ: str
    kid: str


class Claims(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an access token says; `org`, `sid` and `roles` only for a person."""

    iss: str
    aud: str
    sub: str
    client_id: str
    iat: int
    exp: int
    jti: str
    nbf: int | None = None
    org: UUID | None = None
    sid: UUID | None = None
    roles: list[StaffType] = []
    amr: list[str] = []
    acr: str = ""
    auth_time: int = 0


class _Known(msgspec.Struct, frozen=True, gc=False):
    """What of a verified token is asked about each time. Sessions by the number of their id: the hash of a UUID takes
    150 ns."""

    caller: Caller
    expires: int
    session: int | None


_decode = msgspec.json.Decoder(Claims).decode
_decode_header = msgspec.json.Decoder(Header).decode


class Verifier:
    """`now` is seconds since the epoch. Verifying is synchronous: nothing is asked of anybody."""

    def __init__(self, issuer: str, now: Callable[[], float]) -> None:
        self._issuer = issuer
        self._now = now
        self._keys: dict[str, jwk.OKPKey] | None = None
        self._ended: dict[int, float] = {}
        # A signature costs 170 µs to verify and a look-up 0.05; a person asks many times with the same token.
        self._known: dict[str, _Known] = {}

    @property
    def has_keys(self) -> bool:
        return self._keys is not None

    def trust(self, keys: KeySet) -> None:
        """Verify with these public keys from now on, and with no other: not even what was verified before."""
        self._keys = {key["kid"]: jwk.OKPKey.import_key({**key}) for key in keys.keys}
        self._known.clear()

    def end(self, sessions: Iterable[UUID]) -> None:
        """Refuse every token of these sessions, however fresh."""
        now = self._now()
        until = now + LIFETIME + _LEEWAY
        self._ended = {sid: end for sid, end in self._ended.items() if end > now}
        self._ended.update((session.int, until) for session in sessions)

    def verify(self, token: str, *, enrolling: bool = False) -> Caller:
        """Raise TokenRefused. Whoever may only enrol a factor yet is refused unless they are asked for: an Enrolling that
        is taken for a Person would be let in without a second factor."""
        known = self._known.get(token) or self._read(token)
        if known.expires <= self._now():
            self._known.pop(token, None)
            raise TokenRefused("expired")
        if known.session in self._ended:
            raise TokenRefused("session_ended")
        if type(known.caller) is Enrolling and not enrolling:
            raise TokenRefused("enrol_first")
        return known.caller

    def recall(self, token: str) -> Caller | None:
        """Whose token this is, if it was verified before and is good still: the caller of nearly every request."""
        known = self._known.get(token)
        if known is None or known.expires <= self._now() or known.session in self._ended:
            return None
        return None if type(known.caller) is Enrolling else known.caller

    def _read(self, token: str) -> _Known:
        if self._keys is None:
            raise TokenRefused("no_keys")
        if len(token) > _MAX_TOKEN:
            raise TokenRefused("malformed")
        claims = _signed(token, self._keys)
        if claims.iss != self._issuer or claims.aud != AUDIENCE:
            raise TokenRefused("wrong_issuer_or_audience")
        if max(claims.iat, claims.nbf or 0) > self._now() + _LEEWAY:
            raise TokenRefused("not_yet")
        # What lived longer would outlive the memory of its session's end.
        if claims.exp > claims.iat + LIFETIME:
            raise TokenRefused("too_long_lived")
        session = None if claims.sid is None else claims.sid.int
        known = _Known(_caller(claims), claims.exp, session)
        if claims.exp > self._now():
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[token] = known
        return known


def _signed(token: str, keys: dict[str, jwk.OKPKey]) -> Claims:
    """What it says, once the signature has proved it."""
    try:
        header = _decode_header(_unambiguous(_decoded(token.partition(".")[0])))
        if header.typ.lower() != TYPE:
            raise TokenRefused("wrong_type")
        key = keys.get(header.kid)
        if key is None:
            raise UnknownKey("unknown_key")
        return _decode(_unambiguous(jws.deserialize_compact(token, key, algorithms=ALGORITHMS).payload))
    except (JoseError, ValueError, RecursionError, msgspec.MsgspecError) as fault:
        raise TokenRefused("malformed_or_forged") from fault


def _decoded(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)


def _unambiguous(content: bytes) -> bytes:
    """Raise ValueError where a name stands twice: each reader would take another for the true one (RFC 8725)."""
    json.loads(content, object_pairs_hook=_once)
    return content


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name stands twice")


def _caller(claims: Claims) -> Caller:
    if claims.sid is None and claims.org is None and not claims.roles and claims.sub == claims.client_id:
        return Product(name=claims.sub)
    if claims.sid is None or claims.org is None:
        raise TokenRefused("neither_person_nor_product")
    if not claims.roles:
        raise TokenRefused("no_role")
    kind = Enrolling if claims.acr == ENROL else Person
    return kind(
        staff=_uuid(claims.sub),
        org=claims.org,
        type=claims.roles[0],
        session=claims.sid,
        amr=tuple(claims.amr),
        acr=claims.acr,
        auth_time=claims.auth_time,
    )


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as fault:
        raise TokenRefused("no_subject") from fault
