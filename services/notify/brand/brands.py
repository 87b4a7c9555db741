"""An organisation's name, colour and logo on its e-mails, where answers go, and its language."""

from __future__ import annotations

from uuid import UUID

import msgspec

from services.notify.channels.port import Picture


class Brand(msgspec.Struct, frozen=True, kw_only=True):
    """Without any of it e-mails look like the suite's own. `locale` is what its people are written to in, unless they
    chose another; `colour` is `#rrggbb`, of buttons and links."""

    name: str = ""
    colour: str = ""
    logo: Picture | None = None
    reply_to: str = ""
    locale: str = "en"


PLAIN = Brand()


class Brands:
    async def of(self, org: UUID) -> Brand:
        return PLAIN
