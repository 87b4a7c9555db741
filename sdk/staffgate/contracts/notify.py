"""What notify speaks: what became of a message."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec


class DeliveryState(StrEnum):
    """queued -> sending -> sent, or back to queued after a passing fault; expired and failed are reported, never sent."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    EXPIRED = "expired"
    FAILED = "failed"


class Delivery(msgspec.Struct, kw_only=True):
    id: UUID
    staff: UUID
    channel: str
    template: str
    state: DeliveryState
    attempts: int
    created_at: datetime
    deadline: datetime
    finished_at: datetime | None
    last_answer: str | None


class DeliveryList(msgspec.Struct, kw_only=True):
    deliveries: list[Delivery]
