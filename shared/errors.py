"""What can go wrong, in the suite's own words. How it is presented over HTTP is decided in http/problems.py alone."""

from __future__ import annotations


class Refusal(Exception):
    """A request that is turned down for a reason that the caller may know.

    `code` is stable and machine-readable; `detail` says what to do about it.
    """

    def __init__(self, code: str, detail: str, **extras: object) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.extras = extras


class Malformed(Refusal):
    """The request can't be read at all."""


class Invalid(Refusal):
    """The request can be read, but what it says is not acceptable."""


class Unauthenticated(Refusal):
    """It is not known who asks, or what they showed is not good any more."""


class NotFresh(Unauthenticated):
    """It is known who asks, and not well enough for this: they have to show a factor again (RFC 9470)."""


class Forbidden(Refusal):
    """It is known who asks, and they may not."""


class NotFound(Refusal):
    """It does not exist, or it is not the caller's to know."""


class Conflict(Refusal):
    """It clashes with what is there."""


class Busy(Conflict):
    """It is being done at this moment; `retry_after` (seconds) says when to look again."""

    retry_after = 1


class PreconditionFailed(Refusal):
    """It is not any more as the caller last saw it."""


class TooMany(Refusal):
    """Too often; `retry_after` (seconds) says when again."""

    def __init__(self, code: str, detail: str, *, retry_after: int) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after


class Unavailable(Refusal):
    """Not now: something that this needs is away, or too much is asked at once."""

    def __init__(self, code: str, detail: str, *, retry_after: int = 1) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after
