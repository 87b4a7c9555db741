"""Sound requests: the audit log."""

from __future__ import annotations

from tests.service.bad_input.sound import Sound
from tests.service.identity.sound.world import Ground

# Jane may do nothing: these answer her 403, and what is about one person 404.
FORBIDDEN = frozenset(["export_account_log", "export_account_log_lines", "list_account_log", "verify_account_log"])
HIDDEN = frozenset[str]()
FOR_PRODUCTS = frozenset[str]()
FOR_ENROLLING = frozenset[str]()
FRESH = frozenset(["export_account_log", "export_account_log_lines"])


class Audit(Ground):
    async def list_account_log(self) -> Sound:
        query = {"event": "org_registered", "from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z", "limit": "5"}
        return Sound(query=query, token=self.acme.ray)

    async def export_account_log(self) -> Sound:
        return Sound(query={"person": str(self.acme.owner_id)}, token=self.acme.ray)

    async def export_account_log_lines(self) -> Sound:
        return Sound(query={"event": "org_registered"}, token=self.acme.ray)

    async def verify_account_log(self) -> Sound:
        return Sound(token=self.acme.ray)

    async def list_my_activity(self) -> Sound:
        return Sound(query={"limit": "5"}, token=self.acme.ray)
