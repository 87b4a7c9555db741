"""Sound requests: staff."""

from __future__ import annotations

from tests.service.bad_input.sound import Sound
from tests.service.identity.sound.world import Ground

# Jane may do nothing: these answer her 403, and what is about one person 404.
FORBIDDEN = frozenset(["add_staff", "list_staff"])
HIDDEN = frozenset(
    [
        "delete_staff",
        "edit_staff",
        "log_out_staff",
        "reactivate_staff",
        "renew_weblink",
        "send_activation_email",
        "show_staff",
        "show_weblink",
        "suspend_staff",
    ]
)
FOR_PRODUCTS = frozenset(["resolve_weblink"])
FOR_ENROLLING = frozenset[str]()
FRESH = frozenset(["edit_staff"])  # another address, number or type of somebody who is active


class Staff(Ground):
    async def add_staff(self) -> Sound:
        body = {"type": "standard", "name": "Luke", "email": "luke@acme.example", "username": f"Luke{self.fresh()}"}
        more = {"mobile": "+61 491 570 006", "default_level": "deny", "route_anywhere": False, "portal": True}
        return Sound(body=body | more, token=self.acme.ray)

    async def list_staff(self) -> Sound:
        query = {"status": "activated", "type": "standard", "q": "a", "sort": "-name", "limit": "2", "total": "true"}
        return Sound(query=query, token=self.acme.ray)

    async def show_staff(self) -> Sound:
        return Sound(path={"staff": str(self.acme.owner_id)}, token=self.acme.ray)

    async def edit_staff(self) -> Sound:
        staff, _ = await self.active()
        number = self.fresh()
        body = {"name": "Luke", "username": f"Luke{number}", "extension": f"9{number}", "mobile": "+61 491 570 157"}
        return Sound(path={"staff": str(staff)}, body=body | {"type": "administrator"}, token=self.acme.ray)

    async def delete_staff(self) -> Sound:
        return await self.suspend_staff()

    async def send_activation_email(self) -> Sound:
        return Sound(path={"staff": str(await self.invited())}, token=self.acme.ray)

    async def suspend_staff(self) -> Sound:
        staff, _ = await self.active()
        query = {"handover_to": str(self.acme.owner_id)}
        return Sound(path={"staff": str(staff)}, query=query, token=self.acme.ray)

    async def reactivate_staff(self) -> Sound:
        staff, _ = await self.active()
        await self.identity.post(f"/v1/staff/{staff}/suspend", token=self.acme.ray)
        return Sound(path={"staff": str(staff)}, token=self.acme.ray)

    async def log_out_staff(self) -> Sound:
        staff, _ = await self.active()
        return Sound(path={"staff": str(staff)}, token=self.acme.ray)

    async def show_weblink(self) -> Sound:
        return await self.show_staff()

    async def renew_weblink(self) -> Sound:
        return await self.log_out_staff()

    async def resolve_weblink(self) -> Sound:
        return Sound(path={"weblink": await self._weblink()}, token=self.product)

    async def weblink_page(self) -> Sound:
        return Sound(path={"weblink": await self._weblink()})

    async def _weblink(self) -> str:
        answer = await self.identity.ask("GET", f"/v1/staff/{self.acme.owner_id}/weblink", token=self.acme.ray)
        return str(answer.json["url"]).rpartition("/")[2]
