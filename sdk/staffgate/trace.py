"""W3C trace context (Trace Context level 2): the requests that the clients make belong to the trace of what they are made
for, so that one id leads through every service's log.

    trace.follow(request.headers.get("traceparent"))  # at the beginning of each request of your own

It holds for the task that it was said in, and for those that this one starts. Without it every request is a trace of its
own. A program with a tracer sets `current` itself, to the header of its present span.
"""

from __future__ import annotations

import os
import random
import re
from contextvars import ContextVar

_FORMAT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")

# Of our own: whoever seeds the program's, for a test, is neither followed nor disturbed. A process that forks is two.
_chance = random.Random()  # noqa: S311  # an id of a trace is no secret
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_chance.seed)

current: ContextVar[str] = ContextVar("traceparent", default="")


def follow(traceparent: str | None) -> str:
    """Enter a span of this trace, or of a new one where there is none or it can't be read; return the trace id."""
    match = _FORMAT.fullmatch(traceparent or "")
    trace_id, flags = match.groups() if match else (digits(32), "01")
    current.set(f"00-{trace_id}-{digits(16)}-{flags}")
    return trace_id


def traceparent() -> str:
    """The header of a request that is made now."""
    return current.get() or fresh()


def fresh() -> str:
    return f"00-{digits(32)}-{digits(16)}-01"


def digits(count: int) -> str:
    """So many hexadecimal ones, by chance. The kernel's takes 2 to 3 µs a request."""
    return f"{_chance.getrandbits(4 * count):0{count}x}"
