"""Whether a message may be sent at all: asked right before it is sent, not when it was queued."""

from __future__ import annotations

from datetime import datetime

import msgspec

from services.notify.channels.port import Outgoing
from services.notify.store.deliveries import Claim
from shared.db import Tx
from staffgate.contracts.notify import Reason


class Admitted(msgspec.Struct, frozen=True):
    """It may go. `country` is where an SMS goes to, which says who can take it there."""

    country: str | None = None


class Held(msgspec.Struct, frozen=True):
    """Not now; look again then."""

    until: datetime
    answer: str


class Refused(msgspec.Struct, frozen=True):
    reason: Reason
    answer: str


Verdict = Admitted | Held | Refused


class Admission:
    async def judge(self, tx: Tx, claim: Claim, message: Outgoing) -> Verdict:
        """Within the transaction that gives the message to a provider: what is counted is counted if that is committed."""
        return Admitted()
