"""For each operation of notify a request that succeeds, a module for each part of its API."""

from __future__ import annotations

from tests.service.notify.sound import branding, deliveries, previews, receipts, sending, suppressions

_PARTS = (branding, deliveries, previews, receipts, sending, suppressions)
FORBIDDEN = frozenset[str]().union(*(part.FORBIDDEN for part in _PARTS))
HIDDEN = frozenset[str]().union(*(part.HIDDEN for part in _PARTS))


class World(
    branding.Branding,
    deliveries.Deliveries,
    previews.Previews,
    receipts.Receipts,
    sending.Sending,
    suppressions.Suppressions,
):
    """ACME Crates, where Ray is the owner and Jane a standard user, and the Rebels, whose owner is Laya."""
