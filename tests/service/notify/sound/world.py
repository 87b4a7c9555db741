"""Who and what there is while requests are spoilt, and the means to have more of it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from staffgate.contracts.caller import StaffType
from tests.service.bad_input.judge import Judge
from tests.service.notify.conftest import IDS, JANE, RAY, Running, link_issued

REBELS, LAYA, LUKE = IDS.uuid(), IDS.uuid(), IDS.uuid()


@dataclass
class Ground:
    """ACME Crates, where Ray is the owner and Jane a standard user, and the Rebels, whose owner is Laya."""

    notify: Running
    judge: Judge

    @property
    def ray(self) -> str:
        return self.notify.token(RAY, StaffType.OWNER)

    @property
    def fresh(self) -> str:
        """Ray's, with a factor that he showed just now."""
        return self.notify.token(RAY, StaffType.OWNER, fresh=True)

    @property
    def jane(self) -> str:
        return self.notify.token(JANE, StaffType.STANDARD)

    @property
    def laya(self) -> str:
        return self.notify.token(LAYA, StaffType.OWNER, REBELS)

    async def sent(self) -> UUID:
        """A link that Jane has got."""
        event = link_issued(self.notify.clock)
        await self.notify.publish(event)
        await self.notify.row(event.link, "sent")
        return event.link
