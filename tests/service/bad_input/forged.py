"""Access tokens that are none. RFC 8725 tells the tricks."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from typing import Any

from joserfc import jws
from joserfc.jwk import OKPKey

from staffgate.access import AUDIENCE, TYPE

Claims = dict[str, Any]


class Forger:
    """Knows the claims of a good token, and the service's public key. Where it signs with the service's own key, a
    claim is wrong."""

    def __init__(self, signing_key: Mapping[str, Any], claims: Claims) -> None:
        self._own = OKPKey.import_key(dict(signing_key))
        self._public = {name: value for name, value in signing_key.items() if name != "d"}
        self._other = OKPKey.generate_key("Ed25519", parameters={"kid": signing_key["kid"]}, private=True)
        self._claims = claims

    def good(self) -> str:
        return self._signed({})

    def tokens(self) -> Iterator[tuple[str, str]]:
        yield from self._shapeless()
        yield from self._wrong_claims()
        yield from self._wrong_signatures()

    def _shapeless(self) -> Iterator[tuple[str, str]]:
        good = self.good()
        header, payload, signature = good.split(".")
        yield "a word", "nonsense"
        yield "dots", "..."
        yield "one dot", f"{header}.{payload}"
        yield "without its signature", f"{header}.{payload}."
        yield "with a part too many", f"{good}.{signature}"
        yield "not base64", f"{header}.!!!.{signature}"
        yield "empty JSON", f"{_part({})}.{_part({})}.{signature}"
        yield "with a list for a header", f"{_part([])}.{payload}.{signature}"
        yield "too long", good + "a" * 5000
        yield "not ASCII", "é" * 20

    def _wrong_claims(self) -> Iterator[tuple[str, str]]:
        now = self._claims["iat"]
        yield "expired", self._signed({"iat": now - 600, "exp": now - 300})
        yield "of tomorrow", self._signed({"iat": now + 86400, "exp": now + 86700})
        yield "of another issuer", self._signed({"iss": "https://rebels.example"})
        yield "for another audience", self._signed({"aud": "somebody-else"})
        yield "for a list of audiences", self._signed({"aud": [AUDIENCE]})
        yield "without an audience", self._signed({"aud": None})
        yield "with words for a time", self._signed({"exp": "tomorrow"})
        yield "without a role", self._signed({"roles": []})
        yield "with an unknown role", self._signed({"roles": ["emperor"]})
        yield "with no UUID for an organisation", self._signed({"org": "' OR true --"})
        yield "of another type", self._signed({}, typ="JWT")
        yield "an ID token", self._signed({}, typ="id_token+jwt")
        yield "without a type", self._signed({}, typ=None)

    def _wrong_signatures(self) -> Iterator[tuple[str, str]]:
        good = self.good()
        header, payload, signature = good.split(".")
        raised = {**self._claims, "roles": ["owner"], "sub": "00000000-0000-7000-8000-000000000001"}
        yield "signed with another key", self._signed({}, key=self._other)
        yield "with other claims under its signature", f"{header}.{_part(raised)}.{signature}"
        for none in ("none", "None", "NONE", ""):
            yield f"alg {none or 'empty'}", f"{_part({'alg': none, 'typ': TYPE})}.{payload}."
        yield "HS256 with the public key", self._symmetric(payload)
        carried = self._other.as_dict(private=False)
        yield "with its key inside", self._signed({}, key=self._other, jwk=carried)
        yield "with an address for its key", self._signed({}, key=self._other, jku="https://rebels.example/keys")
        yield "with a path for a key id", self._signed({}, key=self._other, kid="../../etc/passwd")
        yield (
            "with an unknown crit",
            f"{_part({'alg': 'EdDSA', 'typ': TYPE, 'crit': ['x'], 'x': 1})}.{payload}.{signature}",
        )

    def _signed(self, changed: Claims, *, key: OKPKey | None = None, **header: Any) -> str:
        claims = {name: value for name, value in {**self._claims, **changed}.items() if value is not None}
        head = {"alg": "EdDSA", "typ": TYPE, "kid": self._own.kid} | header
        head = {name: value for name, value in head.items() if value is not None}
        signed = key or self._own
        content = f"{_part(head)}.{_part(claims)}"
        return f"{content}.{_encoded(_sign(signed, content))}"

    def _symmetric(self, payload: str) -> str:
        content = f"{_part({'alg': 'HS256', 'typ': TYPE, 'kid': self._own.kid})}.{payload}"
        secret = json.dumps(self._public).encode()
        return f"{content}.{_encoded(hmac.new(secret, content.encode(), hashlib.sha256).digest())}"


def _sign(key: OKPKey, content: str) -> bytes:
    algorithm = jws.JWSRegistry.algorithms["EdDSA"]
    return algorithm.sign(content.encode(), key)  # header and claims as they are, whatever a library thinks of them


def _part(value: object) -> str:
    return _encoded(json.dumps(value).encode())


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
