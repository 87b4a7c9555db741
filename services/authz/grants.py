"""Explicit grants to one person, and who may change them (permission model, sections 2 and 6)."""

from __future__ import annotations

from uuid import UUID

from services.authz import items, revisions
from services.authz.arrivals import Arrivals, NotArrived
from services.authz.facts import facts_of
from services.authz.snapshots import Snapshots
from services.authz.store import grants as store
from services.authz.store import revisions as revision_store
from shared.db import Database, Tx
from shared.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from staffgate.contracts.authz import Grant, GrantChanged, GrantList, Revised, SetGrant, Target
from staffgate.contracts.caller import Person, StaffType
from staffgate.contracts.identity import StaffStatus
from staffgate.contracts.level import Level
from staffgate.decision import (
    BASE_ACTIONS,
    Catalogue,
    Facts,
    Snapshot,
    effective,
    level_of,
    resolve,
    throughout,
    within,
)

_PERMISSIONS = Target(section="core.permissions")


class Grants:
    def __init__(self, db: Database, catalogue: Catalogue, snapshots: Snapshots, arrivals: Arrivals) -> None:
        self._db = db
        self._catalogue = catalogue
        self._snapshots = snapshots
        self._arrivals = arrivals

    async def list(self, caller: Person, staff: UUID) -> GrantList:
        """Everybody sees their own; of others, whoever may view permissions."""
        return await self._arrivals.until_here([caller.staff, staff], lambda: self._list(caller, staff))

    async def _list(self, caller: Person, staff: UUID) -> GrantList:
        async with self._db.begin(caller.org, snapshot=True) as tx:
            if staff != caller.staff:
                await self._giver(tx, caller, "view")
            facts = _found(await facts_of(tx, caller.org, staff))
        return GrantList(grants=list(facts.grants), revision=facts.revision)

    async def set(self, caller: Person, staff: UUID, wanted: SetGrant) -> GrantChanged:
        """One target has one grant. The same level again changes nothing."""
        target = self._canonical(wanted.target)
        _require_another(caller, staff)
        changed, new = await self._arrivals.until_here(
            [caller.staff, staff], lambda: self._set(caller, staff, target, wanted.level)
        )
        if new:
            self._snapshots.changed(caller.org, [staff], changed.revision)
        return changed

    async def _set(self, caller: Person, staff: UUID, target: Target, level: Level) -> tuple[GrantChanged, bool]:
        org = caller.org
        async with self._db.begin(org) as tx:
            await revision_store.lock_revision(tx, org)
            giver = await self._giver(tx, caller, "edit")
            facts = _found(await facts_of(tx, org, staff))
            if facts.type is not StaffType.STANDARD:
                raise Conflict("has_all", f"An {facts.type} may do everything anyway; no grant can change that.")
            await _require_registered(tx, org, target)
            self._require_held(giver, target, level)
            present = next((grant for grant in facts.grants if grant.target == target), None)
            if present is not None and present.level is level:
                return GrantChanged(grant=present, revision=facts.revision), False
            grant = await store.put_grant(tx, org, staff, Grant(id=self._db.ids.uuid(), target=target, level=level))
            return GrantChanged(grant=grant, revision=await revisions.raised(tx, org, [staff])), True

    async def remove(self, caller: Person, staff: UUID, id: UUID) -> Revised:
        """What the person may do on the target is from now on what the rest of their permissions say."""
        _require_another(caller, staff)
        revision = await self._arrivals.until_here([caller.staff, staff], lambda: self._remove(caller, staff, id))
        self._snapshots.changed(caller.org, [staff], revision)
        return Revised(revision=revision)

    async def _remove(self, caller: Person, staff: UUID, id: UUID) -> int:
        org = caller.org
        async with self._db.begin(org) as tx:
            await revision_store.lock_revision(tx, org)
            giver = await self._giver(tx, caller, "edit")
            facts = _found(await facts_of(tx, org, staff))
            grant = next((grant for grant in facts.grants if grant.id == id), None)
            if grant is None:
                raise NotFound("not_found", "There is no such grant.")
            # What it kept back may come to light anywhere inside its target, on items with grants of their own too:
            # whoever takes a grant away has to have all there is. Deny takes access away and asks for nothing.
            self._require_held(giver, grant.target, Level.FULL)
            await store.remove_grant(tx, org, staff, id)
            return await revisions.raised(tx, org, [staff])

    # --- who may ----------------------------------------------------------------------------------------------

    async def _giver(self, tx: Tx, caller: Person, action: str) -> Snapshot:
        """What the caller has, read where the change is made: whoever lost it a moment ago gives nothing away."""
        facts = await facts_of(tx, caller.org, caller.staff)
        if facts is None or facts.status is StaffStatus.INVITED:
            # identity let them in, so they are active; only we have not heard of it yet.
            raise NotArrived(Unavailable("account_unknown", "Your account is not known here yet; try again."))
        snapshot = resolve(facts, self._catalogue)
        if not effective(snapshot, self._catalogue, _PERMISSIONS) & BASE_ACTIONS[action]:
            raise Forbidden("not_permitted", f"This takes the action {action!r} on {_PERMISSIONS.section!r}.")
        return snapshot

    def _require_held(self, giver: Snapshot, target: Target, level: Level) -> None:
        """Nobody hands out more than they have, anywhere inside the target."""
        held = throughout(giver, self._catalogue, target)
        if not within(held, level):
            raise Forbidden("more_than_own", "You can't give more than you have there.", yours=level_of(held))

    # --- what is named ----------------------------------------------------------------------------------------

    def _canonical(self, target: Target) -> Target:
        canonical = self._catalogue.canonical(target)
        if canonical is None:
            raise self._fault(target)
        return canonical

    def _fault(self, target: Target) -> Invalid:
        type, colon, _ = (target.item or ":").partition(":")
        if target.section not in self._catalogue.sections:
            return Invalid("unknown_section", f"There is no section {target.section!r} in the catalogue.")
        if target.feature is not None and target.feature not in self._catalogue.features:
            return Invalid("unknown_feature", f"There is no feature {target.feature!r} in the catalogue.")
        if target.item is not None and (not colon or type not in self._catalogue.holders):
            return Invalid("unknown_item_type", f"Name an item as `type:id`; {target.item!r} is of no known type.")
        return Invalid("target_empty", "Section, feature and item of the target do not lie inside one another.")


async def _require_registered(tx: Tx, org: UUID, target: Target) -> None:
    if target.item is None:
        return
    type, _, id = target.item.partition(":")
    if not await items.registered(tx, org, type, id):
        raise Invalid("unknown_item", f"{target.item!r} is not registered in your organisation; pick one that is.")


def _require_another(caller: Person, staff: UUID) -> None:
    if staff == caller.staff:
        raise Forbidden("own_permissions", "Nobody changes their own permissions; ask somebody else.")


def _found(facts: Facts | None) -> Facts:
    if facts is None:
        raise NotArrived(NotFound("not_found", "There is nobody of that id in your organisation."))
    return facts
