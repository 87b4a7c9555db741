"""Custom roles. What a role allows is JSON: it is read and written whole, and never searched by a query of a request."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import msgspec

from shared.db import Tx
from staffgate.contracts.authz import Entry, Role
from staffgate.contracts.level import DataAccess

_entries = msgspec.json.Decoder(tuple[Entry, ...])
_role = msgspec.json.Decoder(Role)


class RoleRow(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str
    data_access: DataAccess
    entries: str

    @property
    def role(self) -> Role:
        return Role(
            id=self.id, name=self.name, data_access=self.data_access, entries=_entries.decode(self.entries)
        )  # fmt: skip


_COLUMNS = "id, name, data_access, entries::text AS entries"


async def roles(tx: Tx, org: UUID) -> list[Role]:
    return [
        row.role for row in await tx.all(RoleRow, f"SELECT {_COLUMNS} FROM role WHERE org = $1 ORDER BY name, id", org)
    ]


async def roles_of(tx: Tx, org: UUID, ids: Collection[str]) -> dict[str, Role]:
    rows = await tx.all(RoleRow, f"SELECT {_COLUMNS} FROM role WHERE org = $1 AND id = ANY($2)", org, list(ids))
    return {row.id: row.role for row in rows}


async def add_role(tx: Tx, org: UUID, role: Role) -> bool:
    """False where the organisation has a role of that name."""
    return await tx.run(
        "INSERT INTO role (org, id, name, data_access, entries, created) VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT (org, name) DO NOTHING",
        org, role.id, role.name, role.data_access, _json(role.entries), _json(role),
    ) == 1  # fmt: skip


async def put_role(tx: Tx, org: UUID, role: Role) -> None:
    await tx.run(
        "UPDATE role SET name = $3, data_access = $4, entries = $5 WHERE org = $1 AND id = $2",
        org, role.id, role.name, role.data_access, _json(role.entries),
    )  # fmt: skip


async def named(tx: Tx, org: UUID, name: str) -> str | None:
    """The id of the role of that name."""
    found: str | None = await tx.value("SELECT id FROM role WHERE org = $1 AND name = $2", org, name)
    return found


async def created(tx: Tx, org: UUID, id: str) -> Role | None:
    """The role as it was made."""
    found: str | None = await tx.value("SELECT created::text FROM role WHERE org = $1 AND id = $2", org, id)
    return None if found is None else _role.decode(found)


async def remove_role(tx: Tx, org: UUID, id: str) -> None:
    await tx.run("DELETE FROM role WHERE org = $1 AND id = $2", org, id)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
