"""Sound requests: what may be sent."""

from __future__ import annotations

from staffgate.contracts.caller import StaffType
from tests.service.bad_input.sound import Sound
from tests.service.notify.conftest import RAY
from tests.service.notify.sound.world import Ground

# Jane may do nothing: these answer her 403, and what is about one person 404.
FORBIDDEN = frozenset({"show_sending_policy", "set_sending_policy"})
HIDDEN = frozenset[str]()


class Sending(Ground):
    async def show_sending_policy(self) -> Sound:
        return Sound(token=self.ray)

    async def set_sending_policy(self) -> Sound:
        return Sound(body={"countries": ["AU", "DE"]}, token=self.notify.token(RAY, StaffType.OWNER, fresh=True))
