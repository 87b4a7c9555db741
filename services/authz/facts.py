"""What is known of people at a revision, read from the database: the same number of queries for one and for many."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import msgspec

from services.authz.store import access as access_store
from services.authz.store import assignments as assignment_store
from services.authz.store import grants as grant_store
from services.authz.store import organisations as organisation_store
from services.authz.store import roles as role_store
from services.authz.store import subjects as subject_store
from services.authz.store import teams as team_store
from shared.db import Tx
from staffgate.contracts.authz import Role
from staffgate.decision import Facts
from staffgate.decision.builtin import BUILT_IN
from staffgate.decision.model import Holding, Organisation, ProductAccess

T = TypeVar("T")
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
    subjects = await subject_store.subjects(tx, org, staff) if common else []
    if common is None or not subjects:
        return {}
    ids = [subject.staff for subject in subjects]
    grants = _by(await grant_store.grants_of(tx, org, ids), lambda row: row.staff)
    access = _by(await access_store.access_of(tx, org, ids), lambda row: row.staff)
    held = _by(await assignment_store.holdings_of(tx, org, ids), lambda row: row.holder)
    roles = await _roles(tx, org, {row.role for rows in held.values() for row in rows})
    branches = await _branches(tx, org, {subject.team for subject in subjects if subject.team})
    organisation = Organisation(_contracts.decode(common.contracts), tuple(common.tenants))
    found = {}
    for subject in subjects:
        mine = [row for row in held.get(subject.staff, ()) if row.role in roles]
        facts = Facts(
            staff=subject.staff,
            revision=common.revision,
            org_active=True,  # identity has no way yet to switch an organisation off
            type=subject.type,
            status=subject.status,
            default_level=subject.default_level,
            route_anywhere=subject.route_anywhere,
            grants=tuple(row.grant for row in grants.get(subject.staff, ())),
            access=tuple(_access(row) for row in access.get(subject.staff, ())),
            roles=tuple(_holding(row, roles[row.role]) for row in mine),
            team=None if subject.team is None else str(subject.team),
            teams=() if subject.team is None else branches[subject.team],
            tenants=subject.tenants,
            subscribers=subject.subscribers,
            organisation=organisation,
        )
        found[subject.staff] = Dossier(facts, {row.id: row.expires_at for row in mine if row.expires_at})
    return found


async def facts_of(tx: Tx, org: UUID, staff: UUID, now: datetime) -> Facts | None:
    """None where there is nobody of that id in the organisation."""
    return (await facts_of_many(tx, org, [staff], now)).get(staff)


async def facts_of_many(tx: Tx, org: UUID, staff: Collection[UUID], now: datetime) -> dict[UUID, Facts]:
    """Those of them who are in the organisation; what has expired is left out."""
    return {id: dossier.at(now) for id, dossier in (await dossiers_of(tx, org, staff)).items()}


async def facts_until(tx: Tx, org: UUID, staff: UUID, now: datetime) -> tuple[Facts, datetime | None] | None:
    """And when the first thing in it expires: from then on the facts are others, though nothing is announced."""
    dossier = (await dossiers_of(tx, org, [staff])).get(staff)
    return None if dossier is None else (dossier.at(now), min(dossier.moments(now), default=None))


def _by(rows: Iterable[T], key: Callable[[T], UUID]) -> dict[UUID, list[T]]:
    found: dict[UUID, list[T]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


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
