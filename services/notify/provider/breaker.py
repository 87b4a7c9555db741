"""Whether a provider is asked at all: not while it is down, and then by one message that finds out."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

_OPENS_AFTER = 3  # failures in a row
_SHORTEST = timedelta(seconds=5)
_LONGEST = timedelta(minutes=1)
_PROBE = timedelta(seconds=30)  # a probe that nobody heard of again


class BreakerState(StrEnum):
    CLOSED = "closed"  # all is well
    OPEN = "open"
    HALF_OPEN = "half_open"  # one message tries


class Breaker:
    """Of one provider in one process; it holds no clock, so whoever asks says what time it is.

    Opens after three failures in a row. When its time is up one message probes: if that is taken it closes, else it opens
    again for twice as long, up to a minute.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._pause = _SHORTEST
        self._slow = False
        self._until: datetime | None = None
        self._probing_since: datetime | None = None

    def state(self, now: datetime) -> BreakerState:
        if self._until is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self._until else BreakerState.HALF_OPEN

    def slow(self, now: datetime) -> bool:
        """Not asked by choice, but it does take messages: better late than never."""
        return self._slow and self.state(now) is not BreakerState.CLOSED

    def permits(self, now: datetime) -> bool:
        """Whether `permit` would say yes."""
        state = self.state(now)
        return state is BreakerState.CLOSED or (state is BreakerState.HALF_OPEN and not self._probing(now))

    def permit(self, now: datetime) -> bool:
        """Whether a message may be given to it now. Who gets True says what became of it, or gives the permit back."""
        if not self.permits(now):
            return False
        if self.state(now) is BreakerState.HALF_OPEN:
            self._probing_since = now
        return True

    def give_back(self) -> None:
        """Nothing was found out: the next one probes."""
        self._probing_since = None

    def succeeded(self) -> None:
        self._failures = 0
        self._pause = _SHORTEST
        self._slow = False
        self._until = self._probing_since = None

    def failed(self, now: datetime, *, slow: bool = False) -> None:
        """It gave no answer, a bad one, or (`slow`) none in good time."""
        self._failures += 1
        self._slow = slow
        if self._probing_since is not None:
            self._pause = min(self._pause * 2, _LONGEST)
        elif self._until is not None or self._failures < _OPENS_AFTER:
            return  # those that were under way when it opened are no news
        self._probing_since = None
        self._until = now + self._pause

    def asks_again_at(self, now: datetime) -> datetime:
        """When it is known again whether it is well, as far as that can be said."""
        if self.permits(now):
            return now
        if self._probing(now) or self._until is None:
            return now + timedelta(seconds=1)
        return max(now, self._until)

    def _probing(self, now: datetime) -> bool:
        return self._probing_since is not None and now < self._probing_since + _PROBE
