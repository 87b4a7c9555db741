"""All that is stored about people, in one query: a round trip each for grants, levels and roles took 5 of a load's 8 ms."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import msgspec

from services.authz.store.access import AccessRow
from services.authz.store.assignments import HoldingRow
from services.authz.store.grants import GrantRow
from services.authz.store.subjects import COLUMNS, PLACED, SubjectRow
from shared.db import Tx


class Rules(msgspec.Struct, frozen=True):
    grants: list[GrantRow]
    access: list[AccessRow]
    held: list[HoldingRow]


class DossierRow(SubjectRow, frozen=True, kw_only=True):
    """`rules` is JSON."""

    rules: str

    def read(self) -> Rules:
        return _rules.decode(self.rules)


_rules = msgspec.json.Decoder(Rules)


async def dossiers(tx: Tx, org: UUID, staff: Collection[UUID]) -> list[DossierRow]:
    """Those of them who are in the organisation, with what has expired too."""
    return await tx.all(
        DossierRow,
        f"SELECT {COLUMNS}, json_build_object("
        "'grants', coalesce((SELECT json_agg(g ORDER BY g.product, g.section, g.feature, g.item, g.contract, g.tenant)"
        " FROM permission_grant g WHERE g.org = $1 AND g.staff = s.staff), '[]'),"
        " 'access', coalesce((SELECT json_agg(p ORDER BY p.contract, p.product)"
        " FROM product_access p WHERE p.org = $1 AND p.staff = s.staff), '[]'),"
        " 'held', coalesce((SELECT json_agg(h ORDER BY h.id) FROM ("
        "SELECT a.id, s.staff AS holder, a.staff_group, a.role, a.contract, a.tenant, a.expires_at"
        " FROM assignment a WHERE a.org = $1 AND a.staff = s.staff UNION ALL"
        " SELECT a.id, s.staff AS holder, a.staff_group, a.role, a.contract, a.tenant, a.expires_at FROM group_member m"
        " JOIN assignment a ON a.org = m.org AND a.staff_group = m.staff_group"
        " WHERE m.org = $1 AND m.staff = s.staff) h), '[]'))::text AS rules"
        f" FROM {PLACED} WHERE s.org = $1 AND s.staff = ANY($2)",
        org, list(staff),
    )  # fmt: skip
