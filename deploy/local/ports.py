"""Which port belongs to whom."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import count, islice

from deploy.local.errors import PlatformError, PortTaken

HOST = "127.0.0.1"
_FIRST, _PAST = 16_384, 32_768  # Linux connects from 32768 on, macOS from 49152
_APART = 509  # ports between where one process begins and where the next one does
_turns: dict[int, Iterator[int]] = {}  # by process: one that was forked has its own


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
    """A port that nobody listens on now, another one each time.

    Not one that the kernel gives to whoever connects somewhere: between the question and a server's first listening lie
    seconds, in which a thousand connections are made.
    """
    turns = _turns.setdefault(os.getpid(), count(os.getpid() * _APART))
    for turn in islice(turns, _PAST - _FIRST):
        port = _FIRST + turn % (_PAST - _FIRST)
        if is_free(port):
            return port
    raise PlatformError(f"No port from {_FIRST} to {_PAST - 1} is free: end a program that holds thousands of them.")


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
