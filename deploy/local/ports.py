"""Which port belongs to whom."""

from __future__ import annotations

import errno
import socket
from collections.abc import Mapping
from dataclasses import dataclass, fields

from deploy.local.errors import PlatformError, PortTaken

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Ports:
    """Fixed places after one base, so that a page that was open yesterday is there today."""

    identity: int
    authz: int
    notify: int
    authz_2: int
    mailbox: int
    smtp: int
    postgres: int
    amqp: int
    epmd: int
    dist: int

    @classmethod
    def from_base(cls, base: int) -> Ports:
        if not 1024 <= base <= 65000:
            raise PlatformError(f"The port base {base} is out of range: choose --port-base between 1024 and 65000.")
        return cls(*range(base + 1, base + 1 + len(fields(cls))))


def free_port() -> int:
    """A port that nobody listens on now. Two callers at the same moment get two different ones."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Like every server here does: a connection of the last run in TIME_WAIT is no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
        return True


def answers(port: int) -> bool:
    try:
        with socket.create_connection((HOST, port), 1):
            return True
    except OSError:
        return False


def require_free(wanted: Mapping[str, int]) -> None:
    """One sentence that names the port, who wanted it, and what moves it."""
    for who, port in wanted.items():
        if not is_free(port):
            raise PortTaken(
                f"Port {port}, wanted by {who}, is taken by another program: stop that program, "
                "or move the whole suite with ./dev up --port-base N (or STAFFGATE_PORT_BASE=N)."
            )
