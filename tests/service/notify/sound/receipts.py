"""Sound requests: receipts."""

from __future__ import annotations

from services.notify.receipt.signatures import signed
from tests.service.bad_input.sound import Sound
from tests.service.notify.conftest import RECEIPTS_SECRET
from tests.service.notify.sound.world import Ground
from tests.unit.notify.reports import samples

# Jane may do nothing: these answer her 403, and what is about one person 404.
FORBIDDEN = frozenset[str]()
HIDDEN = frozenset[str]()


class Receipts(Ground):
    async def take_receipt(self) -> Sound:
        """A delay: it is taken, and decides nothing."""
        content, time = samples.about(await self.sent(), samples.DELAYED), str(int(self.notify.clock.now().timestamp()))
        signature = f"t={time},v1={signed(RECEIPTS_SECRET.encode(), time, content)}"
        return Sound(path={"provider": "mail"}, content=content, headers={"Receipt-Signature": signature})
