"""Sound requests: staff."""

from __future__ import annotations

from tests.service.bad_input.sound import Sound
from tests.service.identity.sound.world import Ground

# Jane may do nothing: these answer her 403, and what is about one person 404.
FORBIDDEN = frozenset(["add_staff", "list_staff"])
HIDDEN = frozenset(["reactivate_staff", "send_activation_email", "show_staff", "suspend_staff"])
FOR_PRODUCTS = frozenset()
FOR_ENROLLING = frozenset()


class Staff(Ground):
    async def add_staff(self) -> Sound:
        body = {"type": "standard", "name": "Luke", "email": "luke@acme.example", "username": f"Luke{self.fresh()}"}
        more = {"mobile": "+61 491 570 006", "default_level": "deny", "route_anywhere": False}
        return Sound(body=body | more, token=self.acme.ray)

    async def list_staff(self) -> Sound:
        return Sound(token=self.acme.ray)

    async def show_staff(self) -> Sound:
        return Sound(path={"staff": str(self.acme.owner_id)}, token=self.acme.ray)

    async def send_activation_email(self) -> Sound:
        return Sound(path={"staff": str(await self.invited())}, token=self.acme.ray)

    async def suspend_staff(self) -> Sound:
        staff, _ = await self.active()
        return Sound(path={"staff": str(staff)}, token=self.acme.ray)

    async def reactivate_staff(self) -> Sound:
        sound = await self.suspend_staff()
        await self.identity.post(f"/v1/staff/{sound.path['staff']}/suspend", token=self.acme.ray)
        return sound
