"""Sound requests: me."""

from __future__ import annotations

import pyotp

from tests.service.bad_input.sound import Sound
from tests.service.identity.sound.world import Ground

# Jane may do nothing: these answer her 403, and what is about one person 404.
FORBIDDEN = frozenset()
HIDDEN = frozenset()
FOR_PRODUCTS = frozenset()
FOR_ENROLLING = frozenset(["confirm_totp", "enrol_totp", "log_out"])


class Me(Ground):
    async def show_me(self) -> Sound:
        return Sound(token=self.acme.ray)

    async def log_out(self) -> Sound:
        return Sound(token=await self.token())

    async def enrol_totp(self) -> Sound:
        return Sound(token=await self.token())

    async def confirm_totp(self) -> Sound:
        token = await self.token()
        secret = (await self.identity.post("/v1/me/factors/totp", token=token)).json["secret"]
        return Sound(body={"code": pyotp.TOTP(secret).at(self.identity.clock.now())}, token=token)
