"""Sound requests: organisations."""

from __future__ import annotations

from tests.service.bad_input.sound import Sound
from tests.service.identity.conftest import Acme, SignedIn, register, sign_in
from tests.service.identity.sound.world import Ground

# Jane may do nothing: these answer her 403, and what is about one person 404.
FORBIDDEN = frozenset(
    [
        "close_organisation",
        "name_organisation",
        "offer_ownership",
        "select_organisation_username",
        "withdraw_ownership_offer",
    ]
)
HIDDEN = frozenset(["accept_ownership", "decline_ownership", "show_ownership_offer"])
FOR_PRODUCTS = frozenset[str]()
FOR_ENROLLING = frozenset[str]()
FRESH = frozenset(["accept_ownership", "close_organisation", "offer_ownership"])


class Organisations(Ground):
    async def register_organisation(self) -> Sound:
        owner = {"name": "Ray", "email": "ray@acme.example", "username": "Ray", "mobile": "+61 491 570 006"}
        return Sound(body={"name": "ACME Crates", "owner": owner})

    async def show_organisation(self) -> Sound:
        return Sound(token=self.acme.ray)

    async def select_organisation_username(self) -> Sound:
        other = await register(self.identity, "Other Crates")
        return Sound(body={"username": f"OtherCrates{other.org.hex[-8:]}"}, token=other.ray)

    async def name_organisation(self) -> Sound:
        other = await register(self.identity, "Other Crates")
        return Sound(body={"name": "Other Crates and Barrels"}, token=other.ray)

    async def offer_ownership(self) -> Sound:
        other, laya = await self._administered()
        return Sound(body={"to": str(laya.staff)}, token=other.ray)

    async def show_ownership_offer(self) -> Sound:
        other, _ = await self._offered()
        return Sound(token=other.ray)

    async def withdraw_ownership_offer(self) -> Sound:
        other, _ = await self._offered()
        return Sound(token=other.ray)

    async def accept_ownership(self) -> Sound:
        _, laya = await self._offered()
        return Sound(token=laya.token)

    async def decline_ownership(self) -> Sound:
        _, laya = await self._offered()
        return Sound(token=laya.token)

    async def close_organisation(self) -> Sound:
        other = await register(self.identity, "Other Crates")
        return Sound(body={"number": other.number}, token=other.ray)

    async def _administered(self) -> tuple[Acme, SignedIn]:
        other = await register(self.identity, "Other Crates")
        return other, await sign_in(other, "Laya", type="administrator")

    async def _offered(self) -> tuple[Acme, SignedIn]:
        other, laya = await self._administered()
        await self.identity.post("/v1/organisation/transfer", {"to": str(laya.staff)}, token=other.ray)
        return other, laya
