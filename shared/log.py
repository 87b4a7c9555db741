"""One JSON line an event; one event a request or message, filled in as it proceeds and written once at its end."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog
from structlog.processors import ExceptionRenderer
from structlog.tracebacks import ExceptionDictTransformer

# Never a secret in a line, whoever wrote it: these keys are blanked wherever they appear.
_SECRET = frozenset({"password", "token", "code", "secret", "access_token", "refresh_token", "authorization", "sealed"})


def configure(service: str, level: str) -> None:
    logging.basicConfig(stream=sys.stdout, level=logging.WARNING, format='{"logger":"%(name)s","event":"%(message)s"}')
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
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(service=service)


def _blank_secrets(_logger: Any, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for key in _SECRET & event.keys():
        event[key] = "***"
    return event
