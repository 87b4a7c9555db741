"""Sound requests: suppressions."""

from __future__ import annotations

from tests.service.bad_input.sound import Sound
from tests.service.notify.conftest import ACME, IDS, RAY
from tests.service.notify.sound.world import Ground

# Jane may do nothing: these answer her 403, and what is about one person 404.
FORBIDDEN = frozenset(["list_suppressions", "add_suppression", "remove_suppression"])
HIDDEN = frozenset[str]()


class Suppressions(Ground):
    async def list_suppressions(self) -> Sound:
        return Sound(query={"channel": "email", "before": str(IDS.uuid()), "limit": "10"}, token=self.ray)

    async def add_suppression(self) -> Sound:
        return Sound(body={"channel": "email", "address": f"{IDS.uuid().hex}@acme.example"}, token=self.fresh)

    async def remove_suppression(self) -> Sound:
        entry = IDS.uuid()
        await self.notify.owner.execute(
            "INSERT INTO suppression (org, id, channel, address, masked, reason, added_by, added_at)"
            " VALUES ($1, $2, 'email', $3, 'j***@acme.example', 'added', $4, $5)",
            ACME, entry, entry.bytes, RAY, self.notify.clock.now(),
        )  # fmt: skip
        return Sound(path={"suppression": str(entry)}, token=self.ray)
