"""What is known of people at a revision, read from the database: one query for one and for many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import TypeVar
from uuid import UUID

import msgspec

from services.authz.store import access as access_store
from services.authz.store import assignments as assignment_store
from services.authz.store import dossiers as dossier_store
from shared.db import Tx
from staffgate.contracts.authz import Role
from staffgate.decision import Facts
from staffgate.decision.builtin import BUILT_IN
from staffgate.decision.model import Holding, Organisation, ProductAccess

Row = TypeVar("Row")


class Dossier(msgspec.Struct, frozen=True):
    """All that is stored about one person, what has expired and will expire included. `ends` is by assignment."""

    everything: Facts
    ends: Mapping[UUID, datetime]

    def at(self, now: datetime) -> Facts:
        """What counts at that time."""
        facts = self.everything
        if not self._expiries():
            return facts
        grants = tuple(grant for grant in facts.grants if grant.expires_at is None or grant.expires_at > now)
        roles = tuple(held for held in facts.roles if held.id not in self.ends or self.ends[held.id] > now)
        return msgspec.structs.replace(facts, grants=grants, roles=roles)

    def moments(self, now: datetime) -> set[datetime]:
        """When something of it expires, from now on."""
        return {at for at in self._expiries() if at > now}

    def _expiries(self) -> set[datetime]:
        return {grant.expires_at for grant in self.everything.grants if grant.expires_at} | {*self.ends.values()}


async def dossiers_of(tx: Tx, org: UUID, staff: Collection[UUID]) -> dict[UUID, Dossier]:
    """Those of them who are in the organisation.

    The revision comes with them, and all of it is of one moment.
    """
    found = await dossier_store.dossiers(tx, org, staff)
    if found is None:
        return {}
    roles = BUILT_IN | {row.id: row.role for row in found.roles}
    branches = {row.team: tuple(str(team) for team in row.below) for row in found.branches}  # one tuple a team
    organisation = Organisation(found.contracts, found.tenants)
    grants = _by(attrgetter("staff"), found.grants)
    access = _by(attrgetter("staff"), found.access)
    held = _by(attrgetter("holder"), (held for held in found.held if held.role in roles))
    dossiers = {}
    for row in found.people:
        facts = Facts(
            staff=row.staff,
            revision=found.revision,
            org_active=not found.closed,
            type=row.type,
            status=row.status,
            default_level=row.default_level,
            route_anywhere=row.route_anywhere,
            grants=tuple(grant.grant for grant in grants[row.staff]),
            access=tuple(_access(level) for level in access[row.staff]),
            roles=tuple(_holding(one, roles[one.role]) for one in held[row.staff]),
            team=None if row.team is None else str(row.team),
            teams=() if row.team is None else branches[row.team],
            tenants=row.tenants,
            subscribers=row.subscribers,
            organisation=organisation,
        )
        dossiers[row.staff] = Dossier(facts, {one.id: one.expires_at for one in held[row.staff] if one.expires_at})
    return dossiers


def _by(key: Callable[[Row], UUID], rows: Iterable[Row]) -> Mapping[UUID, list[Row]]:
    found: dict[UUID, list[Row]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found


async def facts_of(tx: Tx, org: UUID, staff: UUID, now: datetime) -> Facts | None:
    """None where there is nobody of that id in the organisation."""
    return (await facts_of_many(tx, org, [staff], now)).get(staff)


async def facts_of_many(tx: Tx, org: UUID, staff: Collection[UUID], now: datetime) -> dict[UUID, Facts]:
    """Those of them who are in the organisation; what has expired is left out."""
    return {id: dossier.at(now) for id, dossier in (await dossiers_of(tx, org, staff)).items()}


async def facts_until(tx: Tx, org: UUID, staff: UUID, now: datetime) -> tuple[Facts, datetime | None] | None:
    """And when the first thing in it expires: from then on the facts are others, though nothing is announced."""
    return (await facts_until_of_many(tx, org, [staff], now)).get(staff)


async def facts_until_of_many(
    tx: Tx, org: UUID, staff: Collection[UUID], now: datetime
) -> dict[UUID, tuple[Facts, datetime | None]]:
    """The same for those of them who are in the organisation."""
    dossiers = await dossiers_of(tx, org, staff)
    return {id: (one.at(now), min(one.moments(now), default=None)) for id, one in dossiers.items()}


def _access(row: access_store.AccessRow) -> ProductAccess:
    return ProductAccess(id=row.id, contract=row.contract, product=row.product, level=row.level)


def _holding(row: assignment_store.HoldingRow, role: Role) -> Holding:
    return Holding(id=row.id, role=role, contract=row.contract, tenant=row.tenant, group=row.staff_group)
