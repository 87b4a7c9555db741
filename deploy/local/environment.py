"""The settings of each process, as environment variables: NAME of service S is S_NAME, common ones STAFFGATE_NAME."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from deploy.local.databases import Urls
from deploy.local.keys import Keys
from deploy.local.ports import HOST, Ports
from deploy.local.providers import LIMITS, mailbox


@dataclass(frozen=True)
class Settings:
    """What all environments are made of."""

    ports: Ports
    keys: Keys
    databases: Mapping[str, Urls]
    amqp_url: str | None  # None: the in-memory bus

    def url(self, service: str) -> str:
        return f"http://{HOST}:{getattr(self.ports, service.replace('-', '_'))}"

    def mailbox(self) -> dict[str, str]:
        sid, token = self.keys.sms_account()
        return _inherited() | {
            "MAILBOX_HTTP_PORT": str(self.ports.mailbox),
            "MAILBOX_SMTP_PORT": str(self.ports.smtp),
            "MAILBOX_SMS_SID": sid,
            "MAILBOX_SMS_TOKEN": token,
        }

    def service(self, name: str) -> dict[str, str]:
        """A replica (`authz-2`) has its service's settings, and its own port."""
        service = name.removesuffix("-2")
        own = {"identity": self._identity, "authz": self._authz, "notify": self._notify}[service]
        return _inherited() | self._common() | self._database(service) | own() | self._port(name, service)

    def together(self) -> dict[str, str]:
        """All three in one process: their names do not collide, so it is simply everything."""
        return self.service("identity") | self.service("authz") | self.service("notify")

    def _common(self) -> dict[str, str]:
        bus = {"STAFFGATE_AMQP_URL": self.amqp_url} if self.amqp_url else {"STAFFGATE_BUS": "memory"}
        return {"STAFFGATE_LOG_LEVEL": os.environ.get("STAFFGATE_LOG_LEVEL", "info")} | bus

    def _database(self, service: str) -> dict[str, str]:
        urls, prefix = self.databases[service], service.upper()
        return {f"{prefix}_DATABASE_URL": urls.app, f"{prefix}_MIGRATION_URL": urls.owner}

    def _port(self, name: str, service: str) -> dict[str, str]:
        port = str(getattr(self.ports, name.replace("-", "_")))
        return {f"{service.upper()}_HTTP_HOST": HOST, f"{service.upper()}_HTTP_PORT": port}

    def _identity(self) -> dict[str, str]:
        return {
            "IDENTITY_PUBLIC_URL": self.url("identity"),
            "IDENTITY_SIGNING_KEY": self.keys.signing_key(),
            "IDENTITY_FACTOR_KEY": self.keys.seal_key("identity", private=True),
            "IDENTITY_CODE_KEY": self.keys.symmetric("code"),
            "IDENTITY_SEAL_KEY": self.keys.seal_key("notify", private=False),
            "IDENTITY_PRODUCTS": self.keys.products(),
            "IDENTITY_AUTHZ_URL": self.url("authz"),
        }

    def _authz(self) -> dict[str, str]:
        return {
            "AUTHZ_IDENTITY_URL": self.url("identity"),
            "AUTHZ_CLIENT_SECRET": self.keys.client_secret("authz"),
        }

    def _notify(self) -> dict[str, str]:
        return {
            "NOTIFY_IDENTITY_URL": self.url("identity"),
            "NOTIFY_CLIENT_SECRET": self.keys.client_secret("notify"),
            "NOTIFY_SEAL_KEY": self.keys.seal_key("notify", private=True),
            "NOTIFY_ADDRESS_KEY": self.keys.symmetric("address"),
            "NOTIFY_PROVIDERS": mailbox(self.keys, f"{HOST}:{self.ports.smtp}", f"{HOST}:{self.ports.mailbox}"),
            "NOTIFY_LIMITS": LIMITS,
            "NOTIFY_PUBLIC_URL": self.url("notify"),
        }


def _inherited() -> dict[str, str]:
    """The shell's own, so that a developer can set what this file does not. What decides over the suite is taken
    out: a service gets its database and its bus from here and from nowhere else."""
    ours = ("DATABASE_URL", "AMQP_URL", "STAFFGATE_BUS", "STAFFGATE_AMQP_URL", "STAFFGATE_DATABASE_URL")
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return kept | {"PYTHONUNBUFFERED": "1"}
