"""In which order the parts of each service end: what emits, then the relay, and the bus after it."""

from __future__ import annotations

import base64
import importlib
import json
from typing import Any

import pytest
from joserfc.jwk import OKPKey

from shared.bus.memory import MemoryBus
from shared.service import Role, Service, assemble
from tests.conftest import FrozenClock

# They emit nothing once the service is ready, so they may outlive the relay.
SILENT = {
    "migrated", "Database.opened", "Access.kept", "Keys.kept", "_asking", "Manifests.shipped", "Catalogues.kept",
    "Mirrors.measured", "connected",
}  # fmt: skip


def _key(curve: Any) -> str:
    return json.dumps(OKPKey.generate_key(curve, private=True).as_dict(private=True))


def _settings(service: str) -> dict[str, Any]:
    url, key = "postgres://nowhere", base64.b64encode(bytes(32)).decode()
    asks = {"database_url": url, "identity_url": "http://identity.test", "client_secret": "secret", "http_port": 0}
    if service == "identity":
        sealed, public = _key("X25519"), "http://identity.test"
        return {
            "database_url": url, "public_url": public, "signing_key": _key("Ed25519"), "factor_key": sealed,
            "code_key": key, "seal_key": sealed, "authz_url": "http://authz.test", "http_port": 0,
        }  # fmt: skip
    return asks | ({"seal_key": _key("X25519"), "address_key": key, "providers": "[]"} if service == "notify" else {})


@pytest.mark.parametrize("role", [Role.ALL, Role.WORKER])
@pytest.mark.parametrize("service", ["identity", "authz", "notify"])
def test_the_relay_ends_after_all_that_emits_and_before_the_bus(
    service: str, role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts are left in reverse. What was emitted after the relay's end would lie in the outbox until the next start."""
    app = importlib.import_module(f"services.{service}.app")
    home = importlib.import_module(f"services.{service}.settings") if service == "notify" else app
    given: list[Any] = []

    def seen(*words: Any, parts: list[Any], **more: Any) -> Service:
        given.extend(parts)
        return assemble(*words, parts=parts, **more)

    monkeypatch.setattr(app, "assemble", seen)
    app.build(home.Settings(**_settings(service)), MemoryBus(), role, clock=FrozenClock())
    names = [part.func.__qualname__ for part in given]
    relay = names.index("relayed")
    assert names[relay - 1] == "connected"
    assert not {*names[:relay]} - SILENT
    assert names[-1] == "drained", "what a consumer has in hand uses all the others"
