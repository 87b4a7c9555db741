"""Where an organisation's SMS go."""

from __future__ import annotations

from services.notify.service import Notify
from shared.http.operation import Api, Tagged
from staffgate.contracts import notify as contract
from staffgate.contracts.caller import Person

api = Api()


@api.get("/v1/sending-policy")
async def show_sending_policy(notify: Notify, caller: Person) -> Tagged[contract.SendingPolicy]:
    """The countries that SMS are sent to; for administrators."""
    return Tagged(*await notify.policies.show(caller))


@api.put("/v1/sending-policy")
async def set_sending_policy(
    notify: Notify, caller: Person, body: contract.SetSendingPolicy, if_match: str | None
) -> Tagged[contract.SendingPolicy]:
    """Set all of it. Takes a factor shown in the last five minutes. With If-Match, 412 where somebody was faster.

    Without `countries` SMS go where the suite sends them to; with an empty list, nowhere. It holds for the next SMS.
    """
    return Tagged(*await notify.policies.save(caller, body, if_match))
