"""An organisation's name, colour and logo on its e-mails, where answers go, and its language."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from services.notify.channels.port import Picture
from services.notify.store import brands as store
from services.notify.store.brands import BrandRow
from shared.db import Database

_GOOD_FOR = timedelta(seconds=5)
_KEPT = 256  # with a logo each, at most 16 MiB


class Brand(msgspec.Struct, frozen=True, kw_only=True):
    """Without any of it e-mails look like the suite's own. `locale` is what its people are written to in, unless they
    chose another; `colour` is `#rrggbb`, of buttons: what becomes of it in the layout says `look`."""

    name: str = ""
    colour: str = ""
    logo: Picture | None = None
    reply_to: str = ""
    locale: str = "en"


PLAIN = Brand()


class Brands:
    """Kept for a few seconds, for a thousand invitations of one organisation are no thousand reasons to ask."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: OrderedDict[UUID, tuple[datetime, Brand]] = OrderedDict()

    async def of(self, org: UUID) -> Brand:
        now = self._db.clock.now()
        until, brand = self._known.get(org, (now, PLAIN))
        if now < until:
            return brand
        async with self._db.begin(org) as tx:
            brand = from_row(await store.brand(tx, org))
        self._known[org] = now + _GOOD_FOR, brand
        self._known.move_to_end(org)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return brand

    def forget(self, org: UUID) -> None:
        """It was changed here; other processes see it when their time is over."""
        self._known.pop(org, None)


def from_row(row: BrandRow) -> Brand:
    logo = Picture(content=row.logo, subtype=row.logo_type) if row.logo and row.logo_type else None
    return Brand(name=row.name, colour=row.colour, logo=logo, reply_to=row.reply_to, locale=row.locale)
