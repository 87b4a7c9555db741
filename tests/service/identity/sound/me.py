"""Sound requests: me."""

from __future__ import annotations

from staffgate.contracts import identity as contract
from tests.service.bad_input.sound import Sound
from tests.service.identity.conftest import PASSWORD
from tests.service.identity.sound.world import Ground

# Jane may do nothing: these answer her 403, and what is about one person 404.
FORBIDDEN = frozenset[str]()
HIDDEN = frozenset[str]()
FOR_PRODUCTS = frozenset[str]()
FOR_ENROLLING = frozenset(["change_password", "log_out"])
FRESH = frozenset(["change_email", "change_mobile", "remove_mobile", "send_mobile_code"])


class Me(Ground):
    async def show_me(self) -> Sound:
        return Sound(token=self.acme.ray)

    async def log_out(self) -> Sound:
        return Sound(token=await self.token())

    async def change_password(self) -> Sound:
        return Sound(body={"current": PASSWORD, "password": PASSWORD + " and one more"}, token=await self.token())

    async def change_email(self) -> Sound:
        return Sound(body={"email": "laya@acme.example"}, token=await self.token())

    async def change_mobile(self) -> Sound:
        return Sound(body={"mobile": "+61 491 570 110"}, token=await self.token())

    async def send_mobile_code(self) -> Sound:
        return Sound(token=await self.token())

    async def confirm_mobile(self) -> Sound:
        token, before = await self.token(), len(self.identity.heard.of(contract.CodeIssued))
        proposed = await self.identity.post("/v1/me/mobile/code", token=token)
        await self.identity.told(contract.CodeIssued, before + 1)
        transaction = proposed.json["transaction"]
        return Sound(body={"transaction": transaction, "code": self.identity.heard.code()}, token=token)

    async def change_locale(self) -> Sound:
        return Sound(body={"locale": "de-AT"}, token=await self.token())

    async def send_test_message(self) -> Sound:
        return Sound(token=await self.token())

    async def remove_mobile(self) -> Sound:
        return Sound(token=await self.token())
