"""What became of messages."""

from __future__ import annotations

from uuid import UUID

from services.notify.service import Notify
from shared.http.operation import Api
from staffgate.contracts.caller import Person
from staffgate.contracts.notify import DeliveryList, DeliveryQuery

api = Api()


@api.get("/v1/deliveries")
async def list_deliveries(notify: Notify, caller: Person, query: DeliveryQuery) -> DeliveryList:
    """What became of messages, the newest first, a page at a time.

    Everybody sees their own; owner and administrators see all of the organisation's, or with `staff` one person's.
    """
    return await notify.deliveries.list(caller, query)


@api.post("/v1/deliveries/{id}/replay", status=204)
async def replay_delivery(notify: Notify, caller: Person, id: UUID) -> None:
    """Try a dead one again, as often as at first: once, and before its deadline. For owner and administrators."""
    await notify.dead.replay(caller, id)


@api.post("/v1/deliveries/{id}/drop", status=204)
async def drop_delivery(notify: Notify, caller: Person, id: UUID) -> None:
    """Give up one that waits or is dead: what it says is erased, and the organisation's log says who did it. For owner and
    administrators.

    A code, or a link to activate an account or to set a new password, takes a factor shown in the last five minutes. What
    warns a person about their account can't be dropped.
    """
    await notify.dead.drop(caller, id)
