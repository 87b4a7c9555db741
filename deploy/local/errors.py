"""What can go wrong on a person's machine. Each message is one sentence that says what to do about it."""

from __future__ import annotations


class PlatformError(Exception):
    """Shown as it is, without a traceback: the reader is the person who typed the command."""


class BrokerMissing(PlatformError):
    """No RabbitMQ on this machine and none to be had; the suite can still run over the in-memory bus."""


class PortTaken(PlatformError):
    """Another program listens where the suite wants to."""
