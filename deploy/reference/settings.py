"""The settings of each service, from their Structs; what each is for, from the comment behind it or above it."""

from __future__ import annotations

import inspect
import re

import msgspec

from deploy.reference.table import table
from services.authz.app import Settings as AuthzSettings
from services.identity.app import Settings as IdentitySettings
from services.notify.settings import Settings as NotifySettings
from shared.settings import ClientSettings, CommonSettings

KINDS: dict[str, type[CommonSettings]] = {
    "identity": IdentitySettings,
    "authz": AuthzSettings,
    "notify": NotifySettings,
}
_COMMENT = re.compile(r"^((?:    # .+\n)*)    (\w+): (?:.*?  # (.+)|.*)$", re.MULTILINE)
# What needs no comment where it stands in the code.
_PLAIN = {
    "database_url": "the service's own database, as the role that works in it and owns nothing",
    "amqp_url": "RabbitMQ; needed unless `bus` is `memory`",
    "http_host": "the address to listen on",
    "http_port": "and the port; 0 takes any that is free",
    "log_level": "`debug`, `info`, `warning` or `error`",
    "pool_size": "connections to PostgreSQL, at most; each worker has so many",
    "identity_url": "where this service reaches identity",
    "client_secret": "with which this service signs in to identity",
    "mail_from": "the sender of e-mails: an address, or `Name <address>`",
    "sms_from": "the sender of SMS, as the provider knows it",
}
_HEAD = """# Settings

Settings come from the environment. A service that lacks one, or can make nothing of one, names every such fault at once
and ends with exit code 2.

`NAME` of the service `identity` is read from `IDENTITY_NAME`, else from `STAFFGATE_NAME`, which holds for every service.
For each of them a variable with `_FILE` behind it names a file with the value: that is how container platforms hand out
secrets.

What `./dev` itself reads is on [another page](dev.md).
"""


def page() -> str:
    shared = [field.name for field in msgspec.structs.fields(ClientSettings)]
    parts = [_HEAD, "## Every service\n\n" + _rows(CommonSettings, "STAFFGATE", [])]
    client = _rows(ClientSettings, "STAFFGATE", [field.name for field in msgspec.structs.fields(CommonSettings)])
    parts.append("## Services that ask identity who their callers are (authz, notify)\n\n" + client)
    parts += [f"## {name}\n\n" + _rows(kind, name.upper(), shared) for name, kind in KINDS.items()]
    return "\n".join(parts)


def _rows(kind: type[CommonSettings], prefix: str, but: list[str]) -> str:
    comments = _comments(kind)
    fields = [field for field in msgspec.structs.fields(kind) if field.name not in but]
    rows = [
        (f"`{prefix}_{field.name.upper()}`", _default(field), comments.get(field.name) or _PLAIN[field.name])
        for field in fields
    ]
    return table(("variable", "default", "what it is"), rows)


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "**needed**"
    return f"`{field.default}`" if field.default not in (None, "") else "none"


def _comments(kind: type) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in reversed(kind.__mro__):
        if issubclass(part, CommonSettings):
            for above, name, behind in _COMMENT.findall(inspect.getsource(part)):
                if said := behind or " ".join(above.replace("    # ", "").split()):
                    found[name] = said
    return found
