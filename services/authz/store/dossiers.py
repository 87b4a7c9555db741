"""All that is stored about people, in one query: it is asked at each load and twice at each change, and what a round trip
costs is most of what it takes."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import msgspec

from services.authz.store.access import AccessRow
from services.authz.store.assignments import HoldingRow
from services.authz.store.grants import GrantRow
from services.authz.store.subjects import COLUMNS, PLACED, SubjectRow
from services.authz.store.teams import BranchRow
from shared.db import Tx
from staffgate.contracts.authz import Entry, Role
from staffgate.contracts.level import DataAccess


class HeldRoleRow(msgspec.Struct, frozen=True):
    """A custom role; what is stored is not held against the rules for new ones."""

    id: str
    name: str
    data_access: DataAccess
    entries: tuple[Entry, ...]

    @property
    def role(self) -> Role:
        return Role(id=self.id, name=self.name, data_access=self.data_access, entries=self.entries)


class Dossiers(msgspec.Struct, frozen=True):
    """What everybody in the organisation has in common, and what is whose. `contracts` are the products of each, by its
    key; `roles` are the custom ones that are held, and `branches` the teams that somebody is in."""

    revision: int
    closed: bool
    contracts: dict[str, tuple[str, ...]]
    tenants: tuple[str, ...]
    people: list[SubjectRow]
    grants: list[GrantRow]
    access: list[AccessRow]
    held: list[HoldingRow]
    roles: list[HeldRoleRow]
    branches: list[BranchRow]


_dossiers = msgspec.json.Decoder(Dossiers)

_LISTS = {
    "people": f"SELECT {COLUMNS} FROM {PLACED} WHERE s.org = $1 AND s.staff = ANY($2)",
    "grants": "SELECT id, staff, product, section, feature, item, contract, tenant, level, expires_at"
    " FROM permission_grant WHERE org = $1 AND staff = ANY($2)"
    " ORDER BY staff, product, section, feature, item, contract, tenant",
    "access": "SELECT id, staff, contract, product, level FROM product_access WHERE org = $1 AND staff = ANY($2)"
    " ORDER BY staff, contract, product",
    "held": "SELECT * FROM held ORDER BY id",
    "roles": "SELECT id, name, data_access, entries FROM role WHERE org = $1 AND id IN (SELECT role FROM held)",
    "branches": "SELECT top AS team, array_agg(id ORDER BY id) AS below FROM branch GROUP BY top",
}
_QUERY = (
    "WITH RECURSIVE held AS MATERIALIZED ("
    "SELECT a.id, a.staff AS holder, a.staff_group, a.role, a.contract, a.tenant, a.expires_at FROM assignment a"
    " WHERE a.org = $1 AND a.staff = ANY($2) UNION ALL"
    " SELECT a.id, m.staff AS holder, a.staff_group, a.role, a.contract, a.tenant, a.expires_at FROM group_member m"
    " JOIN assignment a ON a.org = m.org AND a.staff_group = m.staff_group WHERE m.org = $1 AND m.staff = ANY($2)),"
    " branch (top, id) AS (SELECT t.id, t.id FROM team t WHERE t.org = $1 AND t.id IN"
    " (SELECT m.team FROM team_member m WHERE m.org = $1 AND m.staff = ANY($2)) UNION ALL"
    " SELECT b.top, t.id FROM branch b JOIN team t ON t.org = $1 AND t.parent = b.id)"
    " SELECT json_build_object('revision', r.revision, 'closed', r.closed,"
    " 'contracts', coalesce((SELECT json_object_agg(c.key, c.products) FROM contract c WHERE c.org = $1), '{}'),"
    " 'tenants', ARRAY(SELECT t.key FROM tenant t WHERE t.org = $1 ORDER BY t.key),"
    + ", ".join(f" '{name}', coalesce((SELECT json_agg(x) FROM ({query}) x), '[]')" for name, query in _LISTS.items())
    + ")::text FROM organisation_revision r WHERE r.org = $1"
)


async def dossiers(tx: Tx, org: UUID, staff: Collection[UUID]) -> Dossiers | None:
    """Those of them who are in the organisation, with what has expired too; None where it is not known."""
    found: str | None = await tx.value(_QUERY, org, list(staff))
    return None if found is None else _dossiers.decode(found)
