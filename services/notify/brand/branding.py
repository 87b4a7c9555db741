"""What administrators set of how their organisation's e-mails look."""

from __future__ import annotations

import msgspec
import structlog

from services.notify.authority import require_administrator
from services.notify.brand import images
from services.notify.brand.brands import Brands, from_row
from services.notify.brand.look import look
from services.notify.channels.letter import address
from services.notify.channels.port import Rejected
from services.notify.plain import plain
from services.notify.store import brands as store
from services.notify.store.brands import BrandRow
from shared.db import Database
from shared.errors import Invalid, NotFound
from shared.freshness import require_fresh
from shared.preconditions import require_match
from staffgate.contracts.caller import Person
from staffgate.contracts.notify import Branding as View
from staffgate.contracts.notify import Logo, SetBranding

log = structlog.get_logger()


class Branding:
    """Whatever shows it gives its ETag with it."""

    def __init__(self, db: Database, brands: Brands) -> None:
        self._db = db
        self._brands = brands

    async def show(self, caller: Person) -> tuple[View, str]:
        require_administrator(caller)
        async with self._db.begin(caller.org) as tx:
            row = await store.brand(tx, caller.org)
        return _shown(row), _etag(row)

    async def save(self, caller: Person, wanted: SetBranding, if_match: str | None) -> tuple[View, str]:
        """Where answers go is a sensitive thing: whoever changes that has shown a factor a moment ago."""
        require_administrator(caller)
        _check(wanted)
        async with self._db.begin(caller.org) as tx:
            old = await store.lock_brand(tx, caller.org)
            require_match(if_match, _etag(old))
            if wanted.reply_to != old.reply_to:
                require_fresh(caller, self._db.clock)
            new = msgspec.structs.replace(
                old, name=wanted.name, colour=wanted.colour.lower(), reply_to=wanted.reply_to, locale=wanted.locale,
                version=old.version + 1,
            )  # fmt: skip
            await store.put_brand(tx, caller.org, new)
        return self._changed(caller, new, _differing(old, new))

    async def set_logo(self, caller: Person, content: bytes, if_match: str | None) -> tuple[View, str]:
        require_administrator(caller)
        try:
            logo = images.read(content)
        except images.Unreadable as fault:
            raise Invalid("logo_unusable", f"This is no picture for an e-mail: {fault}.") from fault
        async with self._db.begin(caller.org) as tx:
            old = await store.lock_brand(tx, caller.org)
            require_match(if_match, _etag(old))
            new = msgspec.structs.replace(
                old, logo=logo.content, logo_type=logo.subtype, version=old.version + 1
            )  # fmt: skip
            await store.put_brand(tx, caller.org, new)
        return self._changed(caller, new, ["logo"])

    async def remove_logo(self, caller: Person, if_match: str | None) -> tuple[View, str]:
        require_administrator(caller)
        async with self._db.begin(caller.org) as tx:
            old = await store.lock_brand(tx, caller.org)
            require_match(if_match, _etag(old))
            if old.logo is None:
                raise NotFound("no_logo", "There is no logo to remove.")
            new = msgspec.structs.replace(old, logo=None, logo_type=None, version=old.version + 1)
            await store.put_brand(tx, caller.org, new)
        return self._changed(caller, new, ["logo"])

    def _changed(self, caller: Person, row: BrandRow, what: list[str]) -> tuple[View, str]:
        self._brands.forget(caller.org)
        log.info("branding.changed", org=str(caller.org), staff=str(caller.staff), changed=what)
        return _shown(row), _etag(row)


def _check(wanted: SetBranding) -> None:
    """A name is a name: nothing in it that a mail program makes a link or an address of."""
    if wanted.name != plain(wanted.name):
        detail = f"Write the name as plain text, without an address or a link, for example {plain(wanted.name)!r}."
        raise Invalid("name_not_plain", detail, at="$.name")
    try:
        if wanted.reply_to:
            address(wanted.reply_to)
    except Rejected as fault:
        raise Invalid("no_address", "This is no e-mail address; write one, or nothing.", at="$.reply_to") from fault


def _shown(row: BrandRow) -> View:
    brand = from_row(row)
    seen = look(brand)
    logo = None
    if brand.logo:
        width, height = images.size(brand.logo.content)
        kind = f"image/{brand.logo.subtype}"
        logo = msgspec.convert({"type": kind, "width": width, "height": height, "content": brand.logo.content}, Logo)
    return View(
        name=row.name, colour=row.colour, button=seen["colour"], ink=seen["ink_on_colour"], reply_to=row.reply_to,
        locale=row.locale, logo=logo,
    )  # fmt: skip


def _differing(old: BrandRow, new: BrandRow) -> list[str]:
    return [name for name in SetBranding.__struct_fields__ if getattr(old, name) != getattr(new, name)]


def _etag(row: BrandRow) -> str:
    return f'"{row.version}"'
