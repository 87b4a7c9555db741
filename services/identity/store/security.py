"""The security settings of an organisation."""

from __future__ import annotations

from uuid import UUID

import msgspec

from shared.db import Tx
from staffgate.contracts.identity import SecurityPolicy

_encode = msgspec.json.Encoder().encode


async def set_security(tx: Tx, org: UUID, policy: SecurityPolicy) -> None:
    await tx.run("UPDATE organisation SET security = $2::jsonb WHERE org = $1", org, _encode(policy).decode())
