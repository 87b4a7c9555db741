"""One JSON line an event; one event a request or message, filled in as it proceeds and written once at its end."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from typing import Any

import structlog
from structlog.processors import ExceptionRenderer
from structlog.tracebacks import ExceptionDictTransformer

# Never a secret in a line, whoever wrote it: these keys are blanked wherever they appear.
_SECRET = frozenset({"password", "token", "code", "secret", "access_token", "refresh_token", "authorization", "sealed"})


class LibraryLine(logging.Formatter):
    """What a library logs, as a line like ours. Of an exception its name and place: aiohttp's quote the header that they
    could not read, and with it whatever somebody wrote there, or their token."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"event": record.getMessage(), "level": record.levelname.lower(), "logger": record.name}
        kind, _, trace = record.exc_info or (None, None, None)
        if kind is not None:
            frames = traceback.extract_tb(trace)
            at = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
            line |= {"exception": kind.__name__, "at": at}
        return json.dumps(line)


class _StandardOutput:
    """Whatever it is by then: who redirects it later (a test, a supervisor in the same process) has the lines."""

    def write(self, text: str) -> int:
        return sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


def configure(service: str, level: str, **always: object) -> None:
    """`always` is in every line, as the service is."""
    out: Any = _StandardOutput()
    handler = logging.StreamHandler(out)
    handler.setFormatter(LibraryLine())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    # aio-pika and aiormq report every reconnect with a traceback; the bus says the same in one line of ours.
    for noisy in ("aio_pika", "aiormq", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _blank_secrets,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Without local variables: they hold passwords and tokens.
            ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        # A line and its end in one write: several workers write to one pipe, and each write arrives whole.
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(service=service, **always)


def _blank_secrets(_logger: Any, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for key in _SECRET & event.keys():
        event[key] = "***"
    return event
