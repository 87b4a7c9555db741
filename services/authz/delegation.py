"""Nobody hands out more than they have, and nobody raises themselves (permission model, section 6, rules 2 and 4).

People are compared as they were and as they would be, now and whenever something of theirs or of the giver's expires:
a gift does not outlast what its giver has it by, and a denial that is to end some day gives away what comes after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from uuid import UUID

import msgspec

from services.authz import registry
from services.authz.facts import Dossier, dossiers_of
from services.authz.work import Work
from shared.errors import Forbidden
from staffgate.contracts.administration import PersonShift, Shift
from staffgate.contracts.authz import Item, Target
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import StaffStatus
from staffgate.decision import Facts, Shared, difference, excess, resolve
from staffgate.decision.model import Holding

NOBODY = UUID(int=0)
_MOST = 300  # comparisons, each of some milliseconds, while the organisation is held

Pair = tuple[Dossier, Dossier]


async def judge(work: Work) -> None:
    """Raise Forbidden where a change gives somebody what its giver has not. `work` holds everybody's state before it."""
    if work.has_all:
        return
    after = await dossiers_of(work.tx, work.org, work.before.keys()) if work.before else {}
    me = work.caller.staff
    if me in work.before and _gains(work, work.before[me], after[me]):
        raise Forbidden("own_permissions", "Nobody raises their own permissions; ask somebody else.")
    pairs = [(work.before[staff], after[staff]) for staff in work.before if staff != me]
    pairs = list(_unlike([*pairs, *work.claims]))
    if len(pairs) > _MOST:
        detail = "This concerns too many people to compare with what you have; ask an owner or administrator."
        raise Forbidden("too_many_people", detail)
    items = await _items(work, [work.dossier, *(one for pair in pairs for one in pair)])
    for before, then in pairs:
        await asyncio.sleep(0)  # other requests of this process go on between two comparisons
        _require_within(work, before, then, items)


async def within(work: Work, pairs: Collection[Pair]) -> bool:
    """Has the giver all that these come to?"""
    if work.has_all:
        return True
    items = await _items(work, [work.dossier, *(one for pair in pairs for one in pair)])
    for before, after in pairs:
        await asyncio.sleep(0)
        try:
            _require_within(work, before, after, items)
        except Forbidden:
            return False
    return True


async def differences(work: Work) -> list[PersonShift]:
    """Who gains and loses what, of all those that `work` remembers; those for whom nothing differs left out."""
    after = await dossiers_of(work.tx, work.org, work.before.keys()) if work.before else {}
    known: dict[bytes, list[Shift]] = {}
    found = []
    for staff in sorted(work.before):
        pair = (work.before[staff], after[staff])
        key = _likeness(pair)
        if key not in known:
            await asyncio.sleep(0)
            known[key] = _shifts(work, *pair)
        if known[key]:
            found.append(PersonShift(staff=staff, differences=known[key]))
    return found


def _shifts(work: Work, before: Dossier, after: Dossier) -> list[Shift]:
    shared = Shared()
    old, new = (resolve(as_active(dossier.at(work.now)), work.catalogue, shared) for dossier in (before, after))
    return [Shift(target=one.target, gained=one.gained, lost=one.lost) for one in difference(old, new, work.catalogue)]


def _gains(work: Work, before: Dossier, after: Dossier) -> bool:
    for at in _moments(work, before, after):
        old, new = resolve(before.at(at), work.catalogue), resolve(after.at(at), work.catalogue)
        if any(one.gained for one in difference(old, new, work.catalogue)):
            return True
    return False


def _require_within(work: Work, before: Dossier, after: Dossier, items: dict[str, Item]) -> None:
    shared = Shared()
    for at in _moments(work, before, after):
        giver = resolve(work.dossier.at(at), work.catalogue, shared)
        old = resolve(as_active(before.at(at)), work.catalogue, shared)
        new = resolve(as_active(after.at(at)), work.catalogue, shared)
        target = excess(giver, old, new, work.catalogue, items)
        if target is not None:
            until = "" if at == work.now else f" from {at.isoformat()} on"
            raise Forbidden("more_than_own", f"You can't give more than you have there{until}.", target=_said(target))


def _moments(work: Work, *dossiers: Dossier) -> list[datetime]:
    later = {at for dossier in (work.dossier, *dossiers) for at in dossier.moments(work.now)}
    return [work.now, *sorted(later)]


def as_active(facts: Facts) -> Facts:
    """What is given to somebody who is not active yet, or just now, is theirs once they are."""
    return msgspec.structs.replace(facts, status=StaffStatus.ACTIVE)


def _said(target: Target) -> object:
    return msgspec.to_builtins(target)


# --- who is like whom -----------------------------------------------------------------------------------------


def _unlike(pairs: Iterable[Pair]) -> Iterator[Pair]:
    """One of each kind: a thousand agents who hold the same roles in one team are compared once."""
    seen: set[bytes] = set()
    for pair in pairs:
        key = _likeness(pair)
        if key not in seen:
            seen.add(key)
            yield pair


def _likeness(pair: Pair) -> bytes:
    before, after = pair
    same_links = before.everything.subscribers == after.everything.subscribers
    return b"".join(_bare(dossier, without_links=same_links) for dossier in pair)


def _bare(dossier: Dossier, *, without_links: bool) -> bytes:
    """Without what is anybody's own and gives nothing by itself: ids, and links that stay as they are."""
    facts = dossier.everything
    bare = msgspec.structs.replace(
        facts,
        staff=NOBODY,
        grants=tuple(msgspec.structs.replace(grant, id=NOBODY) for grant in facts.grants),
        access=tuple(msgspec.structs.replace(access, id=NOBODY) for access in facts.access),
        roles=tuple(msgspec.structs.replace(held, id=NOBODY, group=None) for held in facts.roles),
        subscribers=() if without_links else facts.subscribers,
    )
    ends = [str(dossier.ends.get(held.id)) for held in facts.roles]
    return msgspec.json.encode([bare, ends])


# --- what rules name ------------------------------------------------------------------------------------------


async def _items(work: Work, dossiers: Collection[Dossier]) -> dict[str, Item]:
    """The registered items that any of their rules is on: whose they are decides whether they are the giver's to give."""
    named = sorted({target.item for dossier in dossiers for target in _targets(dossier.everything) if target.item})
    found: dict[str, Item] = {}
    for name in named:
        type, _, id = name.partition(":")
        item = await registry.item(work.tx, work.org, work.catalogue, type, id)
        if item is not None:
            found[name] = item
    return found


def _targets(facts: Facts) -> Iterator[Target]:
    yield from (grant.target for grant in facts.grants)
    for held in facts.roles:
        yield from (entry.target for entry in held.role.entries)


# --- what is handed out as such -------------------------------------------------------------------------------


def holding(work: Work, *held: Holding, until: datetime | None = None) -> Dossier:
    """Somebody in the giver's own place who has these roles, until then, and nothing else."""
    mine = work.dossier.everything
    facts = Facts(
        staff=NOBODY,
        revision=mine.revision,
        org_active=True,
        type=StaffType.STANDARD,
        status=StaffStatus.ACTIVE,
        roles=held,
        team=mine.team,
        teams=mine.teams,
        tenants=mine.tenants if work.giver.everything is None else mine.organisation.tenants,
        organisation=mine.organisation,
    )
    return Dossier(facts, {} if until is None else {one.id: until for one in held})
