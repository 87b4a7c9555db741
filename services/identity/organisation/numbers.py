"""The numbers that staff may appear with, as callers and as senders of messages. Where a purpose has none, all may be used."""

from __future__ import annotations

from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.organisation.visitors import number as e164
from services.identity.permits import Permits
from services.identity.store import lists as store
from services.identity.store import organisations as organisation_store
from services.identity.telephone import masked
from shared.db import Database
from shared.errors import Conflict, NotFound
from staffgate.contracts.caller import Person
from staffgate.contracts.identity import (
    AllowedNumber,
    AllowedNumbers,
    AllowNumber,
    CheckNumber,
    NumberChecked,
    NumberPurpose,
)

_SECTION = "core.organisation"
_MOST = 1000


class Numbers:
    def __init__(self, db: Database, permits: Permits) -> None:
        self._db = db
        self._permits = permits

    async def list(self, caller: Person) -> AllowedNumbers:
        """Everybody of the organisation may see which numbers there are to be used."""
        async with self._db.begin(caller.org) as tx:
            return AllowedNumbers(numbers=await store.numbers(tx, caller.org))

    async def allow(self, caller: Person, typed: str, wanted: AllowNumber) -> AllowedNumber:
        await self._permits.require_in(caller, _SECTION, "edit")
        new = AllowedNumber(
            number=e164(typed),
            label=wanted.label.strip(),
            purposes=[one for one in NumberPurpose if one in wanted.purposes],
            added_by=caller.staff,
            added_at=self._db.clock.now(),
        )
        async with self._db.begin(caller.org) as tx:
            await organisation_store.lock_organisation(tx, caller.org)
            if await store.count_numbers(tx, caller.org, new.number) >= _MOST:
                raise Conflict("too_many", f"An organisation lists {_MOST} numbers at most.")
            changed = await store.put_number(tx, caller.org, new)
            if changed is None:
                same = await store.number(tx, caller.org, new.number)
                assert same is not None
                return same
            audit.note(
                tx, caller.org, Act.NUMBERS_CHANGED, by=caller, number=masked(new.number), purposes=[*new.purposes]
            )
        return changed

    async def drop(self, caller: Person, typed: str) -> None:
        await self._permits.require_in(caller, _SECTION, "edit")
        number = e164(typed)
        async with self._db.begin(caller.org) as tx:
            await organisation_store.lock_organisation(tx, caller.org)
            if not await store.drop_number(tx, caller.org, number):
                raise NotFound("not_found", "This number is not on the list.")
            audit.note(tx, caller.org, Act.NUMBERS_CHANGED, by=caller, number=masked(number), removed=True)

    async def check(self, asked: CheckNumber) -> NumberChecked:
        """For products: may staff of this organisation appear with this number?"""
        number = e164(asked.number)
        async with self._db.begin(asked.org) as tx:
            found = await store.listed(tx, asked.org, number, asked.purpose)
        if found is None:
            raise NotFound("not_found", "There is no such organisation.")
        return NumberChecked(allowed=found.this or not found.any, listed=found.this)
