"""Where people who are not there yet could be placed, over HTTP."""

from __future__ import annotations

from services.authz.service import Authz
from shared.http.operation import Api
from staffgate.contracts import authz as contract
from staffgate.contracts.caller import Product

api = Api()


@api.post("/v1/placements/check")
async def check_placements(authz: Authz, caller: Product, body: contract.CheckPlacements) -> contract.PlacementsChecked:
    """In which of these roles and teams, by name, that person may place people who are not there yet. For identity only.

    Of each name its id, or why not: `unknown`, `ambiguous` (several are called so), or `not_yours_to_give`.
    """
    return await authz.candidates.check(caller, body)
