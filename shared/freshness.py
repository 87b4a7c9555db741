"""Sensitive acts take a factor that was shown a moment ago: a token that was stolen is not enough for them."""

from __future__ import annotations

from shared.clock import Clock
from shared.errors import NotFresh
from staffgate.contracts.caller import Person

MAX_AGE = 300  # seconds


def require_fresh(caller: Person, clock: Clock) -> None:
    """RFC 9470. `POST /v1/me/step-up` makes a session fresh."""
    if clock.seconds() - caller.auth_time > MAX_AGE:
        detail = "Show a second factor again (POST /v1/me/step-up), and then ask anew with the new token."
        raise NotFresh("step_up_needed", detail, max_age=MAX_AGE)
