"""What a person may do on a target as such: the Permissions List, and the profile that changes are judged by (section 6)."""

from __future__ import annotations

from uuid import UUID

import msgspec

from staffgate.contracts.authz import Target
from staffgate.contracts.level import DataAccess, Level
from staffgate.decision.actions import BASE_ACTIONS, NONE, VIEW, Mask, level_of, names
from staffgate.decision.catalogue import Catalogue, Path
from staffgate.decision.decide import judge
from staffgate.decision.manifest import Section
from staffgate.decision.model import Reason
from staffgate.decision.snapshot import DATA_ACCESS, Snapshot, Verdict


class SectionAccess(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of the Permissions List: what is allowed in a section, over whose rows, and which rule of which tier says so
    (sections 2 and 3)."""

    section: str
    label: str
    actions: list[str]
    level: Level
    reason: Reason
    data_access: DataAccess | None = None
    rule: UUID | None = None
    role: str | None = None
    target: Target | None = None
    sections: list[SectionAccess] = []


def effective(snapshot: Snapshot, catalogue: Catalogue, target: Target) -> Mask:
    """The base actions allowed on exactly this target, exceptions inside it and rows not counted (section 2)."""
    canonical = catalogue.canonical(target)
    if canonical is None or snapshot.closed is not None:
        return NONE
    return _mask(snapshot, catalogue.path_of(canonical), canonical)


def tree(
    snapshot: Snapshot, catalogue: Catalogue, contract: str | None = None, tenant: str | None = None
) -> list[SectionAccess]:
    """Every section with what is allowed there, in this contract and tenant; the sub-sections inside it (section 2)."""
    return _branches(snapshot, catalogue, Target(contract=contract, tenant=tenant), None)


def _mask(snapshot: Snapshot, path: Path, target: Target) -> Mask:
    feature, contract, tenant = target.feature, target.contract, target.tenant
    return sum(bit for bit in BASE_ACTIONS.values() if judge(snapshot, path, feature, bit, contract, tenant)[0])


def _branches(snapshot: Snapshot, catalogue: Catalogue, context: Target, parent: str | None) -> list[SectionAccess]:
    children = [section for section in catalogue.sections.values() if section.parent == parent]
    return [_branch(snapshot, catalogue, context, section) for section in children]


def _branch(snapshot: Snapshot, catalogue: Catalogue, context: Target, section: Section) -> SectionAccess:
    path = catalogue.paths[section.name]
    mask = NONE if snapshot.closed else _mask(snapshot, path, context)
    allowed, reason, reach, rule, held = judge(snapshot, path, None, VIEW, context.contract, context.tenant)
    verdict = Verdict(allowed, snapshot.closed or reason, allowed, snapshot, reach, rule, held, path)
    return SectionAccess(
        section=section.name,
        label=section.label,
        actions=names(mask),
        level=level_of(mask),
        reason=verdict.reason,
        data_access=DATA_ACCESS.get(reach),
        rule=verdict.rule,
        role=verdict.role,
        target=verdict.target,
        sections=_branches(snapshot, catalogue, context, section.name),
    )
