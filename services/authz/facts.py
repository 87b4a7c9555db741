"""What is known of people at a revision, read from the database: the same number of queries for one and for many."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

import msgspec

from services.authz.store import access as access_store
from services.authz.store import assignments as assignment_store
from services.authz.store import dossiers as dossier_store
from services.authz.store import organisations as organisation_store
from services.authz.store import roles as role_store
from services.authz.store import teams as team_store
from shared.db import Tx
from staffgate.contracts.authz import Role
from staffgate.decision import Facts
from staffgate.decision.builtin import BUILT_IN
from staffgate.decision.model import Holding, Organisation, ProductAccess

_contracts = msgspec.json.Decoder(dict[str, tuple[str, ...]])


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

    The revision first: in a REPEATABLE READ transaction all of it is of one moment, in any other the organisation has
    to be held (lock_revision).
    """
    common = await organisation_store.organisation(tx, org)
    rows = await dossier_store.dossiers(tx, org, staff) if common else []
    if common is None or not rows:
        return {}
    read = [(row, row.read()) for row in rows]
    roles = await _roles(tx, org, {held.role for _, rules in read for held in rules.held})
    branches = await _branches(tx, org, {row.team for row in rows if row.team})
    organisation = Organisation(_contracts.decode(common.contracts), tuple(common.tenants))
    found = {}
    for row, rules in read:
        mine = [held for held in rules.held if held.role in roles]
        facts = Facts(
            staff=row.staff,
            revision=common.revision,
            org_active=not common.closed,
            type=row.type,
            status=row.status,
            default_level=row.default_level,
            route_anywhere=row.route_anywhere,
            grants=tuple(grant.grant for grant in rules.grants),
            access=tuple(_access(level) for level in rules.access),
            roles=tuple(_holding(held, roles[held.role]) for held in mine),
            team=None if row.team is None else str(row.team),
            teams=() if row.team is None else branches[row.team],
            tenants=row.tenants,
            subscribers=row.subscribers,
            organisation=organisation,
        )
        found[row.staff] = Dossier(facts, {held.id: held.expires_at for held in mine if held.expires_at})
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


async def _roles(tx: Tx, org: UUID, ids: set[str]) -> dict[str, Role]:
    custom = ids - BUILT_IN.keys()
    return {**BUILT_IN, **(await role_store.roles_of(tx, org, custom) if custom else {})}


async def _branches(tx: Tx, org: UUID, teams: set[UUID]) -> dict[UUID, tuple[str, ...]]:
    """One tuple a team, whoever is in it."""
    rows = await team_store.branches(tx, org, teams)
    return {row.team: tuple(str(team) for team in row.below) for row in rows}


def _access(row: access_store.AccessRow) -> ProductAccess:
    return ProductAccess(id=row.id, contract=row.contract, product=row.product, level=row.level)


def _holding(row: assignment_store.HoldingRow, role: Role) -> Holding:
    return Holding(id=row.id, role=role, contract=row.contract, tenant=row.tenant, group=row.staff_group)
