"""Sound requests: deliveries."""

from __future__ import annotations

from uuid import UUID

from tests.service.bad_input.sound import Sound
from tests.service.notify.conftest import JANE, link_issued, until
from tests.service.notify.sound.world import Ground

# Jane may do nothing: these answer her 403, and what is about one person 404.
FORBIDDEN = frozenset(["drop_delivery", "replay_delivery"])
HIDDEN = frozenset[str]()


class Deliveries(Ground):
    async def list_deliveries(self) -> Sound:
        asked = {"staff": str(JANE), "limit": "10", "state": "sent", "channel": "email", "template": "activate"}
        asked |= {"provider": "mail", "since": "2026-01-01T00:00:00Z", "after": ""}
        return Sound(query=asked, token=self.ray)

    async def replay_delivery(self) -> Sound:
        return Sound(path={"id": str(await self.dead())}, token=self.ray)

    async def drop_delivery(self) -> Sound:
        return Sound(path={"id": str(await self.dead())}, token=self.fresh)

    async def dead(self) -> UUID:
        """A link to Jane, tried too often; and nothing else is on its way that would change anything by itself."""
        event = link_issued(self.notify.clock)
        await self.notify.publish(event)
        await self.notify.row(event.link, "sent")
        await until(self._quiet)
        await self.notify.owner.execute(
            "UPDATE delivery SET state = 'dead', reason = 'exhausted', sealed = $2 WHERE id = $1",
            event.link,
            event.sealed,
        )
        return event.link

    async def _quiet(self) -> bool:
        waits = "SELECT count(*) FROM delivery WHERE state IN ('queued', 'sending')"
        return bool(await self.notify.owner.fetchval(waits) == 0)
