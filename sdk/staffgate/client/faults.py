"""What a service that does not do as it is asked comes to, in the one place that reads it from an answer: Refused where it
has turned the request down, and ServiceAway for everything else."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from staffgate.client.answer import Answer
from staffgate.contracts.problem import code_of

_OWN = frozenset({"type", "title", "status", "detail", "instance"})


class Refused(Exception):
    """The service turned the request down (RFC 9457). `code` is stable: branch on it, show `detail`.

    `request_id` finds it in the service's log, `retry_after` are the seconds after which it may be otherwise, and `extras`
    what else the problem says: `at`, the place in the body that is meant, and the like.
    """

    def __init__(
        self, status: int, code: str, detail: str, *, request_id: str = "", retry_after: float | None = None,
        extras: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.request_id = request_id
        self.retry_after = retry_after
        self.extras: Mapping[str, Any] = extras or {}


class ServiceAway(Exception):
    """The service can't be reached, or says that it can't answer now. With `unsent` it has surely not got the request."""

    def __init__(
        self, text: str, *, request_id: str = "", retry_after: float | None = None, unsent: bool = False
    ) -> None:
        super().__init__(text)
        self.request_id = request_id
        self.retry_after = retry_after
        self.unsent = unsent


def fault_of(answer: Answer, url: str) -> Refused | ServiceAway:
    """Of an answer that is not 2xx."""
    problem, request_id, later = (
        _problem(answer.body),
        answer.field("x-request-id"),
        _seconds(answer.field("retry-after")),
    )
    detail = str(problem.get("detail", ""))
    if answer.status >= 500:
        text = f"{url} can't answer now: {answer.status} {detail}"
        return ServiceAway(text, request_id=request_id, retry_after=later)
    if answer.status < 400:
        return ServiceAway(f"{url} answers {answer.status}, and leads elsewhere: nobody is followed with a token")
    code = code_of(str(problem.get("type", "")))
    extras = {name: value for name, value in problem.items() if name not in _OWN}
    return Refused(answer.status, code, detail, request_id=request_id, retry_after=later, extras=extras)


def _problem(content: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {"detail": content[:200].decode(errors="replace")}


def _seconds(text: str) -> float | None:
    """Of a Retry-After: so many, or until that time (RFC 9110, section 10.2.3)."""
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
