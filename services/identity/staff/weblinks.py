"""Weblinks: where visitors reach a person for a chat or a call, as an address and as a QR code.

The address is 256 random bits and says nothing of whom it leads to. It gives nobody a way in, works while its person is
active, and can be replaced by another at any time.
"""

from __future__ import annotations

import io
from uuid import UUID

import msgspec
import segno

from services.identity.authority import require_not_above
from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.permits import Permits, nobody
from services.identity.store import lifecycle as lifecycle_store
from services.identity.store import roster as store
from services.identity.store import staff as staff_store
from services.identity.store.roster import Addressee
from services.identity.store.staff import StaffRow
from shared.db import Database
from shared.errors import NotFound
from staffgate.contracts.caller import Person
from staffgate.contracts.identity import StaffStatus, Weblink, WeblinkAddressee


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What a visitor is shown, and all of it."""

    name: str
    organisation: str
    availability: str


class Weblinks:
    def __init__(self, db: Database, permits: Permits, url: str) -> None:
        """`url` is what comes before a weblink's random part."""
        self._db = db
        self._permits = permits
        self._url = url

    async def show(self, caller: Person, id: UUID) -> Weblink:
        """Everybody sees their own."""
        if id != caller.staff:
            await self._permits.require_over(caller, "view", id)
        async with self._db.begin(caller.org) as tx:
            return self._shown(await staff_store.staff(tx, caller.org, id))

    async def renew(self, caller: Person, id: UUID) -> Weblink:
        """Another address; the one before it leads nowhere from now on."""
        await self._permits.require_over(caller, "edit", id)
        async with self._db.begin(caller.org) as tx:
            person = await staff_store.lock_staff(tx, caller.org, id)
            if person is None:
                raise nobody()
            require_not_above(caller, person.type)
            renewed = await lifecycle_store.set_weblink(tx, caller.org, id, self._db.ids.secret())
            audit.note(tx, caller.org, Act.WEBLINK_CHANGED, by=caller, about=id)
        return self._shown(renewed)

    async def card(self, weblink: str) -> Card:
        """For whoever has the address."""
        found = await self._addressee(weblink)
        return Card(name=found.name, organisation=found.organisation, availability=found.availability)

    async def resolve(self, weblink: str) -> WeblinkAddressee:
        """For product services, which bring the visitor to the person."""
        found = await self._addressee(weblink)
        return WeblinkAddressee(organisation=found.org, staff=found.id)

    async def _addressee(self, weblink: str) -> Addressee:
        if "\0" in weblink:  # PostgreSQL takes no such text
            raise _nowhere()
        async with self._db.begin_anywhere() as tx:
            found = await store.addressee_anywhere(tx, weblink)
        if found is None:
            raise _nowhere()
        return found

    def _shown(self, person: StaffRow | None) -> Weblink:
        if person is None or person.weblink is None:
            raise nobody()
        url = self._url + person.weblink
        return Weblink(url=url, qr=_drawn(url), live=person.status is StaffStatus.ACTIVE)


def _drawn(url: str) -> str:
    """As SVG, on white: a code that is light on dark is not read by every camera."""
    drawn = io.BytesIO()
    segno.make(url, micro=False).save(drawn, kind="svg", scale=4, light="#fff", xmldecl=False, nl=False)
    return drawn.getvalue().decode()


def _nowhere() -> NotFound:
    """The same whether it never led to anybody or does not any more."""
    return NotFound("not_found", "This link leads to nobody.")
