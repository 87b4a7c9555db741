"""Addresses that nothing is sent to."""

from __future__ import annotations

from uuid import UUID

from services.notify.service import Notify
from shared.http.operation import Api
from staffgate.contracts import notify as contract
from staffgate.contracts.caller import Person

api = Api()


@api.get("/v1/suppressions")
async def list_suppressions(
    notify: Notify, caller: Person, query: contract.SuppressionQuery
) -> contract.SuppressionList:
    """The addresses that nothing is sent to, the newest first; for administrators. Of each only a few letters are known."""
    return await notify.suppressions.list(caller, query)


@api.post("/v1/suppressions", status=201)
async def add_suppression(
    notify: Notify, caller: Person, body: contract.AddSuppression
) -> contract.Suppression:  # fmt: skip
    """Send nothing to this address from now on, codes and links included; only what warns a person about their account still
    goes there. Takes a factor shown in the last five minutes. The organisation's log says who did it."""
    return await notify.suppressions.add(caller, body)


@api.delete("/v1/suppressions/{suppression}")
async def remove_suppression(notify: Notify, caller: Person, suppression: UUID) -> None:
    """Send to this address again. What was refused meanwhile is not sent."""
    await notify.suppressions.remove(caller, suppression)
