"""What notify's operations work with."""

from __future__ import annotations

from dataclasses import dataclass

from services.notify.brand.branding import Branding
from services.notify.content.previews import Previews
from services.notify.delivery.dead import DeadLetters
from services.notify.delivery.deliveries import Deliveries
from services.notify.limit.policies import Policies
from services.notify.receipt.receipts import Receipts
from services.notify.suppression.suppressions import Suppressions


@dataclass(frozen=True)
class Notify:
    deliveries: Deliveries
    dead: DeadLetters
    branding: Branding
    previews: Previews
    policies: Policies
    suppressions: Suppressions
    receipts: Receipts
