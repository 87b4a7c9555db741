"""Visitors who are turned away, by number, e-mail address or network; products ask before they let one through.

The audit log names entries by their ids: what a visitor is known by is personal data, and stands on the list alone.
"""

from __future__ import annotations

from uuid import UUID

from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.organisation import visitors
from services.identity.permits import Permits
from services.identity.store import lists as store
from services.identity.store import organisations as organisation_store
from shared.db import Database
from shared.errors import Conflict, Invalid, NotFound
from staffgate.contracts.caller import Person
from staffgate.contracts.identity import (
    BlockedVisitor,
    Blocklist,
    BlocklistQuery,
    BlockVisitor,
    CheckVisitor,
    VisitorChecked,
    VisitorKind,
)

_SECTION = "core.organisation"
_MOST = 20_000


class Visitors:
    def __init__(self, db: Database, permits: Permits) -> None:
        self._db = db
        self._permits = permits

    async def list(self, caller: Person, asked: BlocklistQuery) -> Blocklist:
        await self._permits.require_in(caller, _SECTION, "view")
        async with self._db.begin(caller.org) as tx:
            found = await store.visitors(
                tx, caller.org, kind=asked.kind, words=asked.q.replace("\0", ""), before=asked.before,
                limit=asked.limit + 1,
            )  # fmt: skip
        shown = found[: asked.limit]
        return Blocklist(visitors=shown, next=shown[-1].id if len(found) > asked.limit else None)

    async def block(self, caller: Person, wanted: BlockVisitor) -> BlockedVisitor:
        await self._permits.require_in(caller, _SECTION, "create")
        new = BlockedVisitor(
            id=self._db.ids.uuid(),
            kind=wanted.kind,
            value=visitors.known_as(wanted.kind, wanted.value),
            reason=wanted.reason.strip(),
            added_by=caller.staff,
            added_at=self._db.clock.now(),
        )
        async with self._db.begin(caller.org) as tx:
            await organisation_store.lock_organisation(tx, caller.org)
            if await store.count_visitors(tx, caller.org) >= _MOST:
                raise Conflict("too_many", f"A blocklist holds {_MOST} visitors at most; remove some first.")
            if not await store.block(tx, caller.org, new):
                raise Conflict("already_blocked", "This visitor is on the list.")
            audit.note(tx, caller.org, Act.BLOCKLIST_CHANGED, by=caller, entry=str(new.id), kind=new.kind)
        return new

    async def unblock(self, caller: Person, id: UUID) -> None:
        await self._permits.require_in(caller, _SECTION, "delete")
        async with self._db.begin(caller.org) as tx:
            kind = await store.unblock(tx, caller.org, id)
            if kind is None:
                raise NotFound("not_found", "There is no such entry on the list.")
            audit.note(tx, caller.org, Act.BLOCKLIST_CHANGED, by=caller, entry=str(id), kind=kind, removed=True)

    async def check(self, asked: CheckVisitor) -> VisitorChecked:
        """For products: is this visitor turned away, and by which entries?"""
        known = _known(asked)
        if not known:
            raise Invalid("nothing_to_check", "Say what is known of the visitor: number, email or ip.")
        async with self._db.begin(asked.org) as tx:
            if not await store.is_open(tx, asked.org):
                raise NotFound("not_found", "There is no such organisation.")
            found = await store.matches(tx, asked.org, known)
        return VisitorChecked(blocked=bool(found), matches=found)


def _known(asked: CheckVisitor) -> list[tuple[VisitorKind, str]]:
    """Under everything that an entry could stand as."""
    known = []
    if asked.number is not None:
        known.append((VisitorKind.NUMBER, visitors.known_as(VisitorKind.NUMBER, asked.number)))
    if asked.email is not None:
        known.append((VisitorKind.EMAIL, visitors.known_as(VisitorKind.EMAIL, asked.email)))
    if asked.ip is not None:
        known += [(VisitorKind.IP, network) for network in visitors.networks_of(asked.ip)]
    return known
