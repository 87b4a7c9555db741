"""W3C trace context: one trace id from a request through the outbox and the bus to its last effect; and where the
request came from, which the audit log says of everything that it led to."""

from __future__ import annotations

import re
from contextvars import ContextVar

import msgspec

from staffgate.trace import current, digits

_FORMAT = re.compile(r"^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$")


class Source(msgspec.Struct, frozen=True):
    """The address of whoever asks, behind the proxies that are trusted, and their User-Agent."""

    ip: str
    agent: str


NOWHERE = Source("", "")
_source: ContextVar[Source] = ContextVar("source", default=NOWHERE)
_current = current  # the SDK's: what a service asks of another belongs to the trace of its request


def begin(traceparent: str | None = None) -> str:
    """Enter a span of the given trace, or of a new one where there is none (or a malformed one); return the trace id."""
    trace_id = (trace_id_in(traceparent) if traceparent else None) or digits(32)
    _current.set(f"00-{trace_id}-{digits(16)}-01")
    return trace_id


def trace_id_in(traceparent: str) -> str | None:
    """None where it is malformed, or says that there is none."""
    match = _FORMAT.match(traceparent)
    return match[1] if match and match[1] != "0" * 32 else None


def traceparent() -> str:
    """The present span, to be handed on."""
    if not _current.get():
        begin()
    return _current.get()


def trace_id() -> str:
    return traceparent().split("-")[1]


def came_from(source: Source) -> None:
    _source.set(source)


def source() -> Source:
    """Of the request that is being served; NOWHERE where it is none."""
    return _source.get()
