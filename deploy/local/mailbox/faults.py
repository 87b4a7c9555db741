"""Bad weather to order: tests say how the mailbox is to refuse."""

from __future__ import annotations

from typing import Literal

import msgspec


class Faults(msgspec.Struct, forbid_unknown_fields=True):
    """`null` is fair weather. SMTP refuses at RCPT TO, where real servers say both; SMS with an HTTP status."""

    smtp: Literal["451", "550"] | None = None
    sms: Literal[429, 500, 503] | None = None
