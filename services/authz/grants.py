"""Explicit grants to one person (permission model, section 2, tier 1)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import msgspec

from services.authz import naming, registry
from services.authz.delegation import Pair
from services.authz.facts import Dossier, dossiers_of
from services.authz.store import access as access_store
from services.authz.store import grants as store
from services.authz.store.subjects import SubjectRow
from services.authz.work import Affected, Result, Rule, Rules, Work, require_others
from shared.errors import Conflict, Invalid, NotFound
from staffgate.contracts.administration import SectionView
from staffgate.contracts.authz import Grant, GrantList, Target
from staffgate.contracts.caller import StaffType
from staffgate.contracts.changes import RemoveGrant, ResetGrants, SetGrant, SetSection
from staffgate.contracts.level import AccessLevel, Level

EDIT = "core.permissions.edit"
VIEW = "core.permissions.view"
OnePerson = SetGrant | RemoveGrant | ResetGrants | SetSection


# --- what is there --------------------------------------------------------------------------------------------


async def grants(work: Work, staff: UUID) -> GrantList:
    """Everybody sees their own; of others, whoever may view their permissions."""
    if staff != work.caller.staff:
        await work.people(VIEW, [staff])
    return await _listed(work, staff)


async def section(work: Work, staff: UUID, name: str) -> SectionView:
    """Default, quick and specific permissions of one section."""
    if staff != work.caller.staff:
        await work.people(VIEW, [staff])
    return await _section(work, staff, name)


async def _section(work: Work, staff: UUID, name: str) -> SectionView:
    if name not in work.catalogue.sections:
        raise NotFound("not_found", f"There is no section {name!r} in the catalogue.")
    mine = [grant for grant in await _live(work, staff) if _of_page(grant.target, name)]
    return SectionView(
        section=name,
        default=next((one.level for one in mine if one.target.item is None and one.target.feature is None), None),
        quick={one.target.item: one.level for one in mine if one.target.item is not None},
        specific={one.target.feature: one.level for one in mine if one.target.feature is not None},
    )


async def _live(work: Work, staff: UUID) -> list[Grant]:
    return _by_present_names(work, await _stored(work, staff))


async def _stored(work: Work, staff: UUID) -> list[Grant]:
    return [row.grant for row in await store.grants_of(work.tx, work.org, [staff])]


async def _known(work: Work, staff: UUID) -> list[Grant]:
    """The same for a change that sets or removes one: nothing else of it has altered any."""
    return [*work.known[staff].everything.grants] if work.knows(staff) else await _stored(work, staff)


def _by_present_names(work: Work, found: list[Grant]) -> list[Grant]:
    """Those that have not expired, by the names of today, whichever they are stored by."""
    live = [grant for grant in found if grant.expires_at is None or grant.expires_at > work.now]
    names = [work.catalogue.canonical(grant.target) or grant.target for grant in live]
    return [msgspec.structs.replace(grant, target=target) for grant, target in zip(live, names, strict=True)]


async def _listed(work: Work, staff: UUID) -> GrantList:
    live = await _live(work, staff)
    there = await registry.there(work.tx, work.org, work.catalogue, [grant.target for grant in live])
    return GrantList(grants=live, revision=0, gone=[grant.id for grant in live if grant.target not in there])


def _of_page(target: Target, section: str) -> bool:
    """Is it set on the page of that section? A feature of one item, or what is for a contract or tenant, is not."""
    both = target.item is not None and target.feature is not None
    return target.section == section and not both and target.contract is None and target.tenant is None


# --- what is changed ------------------------------------------------------------------------------------------


async def person(work: Work, staff: UUID, contract: str | None = None, tenant: str | None = None) -> SubjectRow:
    """Whose permissions the caller may change, in that context."""
    rows = await work.people(EDIT, [staff], contract=contract, tenant=tenant)
    require_others(work, [rows[staff]])
    return rows[staff]


async def require_bound(work: Work, row: SubjectRow) -> None:
    """An owner or administrator is bound by the tiers only where a product access level lowers them."""
    if row.type is StaffType.STANDARD:
        return
    levels = await access_store.access_of(work.tx, work.org, [row.staff])
    if not any(one.level in (AccessLevel.WITHOUT, AccessLevel.USER) for one in levels):
        raise Conflict("has_all", f"An {row.type} may do everything anyway; no grant can change that.")


async def _gate_target(work: Work, change: SetGrant) -> None:
    await require_bound(work, await person(work, change.staff, change.target.contract, change.target.tenant))


async def gate(work: Work, change: OnePerson) -> None:
    await person(work, change.staff)


async def _gate_page(work: Work, change: SetSection) -> None:
    await require_bound(work, await person(work, change.staff))


async def one(_work: Work, change: OnePerson) -> Affected:
    return (change.staff,)


async def _shown(work: Work, change: OnePerson) -> GrantList:
    return await _listed(work, change.staff)


async def _shown_page(work: Work, change: SetSection) -> SectionView:
    return await _section(work, change.staff, change.section)


async def _set(work: Work, change: SetGrant) -> Result:
    """One target has one grant. The same level again changes nothing."""
    target = await naming.target(work, change.target)
    return await _put(work, change.staff, await _known(work, change.staff), Grant(
        id=work.tx.database.ids.uuid(), target=target, level=change.level, expires_at=naming.end(work, change.expires_at)
    ))  # fmt: skip


async def _put(work: Work, staff: UUID, stored: list[Grant], wanted: Grant) -> tuple[Grant | None, Grant]:
    present = next((grant for grant in _by_present_names(work, stored) if grant.target == wanted.target), None)
    if present is not None and (present.level, present.expires_at) == (wanted.level, wanted.expires_at):
        return present, present
    if not work.has_all:
        work.claims.append(await _claim(work, staff, wanted))
    return present, await store.put_grant(work.tx, work.org, staff, await _renamed(work, staff, wanted, stored))


async def _renamed(work: Work, staff: UUID, wanted: Grant, stored: list[Grant]) -> Grant:
    """In the place of one that is stored by a former name, whose id it keeps: two would both have to allow."""
    same = [grant for grant in stored if work.catalogue.canonical(grant.target) == wanted.target != grant.target]
    if not same:
        return wanted
    await store.remove_grants(work.tx, work.org, staff, [grant.id for grant in same])
    return msgspec.structs.replace(wanted, id=same[0].id)


async def _claim(work: Work, staff: UUID, wanted: Grant) -> Pair:
    """The grant as such: the person with this one alone, and with a denial in its place. What they have by other rules
    does not make it the giver's to hand out."""
    dossier = (await dossiers_of(work.tx, work.org, [staff]))[staff]
    denial = msgspec.structs.replace(wanted, level=Level.DENY)

    def alone(grant: Grant) -> Dossier:
        facts = msgspec.structs.replace(dossier.everything, grants=(grant,), access=())
        return Dossier(facts, dossier.ends)

    return alone(denial), alone(wanted)


