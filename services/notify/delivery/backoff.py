"""How long a message waits before it is tried again: each for itself, so a bad address delays nobody else's."""

from __future__ import annotations

from datetime import timedelta

_FIRST = 1.0
_URGENT_CEILING = 60.0
_CEILING = 600.0


def wait_after(attempts: int, *, urgent: bool, chance: float) -> timedelta:
    """Doubling from a second to a ceiling. `chance` from 0 to 1 spreads it over the upper half, lest all come at once."""
    ceiling = _URGENT_CEILING if urgent else _CEILING
    full = min(ceiling, _FIRST * 2.0 ** min(attempts - 1, 30))
    return timedelta(seconds=full * (0.5 + chance / 2))
