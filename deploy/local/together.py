"""All three services in one process, over the in-memory bus: what is left where no RabbitMQ can be had.

Each keeps its own database, role and port; only the bus is shared, and ends with the process.
"""

from __future__ import annotations

import os
import sys

import uvloop

from services.authz import app as authz
from services.identity import app as identity
from services.notify import app as notify
from services.notify.settings import Settings as NotifySettings
from shared import log
from shared.bus.memory import MemoryBus
from shared.service import Role, serve
from shared.settings import BadSettings, load


def main() -> None:
    bus = MemoryBus()
    try:
        services = [
            identity.build(load(identity.Settings, "identity", os.environ), bus, Role.ALL),
            authz.build(load(authz.Settings, "authz", os.environ), bus, Role.ALL),
            notify.build(load(NotifySettings, "notify", os.environ), bus, Role.ALL),
        ]
    except BadSettings as faults:
        print(f"The suite can't start; its settings are incomplete:\n{faults}", file=sys.stderr)
        raise SystemExit(2) from None
    log.configure("together", os.environ.get("STAFFGATE_LOG_LEVEL", "info"))
    uvloop.run(serve(services))


if __name__ == "__main__":
    main()
