"""Everything random that the suite on this machine needs, made once and kept in one file that only its owner reads."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from joserfc.jwk import OKPKey

from deploy.local.files import write_private

DATABASES = ("identity", "authz", "notify")
PROVISIONED = (*DATABASES, "sms")  # with the one of the example product
PRODUCTS = ("authz", "notify", "sms")
FILE = "secrets.json"


class Keys:
    """A value is made when it is first asked for, so a state folder of an older version gets what is new."""

    def __init__(self, state: Path) -> None:
        self.folder = state
        self._file = state / FILE
        self._values: dict[str, Any] = json.loads(self._file.read_text()) if self._file.exists() else {}
        before = len(self._values)
        self._make_all()
        if len(self._values) != before:
            self._keep()

    def password(self, role: str) -> str:
        return str(self._value(f"password:{role}", _token))

    def client_secret(self, product: str) -> str:
        return str(self._value(f"client:{product}", _token))

    def products(self) -> str:
        """What identity may know of them: it compares hashes."""
        hashes = {name: hashlib.sha256(self.client_secret(name).encode()).hexdigest() for name in PRODUCTS}
        return ",".join(f"{name}:{digest}" for name, digest in hashes.items())

    def symmetric(self, name: str) -> str:
        """32 bytes in base64."""
        return str(self._value(f"key:{name}", lambda: base64.b64encode(secrets.token_bytes(32)).decode()))

    def signing_key(self) -> str:
        return json.dumps(self._value("signing", lambda: _pair("Ed25519", "sig", "EdDSA")))

    def seal_key(self, owner: str, *, private: bool) -> str:
        """Whoever has the public half can seal; only the owner gets the private one."""
        pair = self._value(f"seal:{owner}", lambda: _pair("X25519", "enc", "ECDH-ES"))
        return json.dumps(pair if private else {name: value for name, value in pair.items() if name != "d"})

    def sms_account(self) -> tuple[str, str]:
        return str(self._value("sms:sid", lambda: "AC" + secrets.token_hex(16))), str(self._value("sms:token", _token))

    def _make_all(self) -> None:
        for database in PROVISIONED:
            self.password(database)
            self.password(f"{database}_owner")
        self.symmetric("code")
        self.symmetric("address")
        self.products()
        self.signing_key()
        for owner in ("identity", "notify"):
            self.seal_key(owner, private=False)
        self.sms_account()

    def _value(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._values:
            self._values[name] = make()
        return self._values[name]

    def _keep(self) -> None:
        write_private(self._file, json.dumps(self._values, indent=1))


def _token() -> str:
    return secrets.token_urlsafe(32)


def _pair(curve: Any, use: str, algorithm: str) -> dict[str, Any]:
    parameters: Any = {"use": use, "alg": algorithm}
    key = OKPKey.generate_key(curve, parameters=parameters, private=True, auto_kid=True)
    return dict(key.as_dict(private=True))
