"""What became of messages."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec

from services.notify.service import Notify
from shared.http.operation import Api
from staffgate.contracts.caller import Person
from staffgate.contracts.notify import DeliveryList

api = Api()


class DeliveryQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    staff: UUID | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


@api.get("/v1/deliveries")
async def list_deliveries(notify: Notify, caller: Person, query: DeliveryQuery) -> DeliveryList:
    """What became of messages, the newest first.

    Everybody sees their own; owner and administrators see all of the organisation's, or with `staff` one person's.
    """
    return await notify.deliveries.newest(caller, query.staff, query.limit)