async def _remove(work: Work, change: RemoveGrant) -> Result:
    """What the person may do on the target is from now on what the rest of their permissions say."""
    live = _by_present_names(work, await _known(work, change.staff))
    found = next((grant for grant in live if grant.id == change.grant), None)
    if found is None:
        raise NotFound("not_found", "There is no such grant.")
    await store.remove_grants(work.tx, work.org, change.staff, [found.id])
    return found, None


async def _reset(work: Work, change: ResetGrants) -> Result:
    before = await _live(work, change.staff)
    await store.remove_grants(work.tx, work.org, change.staff, [grant.id for grant in before])
    return before, []


async def _set_page(work: Work, change: SetSection) -> Result:
    before = await _section(work, change.staff, change.section)
    wanted = [grant async for grant in _wanted(work, change)]
    targets = {grant.target for grant in wanted}
    gone = [
        grant.id
        for grant in await _live(work, change.staff)
        if _of_page(grant.target, change.section) and grant.target not in targets
    ]
    await store.remove_grants(work.tx, work.org, change.staff, gone)
    for grant in wanted:
        await _put(work, change.staff, await _stored(work, change.staff), grant)
    return before, await _section(work, change.staff, change.section)


async def _wanted(work: Work, change: SetSection) -> AsyncIterator[Grant]:
    levels: list[tuple[Target, Level]] = []
    if change.default is not None:
        levels.append((Target(section=change.section), change.default))
    levels += [(Target(section=change.section, item=item), level) for item, level in change.quick.items()]
    levels += [(Target(section=change.section, feature=name), level) for name, level in change.specific.items()]
    for named, level in levels:
        target = await naming.target(work, named)
        if target.section != change.section:
            raise Invalid(
                "wrong_section", f"{named.item or named.feature!r} belongs to {target.section!r}; set it there."
            )
        yield Grant(id=work.tx.database.ids.uuid(), target=target, level=level)


RULES: Rules = {
    SetGrant: Rule(_gate_target, one, _set, _shown),
    RemoveGrant: Rule(gate, one, _remove, _shown),
    ResetGrants: Rule(gate, one, _reset, _shown),
    SetSection: Rule(_gate_page, one, _set_page, _shown_page),
}
