"""What the revisions of the last hour were about, each as it was announced; and the one before them, for when that was."""

from __future__ import annotations

from uuid import UUID

import msgspec

from shared.db import Tx


class Since(msgspec.Struct, frozen=True, kw_only=True):
    """`revision` is the present one. Of those after `since`, so many are `kept`; `everybody` says that one of them was about
    everybody, and `named` how many people the others name, the same one perhaps often. `begun` says that the
    organisation was at `since` at that time."""

    revision: int
    kept: int
    everybody: bool
    named: int
    begun: bool


async def since(tx: Tx, org: UUID, revision: int, seconds: float) -> Since | None:
    """That time is so many seconds ago. None where the organisation is not known."""
    return await tx.one(
        Since,
        "SELECT r.revision, count(c.revision) AS kept,"
        " bool_or(c.people IS NULL AND c.revision IS NOT NULL) AS everybody,"
        " coalesce(sum(cardinality(c.people)), 0)::bigint AS named,"
        " CASE WHEN r.revision = $2 THEN r.changed_at ELSE"
        " (SELECT b.at FROM recent_change b WHERE b.org = $1 AND b.revision = $2) END"
        " <= clock_timestamp() - make_interval(secs => $3) IS TRUE AS begun"
        " FROM organisation_revision r LEFT JOIN recent_change c ON c.org = r.org AND c.revision > $2"
        " WHERE r.org = $1 GROUP BY r.org",
        org, revision, seconds,
    )  # fmt: skip


async def people_since(tx: Tx, org: UUID, revision: int) -> list[UUID]:
    return await tx.column(
        "SELECT DISTINCT unnest(people) AS staff FROM recent_change WHERE org = $1 AND revision > $2 ORDER BY staff",
        org, revision,
    )  # fmt: skip


async def types_since(tx: Tx, org: UUID, revision: int) -> list[str]:
    return await tx.column(
        "SELECT DISTINCT unnest(types) AS type FROM recent_change WHERE org = $1 AND revision > $2 ORDER BY type",
        org, revision,
    )  # fmt: skip


async def forget_anywhere(tx: Tx, seconds: float) -> int:
    """What was followed by another longer ago than that; how many there were."""
    return await tx.run(
        "DELETE FROM recent_change c USING recent_change later WHERE later.org = c.org"
        " AND later.revision = c.revision + 1 AND later.at < clock_timestamp() - make_interval(secs => $1)",
        seconds,
    )
