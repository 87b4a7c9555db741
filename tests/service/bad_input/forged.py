"""Access tokens that are none. RFC 8725 tells the tricks."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterator, Mapping
from typing import Any

from joserfc import jwe, jws
from joserfc.jwk import ECKey, OctKey, OKPKey

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

    def few(self) -> Iterator[tuple[str, str]]:
        """One of each sort: enough to see that an operation asks at all. Whom it asks is tried with every kind."""
        wanted = ("a word", "expired", "for another audience", "an ID token", "signed with another key", "alg none")
        return ((name, token) for name, token in self.tokens() if name in wanted)

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
        yield "without its header", f".{payload}.{signature}"
        yield "without its claims", f"{header}..{signature}"
        yield "without its signature", f"{header}.{payload}."
        yield "with half of its signature", good[: -len(signature) // 2]
        yield "with a part too many", f"{good}.{signature}"
        yield "not base64", f"{header}.!!!.{signature}"
        yield "empty JSON", f"{_part({})}.{_part({})}.{signature}"
        yield "with a list for a header", f"{_part([])}.{payload}.{signature}"
        yield (
            "with a list for claims",
            self._over(_part({"alg": "EdDSA", "typ": TYPE, "kid": self._own.kid}), _part([])),
        )
        yield "too long", self._signed({"padding": "a" * 4000})
        yield "not ASCII", "é" * 20
        yield "as JSON", json.dumps({"protected": header, "payload": payload, "signature": signature})
        yield "encrypted", self._encrypted(good)

    def _wrong_claims(self) -> Iterator[tuple[str, str]]:
        now = self._claims["iat"]
        yield "expired", self._signed({"iat": now - 600, "exp": now - 300})
        yield "that lives too long", self._signed({"exp": now + 86400})
        yield "of tomorrow", self._signed({"iat": now + 86400, "exp": now + 86700})
        yield "not to be used before tomorrow", self._signed({"nbf": now + 86400})
        yield "of another issuer", self._signed({"iss": "https://rebels.example"})
        yield "of an issuer with a slash", self._signed({"iss": self._claims["iss"] + "/"})
        yield "for another audience", self._signed({"aud": "somebody-else"})
        yield "for a list of audiences", self._signed({"aud": [AUDIENCE]})
        yield "without an audience", self._signed({"aud": None})
        yield "without an end", self._signed({"exp": None})
        yield "with words for a time", self._signed({"exp": "tomorrow"})
        yield "with an end at infinity", self._raw('"exp": 1e400')
        yield "of half a person", self._signed({"org": None})
        yield "of a person without a session", self._signed({"sid": None})
        yield "of nobody", self._signed({"sub": None})
        yield "of somebody whose id is none", self._signed({"sub": "' OR true --"})
        yield "without a role", self._signed({"roles": []})
        yield "with an unknown role", self._signed({"roles": ["emperor"]})
        yield "with no UUID for an organisation", self._signed({"org": "' OR true --"})
        yield "with a claim twice", self._raw('"roles": ["owner"]')
        yield "of another type", self._signed({}, typ="JWT")
        yield "an ID token", self._signed({}, typ="id_token+jwt")
        yield "a security event token", self._signed({}, typ="secevent+jwt")
        yield "without a type", self._signed({}, typ=None)

    def _wrong_signatures(self) -> Iterator[tuple[str, str]]:
        header, payload, signature = self.good().split(".")
        raised = {**self._claims, "roles": ["owner"], "sub": "00000000-0000-7000-8000-000000000001"}
        yield "signed with another key", self._signed({}, key=self._other)
        yield "with other claims under its signature", f"{header}.{_part(raised)}.{signature}"
        for none in ("none", "None", "NONE", "nOnE", ""):
            yield f"alg {none or 'empty'}", f"{_part({'alg': none, 'typ': TYPE, 'kid': self._own.kid})}.{payload}."
        for size in (256, 384, 512):
            yield f"HS{size} with the public key", self._symmetric(payload, size)
        yield "ES256 with a key of that name", self._elliptic(payload)
        yield "EdDSA that says it is ES256", self._signed({}, alg="ES256")
        yield "EdDSA that says it is RS256", self._signed({}, alg="RS256")
        yield "without an algorithm", self._signed({}, alg=None)
        yield from self._odd_headers(payload)

    def _odd_headers(self, payload: str) -> Iterator[tuple[str, str]]:
        """Signed rightly, where it does not say otherwise: whoever takes these takes what the header tells them to."""
        carried = self._other.as_dict(private=False)
        yield "with its key inside", self._signed({}, key=self._other, jwk=carried)
        yield "with our key inside", self._signed({}, jwk=self._public)
        yield "with an address for its key", self._signed({}, key=self._other, jku="https://rebels.example/keys")
        yield "with an address for its certificate", self._signed({}, key=self._other, x5u="https://rebels.example/x")
        yield "with its certificate inside", self._signed({}, x5c=["MIIB"])
        for kid in ("../../etc/passwd", "x' UNION SELECT 'a", "https://rebels.example/k", "", "\0", "another"):
            yield f"with the key id {kid!r}", self._signed({}, key=self._other, kid=kid)
        yield "without a key id", self._signed({}, kid=None)
        yield "with a number for a key id", self._signed({}, kid=1)
        yield "with an unknown crit", self._signed({}, crit=["x"], x=1)
        yield "with an empty crit", self._signed({}, crit=[])
        yield "with claims that are no base64", self._signed({}, crit=["b64"], b64=False)
        yield "compressed", self._signed({}, zip="DEF")
        yield "nested", self._signed({}, cty="JWT")
        twice = json.dumps({"alg": "none", "typ": TYPE, "kid": self._own.kid})[:-1] + ', "alg": "EdDSA"}'
        yield "with an algorithm twice", self._over(_encoded(twice.encode()), payload)

    def _signed(self, changed: Claims, *, key: OKPKey | None = None, **header: Any) -> str:
        claims = {name: value for name, value in {**self._claims, **changed}.items() if value is not None}
        head = {"alg": "EdDSA", "typ": TYPE, "kid": self._own.kid} | header
        head = {name: value for name, value in head.items() if value is not None}
        return self._over(_part(head), _part(claims), key)

    def _raw(self, more: str) -> str:
        """With this behind the claims, as no JSON library would write it."""
        header = self.good().partition(".")[0]
        claims = json.dumps(self._claims)[:-1] + f", {more}" + "}"
        return self._over(header, _encoded(claims.encode()))

    def _over(self, header: str, payload: str, key: OKPKey | None = None) -> str:
        content = f"{header}.{payload}"
        return f"{content}.{_encoded(_sign(key or self._own, content))}"

    def _symmetric(self, payload: str, size: int) -> str:
        content = f"{_part({'alg': f'HS{size}', 'typ': TYPE, 'kid': self._own.kid})}.{payload}"
        secret = json.dumps(self._public).encode()
        return f"{content}.{_encoded(hmac.new(secret, content.encode(), f'sha{size}').digest())}"

    def _elliptic(self, payload: str) -> str:
        key = ECKey.generate_key("P-256", parameters={"kid": str(self._own.kid)}, private=True)
        content = f"{_part({'alg': 'ES256', 'typ': TYPE, 'kid': self._own.kid})}.{payload}"
        return f"{content}.{_encoded(jws.JWSRegistry.algorithms['ES256'].sign(content.encode(), key))}"

    def _encrypted(self, token: str) -> str:
        """Nested, to a key that anybody can make."""
        key = OctKey.generate_key(256)
        return jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM", "cty": "JWT", "kid": self._own.kid}, token, key)


def _sign(key: OKPKey, content: str) -> bytes:
    algorithm = jws.JWSRegistry.algorithms["EdDSA"]
    return algorithm.sign(content.encode(), key)  # header and claims as they are, whatever a library thinks of them


def _part(value: object) -> str:
    return _encoded(json.dumps(value).encode())


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
