"""What a person has beside grants and roles: the account default, the routing flag, and links to PBX subscribers."""

from __future__ import annotations

from uuid import UUID

import msgspec

from services.authz import delegation, naming
from services.authz.facts import dossiers_of
from services.authz.grants import VIEW, person, require_bound
from services.authz.store import links as link_store
from services.authz.store import subjects as store
from services.authz.work import Affected, Result, Rule, Rules, Work
from shared.errors import NotFound
from staffgate.contracts.administration import EffectivePermissions, SubjectView, SubscriberList
from staffgate.contracts.authz import SectionPermissions
from staffgate.contracts.changes import LinkSubscriber, SetDefaultLevel, SetRouting, UnlinkSubscriber
from staffgate.decision import Reason, resolve, tree

OnePerson = SetDefaultLevel | SetRouting | LinkSubscriber | UnlinkSubscriber


# --- what is there --------------------------------------------------------------------------------------------


async def subject(work: Work, staff: UUID) -> SubjectView:
    """Everybody sees their own; of others, whoever may view their permissions."""
    if staff != work.caller.staff:
        await work.people(VIEW, [staff])
    return await _subject(work, staff)


async def subscribers(work: Work, staff: UUID) -> SubscriberList:
    if staff != work.caller.staff:
        await work.people(VIEW, [staff])
    return SubscriberList(subscribers=await link_store.links_of(work.tx, work.org, staff))


async def effective(work: Work, staff: UUID, contract: str | None, tenant: str | None) -> EffectivePermissions:
    """What is in force now, as the engine answers it. Of somebody who is not active: what will be once they are."""
    if staff != work.caller.staff:
        await work.people(VIEW, [staff])
    facts = (await dossiers_of(work.tx, work.org, [staff]))[staff].at(work.now)
    await naming.context(work, contract, tenant)
    snapshot = resolve(delegation.as_active(facts), work.catalogue)
    if tenant is not None and snapshot.everything is None and tenant not in facts.tenants:
        snapshot = msgspec.structs.replace(snapshot, closed=Reason.NOT_A_MEMBER)
    shown = tree(snapshot, work.catalogue, contract, tenant)
    return EffectivePermissions(
        sections=msgspec.convert(shown, list[SectionPermissions], from_attributes=True),
        route_anywhere=snapshot.route_anywhere or snapshot.everything is not None,
        revision=facts.revision,
    )


async def _subject(work: Work, staff: UUID) -> SubjectView:
    (row,) = await store.subjects(work.tx, work.org, [staff])
    return SubjectView(
        staff=row.staff,
        type=row.type,
        status=row.status,
        default_level=row.default_level,
        route_anywhere=row.route_anywhere,
        team=row.team,
        tenants=list(row.tenants),
        subscribers=list(row.subscribers),
    )


# --- what is changed ------------------------------------------------------------------------------------------


async def _gate_tiers(work: Work, change: SetDefaultLevel | SetRouting) -> None:
    await require_bound(work, await person(work, change.staff))


async def _gate(work: Work, change: OnePerson) -> None:
    await person(work, change.staff)


async def _one(_work: Work, change: OnePerson) -> Affected:
    return (change.staff,)


async def _shown(work: Work, change: OnePerson) -> SubjectView:
    return await _subject(work, change.staff)


async def _shown_links(work: Work, change: OnePerson) -> SubscriberList:
    return SubscriberList(subscribers=await link_store.links_of(work.tx, work.org, change.staff))


async def _set_default(work: Work, change: SetDefaultLevel) -> Result:
    before = await _subject(work, change.staff)
    await store.set_default_level(work.tx, work.org, change.staff, change.level)
    return before, await _subject(work, change.staff)


async def _set_routing(work: Work, change: SetRouting) -> Result:
    before = await _subject(work, change.staff)
    await store.set_routing(work.tx, work.org, change.staff, change.anywhere)
    return before, await _subject(work, change.staff)


async def _link(work: Work, change: LinkSubscriber) -> Result:
    before = await link_store.links_of(work.tx, work.org, change.staff)
    await link_store.add_link(work.tx, work.org, change.staff, change.subscriber)
    return before, await link_store.links_of(work.tx, work.org, change.staff)


async def _unlink(work: Work, change: UnlinkSubscriber) -> Result:
    before = await link_store.links_of(work.tx, work.org, change.staff)
    if change.subscriber not in before:
        raise NotFound("not_found", f"This person is not linked to {change.subscriber!r}.")
    await link_store.remove_link(work.tx, work.org, change.staff, change.subscriber)
    return before, await link_store.links_of(work.tx, work.org, change.staff)


RULES: Rules = {
    SetDefaultLevel: Rule(_gate_tiers, _one, _set_default, _shown),
    SetRouting: Rule(_gate_tiers, _one, _set_routing, _shown),
    LinkSubscriber: Rule(_gate, _one, _link, _shown_links),
    UnlinkSubscriber: Rule(_gate, _one, _unlink, _shown_links),
}
