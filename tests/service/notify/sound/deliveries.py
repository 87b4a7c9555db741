"""Sound requests: deliveries."""

from __future__ import annotations

from tests.service.bad_input.sound import Sound
from tests.service.notify.conftest import JANE
from tests.service.notify.sound.world import Ground

# Jane may do nothing: these answer her 403, and what is about one person 404.
FORBIDDEN = frozenset[str]()
HIDDEN = frozenset[str]()


class Deliveries(Ground):
    async def list_deliveries(self) -> Sound:
        return Sound(query={"staff": str(JANE), "limit": "10"}, token=self.ray)
