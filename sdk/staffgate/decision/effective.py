"""What a person may do on a target as such: for the Permissions List, and for who may hand out what (section 6)."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import msgspec

from staffgate.contracts.authz import Target
from staffgate.contracts.level import Level
from staffgate.decision.actions import ALL, BASE_ACTIONS, NONE, VIEW, Mask, level_of, names
from staffgate.decision.catalogue import Catalogue, Path
from staffgate.decision.decide import judge
from staffgate.decision.manifest import Section
from staffgate.decision.model import Reason
from staffgate.decision.snapshot import Snapshot


class SectionAccess(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of the Permissions List: what is allowed in a section, and which tier, by which rule, says so (section 2)."""

    section: str
    label: str
    actions: list[str]
    level: Level
    reason: Reason
    rule: UUID | None = None
    target: Target | None = None
    sections: list[SectionAccess] = []


def effective(snapshot: Snapshot, catalogue: Catalogue, target: Target) -> Mask:
    """The base actions allowed on exactly this target, exceptions inside it not counted (section 2)."""
    canonical = catalogue.canonical(target)
    if canonical is None:
        return NONE
    return _mask(snapshot, catalogue.path_of(canonical), canonical.feature)


def throughout(snapshot: Snapshot, catalogue: Catalogue, target: Target) -> Mask:
    """The base actions allowed everywhere inside a target: what may be handed out on it (section 6, rule 2).

    Who has Use of the section but not of the inbox Management has no right over Management to give away with it.
    """
    canonical = catalogue.canonical(target)
    if canonical is None:
        return NONE
    held = ALL
    for path in _inside(snapshot, catalogue, canonical):
        held &= _mask(snapshot, path, canonical.feature)
        if canonical.feature is None:
            held &= ~_withheld(snapshot, catalogue, path)
    return held


def tree(snapshot: Snapshot, catalogue: Catalogue) -> list[SectionAccess]:
    """Every section with what is allowed there, the sub-sections inside it (section 2)."""
    return _branches(snapshot, catalogue, None)


def _mask(snapshot: Snapshot, path: Path, feature: str | None) -> Mask:
    return sum(bit for bit in BASE_ACTIONS.values() if judge(snapshot, path, feature, bit)[0])


def _inside(snapshot: Snapshot, catalogue: Catalogue, target: Target) -> Iterator[Path]:
    """Every place inside a canonical target that the person's rules can tell from its neighbours."""
    yield catalogue.path_of(target)
    if target.item is not None:
        return
    yield from (path for path in catalogue.paths.values() if target.section in path[1:])
    for place in snapshot.grants.places():
        kind, colon, name = place.partition(":")
        path = catalogue.path(kind, name) if colon else None
        if path is not None and target.section in path:
            yield path


def _withheld(snapshot: Snapshot, catalogue: Catalogue, path: Path) -> Mask:
    """The base actions that some feature there needs and is denied: a level on the whole place would allow it."""
    withheld = NONE
    for name in catalogue.features:
        action = catalogue.actions[name]
        if action.section in path and not judge(snapshot, path, name, action.need)[0]:
            withheld |= action.need
    return withheld


def _branches(snapshot: Snapshot, catalogue: Catalogue, parent: str | None) -> list[SectionAccess]:
    children = [section for section in catalogue.sections.values() if section.parent == parent]
    return [_branch(snapshot, catalogue, section) for section in children]


def _branch(snapshot: Snapshot, catalogue: Catalogue, section: Section) -> SectionAccess:
    path = catalogue.paths[section.name]
    mask = _mask(snapshot, path, None)
    _, reason, rule = judge(snapshot, path, None, VIEW)
    return SectionAccess(
        section=section.name,
        label=section.label,
        actions=names(mask),
        level=level_of(mask),
        reason=snapshot.closed or reason,
        rule=snapshot.grants.identity(rule) if rule else None,
        target=rule.target if rule else None,
        sections=_branches(snapshot, catalogue, section.name),
    )
