"""Who may do what after a change that they could not before, and whether a giver had it to give (sections 6 and 7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from staffgate.contracts.authz import Item, Target
from staffgate.contracts.level import DataAccess
from staffgate.decision.actions import names
from staffgate.decision.catalogue import LINKED, USE, Catalogue
from staffgate.decision.decide import reached
from staffgate.decision.points import Point, Rows, Where, member_of, outside, points, rows
from staffgate.decision.rules import ANYWHERE, Context
from staffgate.decision.snapshot import ALL_ROWS, DATA_ACCESS, NOWHERE, Snapshot


class Difference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is gained and lost on a target: actions, and over whose rows. Beside the base actions and features, on
    everything: `product.use`, `route_anywhere`, `tenant:<key>` for a membership, and `subscriber:<extension>` for a link."""

    target: Target
    gained: dict[str, DataAccess] = {}
    lost: dict[str, DataAccess] = {}


def difference(before: Snapshot, after: Snapshot, catalogue: Catalogue) -> list[Difference]:
    """What one person may do after that they could not before, and the other way round (section 6).

    What follows from a line is not said again: not of a place inside when it differs as the one around it does, nor of a
    contract or tenant when it differs as it does without, nor of a feature when it differs as the action it needs does.
    An exception is a line, if need be an empty one; but not that contracts and tenants may be without access to it all.
    """
    compared = _Compared()
    for point in points(catalogue, before, after, every_contract=True):
        compared.add(point, rows(before, point), rows(after, point))
    return [*_special(before, after), *compared.lines()]


def excess(
    giver: Snapshot,
    before: Snapshot,
    after: Snapshot,
    catalogue: Catalogue,
    items: Mapping[str, Item] | None = None,
) -> Target | None:
    """The first target on which a change would give somebody more than its giver has, None where there is none
    (section 6, rule 2). `items` describes the items that a rule names, by `type:id`, as far as they are registered.

    One's own rows count as rows of one's team: who may do something there may give it to its people.
    """
    if giver.closed is None and giver.everything is not None and not giver.lowered:
        return None
    links = after.subscribers - before.subscribers
    if _rights(after) - _rights(before) - _links(links) - _rights(giver):
        return Target()
    for point in points(catalogue, before, after, giver):
        old, new = rows(before, point), rows(after, point)
        if not new.within(old) and not _has(giver, after.team, point, old, new, items or {}):
            return point.target
        if links and new.reach != ALL_ROWS and _opens(after, point, links) and not _opens(giver, point, links):
            return point.target
    return None


# --- what is there to give ------------------------------------------------------------------------------------


def _has(giver: Snapshot, team: str | None, point: Point, old: Rows, new: Rows, items: Mapping[str, Item]) -> bool:
    """Is what somebody of that team would get inside what the giver has?"""
    own = rows(giver, point)
    if own.reach in (NOWHERE, ALL_ROWS):
        return own.reach == ALL_ROWS
    item = items.get(point.path[0])
    if item is not None and reached(giver, own.reach, item.owner, item.team, item.subscriber):
        return True
    return new.reach != ALL_ROWS and new.teams - old.teams <= own.teams and (old.reach != NOWHERE or team in own.teams)


def _opens(person: Snapshot, point: Point, links: frozenset[str]) -> bool:
    """Are the rows of these extensions among those that the person reaches there (section 5)?"""
    reach = rows(person, point).reach
    if reach == ALL_ROWS or not links <= person.subscribers:
        return reach == ALL_ROWS
    return reach != NOWHERE or (point.feature in LINKED and not outside(person, point.context))


def _special(before: Snapshot, after: Snapshot) -> list[Difference]:
    old, new = _rights(before), _rights(after)
    gained, lost = (dict.fromkeys(sorted(rights), DataAccess.FULL) for rights in (new - old, old - new))
    return [Difference(target=Target(), gained=gained, lost=lost)] if gained or lost else []


def _rights(person: Snapshot) -> frozenset[str]:
    """What is on no target."""
    if person.closed is not None:
        return frozenset()
    anywhere = {"route_anywhere"} if person.route_anywhere or person.everything is not None else set()
    members = {f"tenant:{tenant}" for tenant in member_of(person)}
    return frozenset({USE, *anywhere, *members, *_links(person.subscribers)})


def _links(extensions: frozenset[str]) -> frozenset[str]:
    return frozenset(f"subscriber:{extension}" for extension in extensions)


# --- how it is said -------------------------------------------------------------------------------------------

# By action what is gained, and what is lost.
_Change = tuple[dict[str, DataAccess], dict[str, DataAccess]]

_NOTHING: _Change = ({}, {})


class _Compared:
    def __init__(self) -> None:
        self._changes: dict[Where, _Change] = {}
        self._points: dict[Where, Point] = {}

    def add(self, point: Point, old: Rows, new: Rows) -> None:
        gained, lost = self._changes.setdefault(point.where, ({}, {}))
        self._points[point.where] = point
        if not new.within(old):
            gained[point.action] = DATA_ACCESS[new.reach]
        if not old.within(new):
            lost[point.action] = DATA_ACCESS[old.reach]

    def lines(self) -> Iterator[Difference]:
        for where, change in self._changes.items():
            if not self._follows(where, change):
                yield Difference(target=self._points[where].target, gained=change[0], lost=change[1])

    def _follows(self, where: Where, change: _Change) -> bool:
        """Does it go without saying, from the lines before it?"""
        place, feature, context = where
        if change == _NOTHING and context != ANYWHERE:
            return True
        wider, further = _wider(context), (self._points[where].path[1], feature, context)
        if self._as_needed(where) and (further not in self._changes or self._as_needed(further)):
            return True
        if wider and all(self._changes[place, feature, one] == change for one in wider):
            return True
        if further not in self._changes:
            return feature is None and change == _NOTHING
        contexts = (context, *wider)
        return all(self._changes[further[0], feature, one] == self._changes[place, feature, one] for one in contexts)

    def _as_needed(self, where: Where) -> bool:
        """Does a feature change as if there were no rule about it?"""
        place, feature, context = where
        if feature is None:
            return False
        [need] = names(self._points[where].need)
        (gained, lost), (plainly_gained, plainly_lost) = self._changes[where], self._changes[place, None, context]
        return (gained.get(feature), lost.get(feature)) == (plainly_gained.get(need), plainly_lost.get(need))


def _wider(context: Context) -> list[Context]:
    """Without the contract, and without the tenant."""
    contract, tenant = context
    return [wider for wider in ((None, tenant), (contract, None)) if wider != context]
