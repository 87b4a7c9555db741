"""Sound requests: security settings."""

from __future__ import annotations

from tests.service.bad_input.sound import Sound
from tests.service.identity.sound.world import Ground

# Jane may do nothing: these answer her 403, and what is about one person 404.
FORBIDDEN = frozenset(["set_security", "show_security"])
HIDDEN = frozenset(["unlock_staff"])
FOR_PRODUCTS = frozenset[str]()
FOR_ENROLLING = frozenset[str]()
FRESH = frozenset(["set_security"])


class Security(Ground):
    async def show_security(self) -> Sound:
        return Sound(token=self.acme.ray)

    async def set_security(self) -> Sound:
        rule = {"required": True, "allowed": ["passkey", "totp", "recovery", "sms", "email"]}
        body = {
            "administrators": {"required": True, "allowed": ["totp", "recovery", "email"]},
            "standard": rule,
            "password": {"minimum": 8 + self.fresh() % 8, "history": 3, "expires_days": 365},
            "lock": {"after": 100, "minutes": 30},
            "session": {"idle_minutes": 60, "absolute_hours": 24},
            "networks": ["127.0.0.0/8", "::1"],
            "confirm_lockout": True,
        }
        return Sound(body=body, token=self.acme.ray)

    async def unlock_staff(self) -> Sound:
        return Sound(path={"staff": str(await self.invited())}, token=self.acme.ray)
