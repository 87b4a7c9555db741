"""Sound requests: branding."""

from __future__ import annotations

from staffgate.contracts.caller import StaffType
from tests.service.bad_input.sound import Sound
from tests.service.notify.conftest import ACME, RAY
from tests.service.notify.logos import PNG
from tests.service.notify.sound.world import Ground

# Jane may do nothing: these answer her 403, and what is about one person 404.
FORBIDDEN = frozenset({"show_branding", "set_branding", "set_logo", "remove_logo"})
HIDDEN = frozenset[str]()


class Branding(Ground):
    @property
    def _fresh(self) -> str:
        return self.notify.token(RAY, StaffType.OWNER, fresh=True)

    async def show_branding(self) -> Sound:
        return Sound(token=self.ray)

    async def set_branding(self) -> Sound:
        body = {"name": "ACME Crates", "colour": "#1f5fd0", "reply_to": "help@acme.example", "locale": "de"}
        return Sound(body=body, token=self._fresh)

    async def set_logo(self) -> Sound:
        return Sound(content=PNG, token=self.ray)

    async def remove_logo(self) -> Sound:
        await self.notify.owner.execute(
            "INSERT INTO brand (org, logo, logo_type) VALUES ($1, $2, 'png')"
            " ON CONFLICT (org) DO UPDATE SET logo = $2, logo_type = 'png'",
            ACME, PNG,
        )  # fmt: skip
        return Sound(token=self.ray)
