"""What authz's operations work with."""

from __future__ import annotations

from dataclasses import dataclass

from services.authz.decisions import Decisions
from services.authz.grants import Grants
from services.authz.items import Items
from staffgate.contracts.authz import Metadata


@dataclass(frozen=True)
class Authz:
    decisions: Decisions
    items: Items
    grants: Grants
    metadata: Metadata
