"""What notify's operations work with."""

from __future__ import annotations

from dataclasses import dataclass

from services.notify.delivery.deliveries import Deliveries


@dataclass(frozen=True)
class Notify:
    deliveries: Deliveries
