"""The item registry over HTTP."""

from __future__ import annotations

from uuid import UUID

from services.authz.service import Authz
from shared.http.operation import Api
from staffgate.contracts import authz as contract
from staffgate.contracts import items as bulk
from staffgate.contracts.caller import Person, Product

api = Api()


@api.put("/v1/organisations/{org}/items/{type}/{id}")
async def register_item(
    authz: Authz, caller: Product, org: UUID, type: contract.Name, id: contract.ItemId, body: contract.RegisterItem
) -> contract.Item:
    """Make an item known, or say what is new about it. As often as you like.

    A product registers the types of its own manifest. What the body leaves out does not apply from now on.
    """
    return await authz.items.register(caller, org, type, id, body)


@api.delete("/v1/organisations/{org}/items/{type}/{id}")
async def remove_item(
    authz: Authz, caller: Product, org: UUID, type: contract.Name, id: contract.ItemId
) -> contract.Revised:
    """The item is no more. Grants on it stay, and are about nothing."""
    return await authz.items.remove(caller, org, type, id)


@api.post("/v1/organisations/{org}/items")
async def register_items(authz: Authz, caller: Product, org: UUID, body: bulk.RegisterItems) -> bulk.ItemsRegistered:
    """Make up to 1,000 items known at once: all of them, or none where one is refused."""
    return await authz.items.register_all(caller, org, body.items)


@api.get("/v1/organisations/{org}/items")
async def list_items(authz: Authz, caller: Person | Product, org: UUID, query: bulk.ItemQuery) -> bulk.ItemList:
    """The registered items, a page at a time. People need `view` on `core.permissions`, and see their organisation's."""
    return await authz.listing.list(caller, org, query)
