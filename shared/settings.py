"""Settings from the environment, with every fault reported at once.

A setting `name` of the service `identity` is read from IDENTITY_NAME, else from STAFFGATE_NAME. For each of them a
variable with `_FILE` behind it names a file that holds the value, as container platforms hand out secrets.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

S = TypeVar("S", bound=msgspec.Struct)


class BadSettings(Exception):
    """Everything that is wrong, a line each."""


class CommonSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every service needs."""

    database_url: str
    migration_url: str | None = None  # the owner's; without it the schema has to be there already
    amqp_url: str | None = None
    bus: str = "rabbitmq"  # or "memory": one process, nothing survives it
    http_host: str = "127.0.0.1"
    http_port: int
    log_level: str = "info"
    pool_size: int = 10
    trusted_proxies: int = 0  # how many proxies of ours a request comes through; X-Forwarded-For is believed that far


class ClientSettings(CommonSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a service needs that asks identity who its callers are."""

    identity_url: str
    client_secret: str
    issuer: str = ""  # what tokens name as their issuer, where that differs from identity_url


def load(kind: type[S], service: str, environ: Mapping[str, str]) -> S:
    """Raise BadSettings, naming every variable that is missing or wrong."""
    values: dict[str, object] = {}
    faults: list[str] = []
    for field in msgspec.structs.fields(kind):
        names = (f"{service}_{field.name}".upper(), f"STAFFGATE_{field.name}".upper())
        try:
            text = _read(names, environ)
        except OSError as fault:
            faults.append(f"{names[0]}_FILE can't be read: {fault}")
            continue
        if text is None:
            if field.required:
                faults.append(f"{names[0]} is missing")
            continue
        try:
            values[field.name] = msgspec.convert(text, field.type, strict=False)
        except msgspec.ValidationError as fault:
            faults.append(f"{names[0]} is wrong: {fault}")
    if faults:
        raise BadSettings("\n".join(faults))
    return kind(**values)


def _read(names: tuple[str, ...], environ: Mapping[str, str]) -> str | None:
    for name in names:
        if name in environ:
            return environ[name]
        if f"{name}_FILE" in environ:
            return Path(environ[f"{name}_FILE"]).read_text().strip()
    return None
