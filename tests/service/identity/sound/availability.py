"""Sound requests: availability."""

from __future__ import annotations

from tests.service.bad_input.sound import Sound
from tests.service.identity.conftest import log_in
from tests.service.identity.sound.world import Ground

# Jane may do nothing: these answer her 403, and what is about one person 404.
FORBIDDEN = frozenset[str]()
HIDDEN = frozenset(
    [
        "set_availability_of_staff",
        "set_channels_of_staff",
        "show_availability_of_staff",
        "show_channels_of_staff",
    ]
)
FOR_PRODUCTS = frozenset(["list_availability"])
FOR_ENROLLING = frozenset[str]()

_CHANNELS = {"online": ["phone", "webchat"], "away": ["email"]}


class Availability(Ground):
    async def show_my_availability(self) -> Sound:
        return Sound(token=self.acme.ray)

    async def set_my_availability(self) -> Sound:
        return Sound(body={"state": "away"}, token=await self.token())

    async def show_my_channels(self) -> Sound:
        return Sound(token=self.acme.ray)

    async def set_my_channels(self) -> Sound:
        return Sound(body=_CHANNELS, token=await self.token())

    async def show_availability_of_staff(self) -> Sound:
        return Sound(path={"staff": str(await self.invited())}, token=self.acme.ray)

    async def set_availability_of_staff(self) -> Sound:
        staff, login = await self.active()
        await log_in(self.identity, login)
        return Sound(path={"staff": str(staff)}, body={"state": "online"}, token=self.acme.ray)

    async def show_channels_of_staff(self) -> Sound:
        return Sound(path={"staff": str(await self.invited())}, token=self.acme.ray)

    async def set_channels_of_staff(self) -> Sound:
        return Sound(path={"staff": str(await self.invited())}, body=_CHANNELS, token=self.acme.ray)

    async def list_availability(self) -> Sound:
        asked = {"org": str(self.acme.org), "staff": f"{self.acme.owner_id},{await self.invited()}"}
        return Sound(query=asked, token=self.product)
