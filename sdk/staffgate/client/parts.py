"""What a product's replica asks of authz, as it travels: the facts about one person, and the items of one type."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from staffgate.contracts.authz import Item
from staffgate.decision import Facts


class PersonFacts(msgspec.Struct, kw_only=True, omit_defaults=True):
    """All that decides about one person, of one moment. From `until` on it is not right any more, announced or not."""

    org: UUID
    facts: Facts
    until: datetime | None = None


class RegisteredItems(msgspec.Struct, kw_only=True):
    """Every registered item of one type in one organisation, of one moment."""

    items: list[Item]
    revision: int
