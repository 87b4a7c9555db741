"""What has to be there before the services: `python -m deploy.images.prepare secrets`, then `... databases`.

Each container mounts its own folder of /secrets and sees nothing of the others'. What is there already is kept, so both
steps can run before every start.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from deploy.local.databases import provision
from deploy.local.keys import DATABASES, Keys
from deploy.local.providers import mailbox

FOLDER = Path("/secrets")
_OURS, _THEIRS = 0o400, 0o444  # PostgreSQL and RabbitMQ read as users of their own images


def make_secrets(folder: Path) -> None:
    keys = Keys(folder / "keys")
    _write(folder / "postgres", {"password": _once(folder / "postgres" / "password")}, _THEIRS)
    amqp = _amqp_url(folder / "rabbitmq")
    for service, settings in _settings(keys).items():
        _write(folder / service, settings | {"amqp_url": amqp}, _OURS)
    sid, token = keys.sms_account()
    _write(folder / "mailbox", {"sms_sid": sid, "sms_token": token}, _OURS)


async def make_databases(folder: Path, server: str, *, user: str = "postgres") -> None:
    """The three databases and their roles. `server` is host:port, `user` may make roles and databases there."""
    keys, password = Keys(folder / "keys"), (folder / "postgres" / "password").read_text()
    for name in DATABASES:
        urls = await provision(
            f"postgresql://{user}:{quote(password)}@{server}/postgres",
            name,
            owner_password=keys.password(f"{name}_owner"),
            app_password=keys.password(name),
        )
        _write(folder / name, {"database_url": urls.app, "migration_url": urls.owner}, _OURS)


def _settings(keys: Keys) -> dict[str, dict[str, str]]:
    """The secret settings of each service; the others are in docker-compose.yml."""
    return {
        "identity": {
            "signing_key": keys.signing_key(),
            "factor_key": keys.seal_key("identity", private=True),
            "code_key": keys.symmetric("code"),
            "seal_key": keys.seal_key("notify", private=False),
            "products": keys.products(),
        },
        "authz": {"client_secret": keys.client_secret("authz")},
        "notify": {
            "client_secret": keys.client_secret("notify"),
            "seal_key": keys.seal_key("notify", private=True),
            "address_key": keys.symmetric("address"),
            "providers": mailbox(keys, "mailbox:2525", "mailbox:8080"),
        },
    }


def _amqp_url(folder: Path) -> str:
    """RabbitMQ's image takes its first user from a configuration file."""
    password = _once(folder / "password")
    lines = f"default_user = staffgate\ndefault_pass = {password}\n"
    _write(folder, {"password": password, "rabbitmq.conf": lines}, _THEIRS)
    return f"amqp://staffgate:{password}@rabbitmq:5672/"


def _once(file: Path) -> str:
    return file.read_text() if file.exists() else secrets.token_urlsafe(32)


def _write(folder: Path, contents: Mapping[str, str], mode: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        making = folder / f".{name}"
        making.unlink(missing_ok=True)
        making.touch(mode)
        making.chmod(mode | 0o200)
        making.write_text(content)
        making.chmod(mode)
        making.replace(folder / name)


def main(step: str) -> None:
    if step == "secrets":
        make_secrets(FOLDER)
    else:
        asyncio.run(make_databases(FOLDER, os.environ["PREPARE_POSTGRES"]))


if __name__ == "__main__":
    main(sys.argv[1])
