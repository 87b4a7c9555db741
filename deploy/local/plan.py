"""Which programs of ours make up the suite: data, so that it can be read and tested."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deploy.local.environment import Settings


@dataclass(frozen=True)
class Planned:
    name: str
    module: str
    environment: Callable[[Settings], dict[str, str]]
    ports: tuple[str, ...]  # the fields of Ports on which it has to be ready
    gated: bool = False  # started early, to wait behind deploy.local.gate for the broker


def _service(name: str, module: str) -> Planned:
    return Planned(name, module, lambda settings: settings.service(name), (name.replace("-", "_"),), gated=True)


# authz twice, with one database: what a revoke has to reach is never a single process.
SERVICES: tuple[Planned, ...] = (
    _service("identity", "services.identity"),
    _service("authz", "services.authz"),
    _service("notify", "services.notify"),
    _service("authz-2", "services.authz"),
)
# The in-memory bus ends at the border of a process, so everything is inside one and authz is there once.
TOGETHER: tuple[Planned, ...] = (
    Planned("together", "deploy.local.together", Settings.together, ("identity", "authz", "notify")),
)
