"""What the person asked for, on the command line or in the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import PlatformError
from deploy.local.ports import Ports

ROOT = Path(__file__).resolve().parents[2]
BUSES = ("auto", "rabbitmq", "memory")


@dataclass(frozen=True)
class Options:
    state: Path
    port_base: int
    bus: str
    database_url: str | None = None
    amqp_url: str | None = None

    @property
    def ports(self) -> Ports:
        return Ports.from_base(self.port_base)

    @property
    def logs(self) -> Path:
        return self.state / "log"


def read(state: Path | None, port_base: int | None, bus: str | None) -> Options:
    """The option wins over the variable, the variable over the default."""
    named = os.environ.get("STAFFGATE_PORT_BASE", "8100")
    if port_base is None and not named.isdecimal():
        raise PlatformError(f"STAFFGATE_PORT_BASE is {named!r}, which is no number: set it to one like 8100.")
    bus = bus or os.environ.get("STAFFGATE_BUS") or "auto"
    if bus not in BUSES:
        raise PlatformError(f"STAFFGATE_BUS is {bus!r}: set it to one of {', '.join(BUSES)}.")
    return Options(
        state=(state or ROOT / ".state").absolute(),
        port_base=int(named) if port_base is None else port_base,
        bus=bus,
        database_url=os.environ.get("DATABASE_URL") or None,
        amqp_url=(os.environ.get("AMQP_URL") or None) if bus != "memory" else None,
    )
