"""authz over HTTP. Each operation translates; what happens is decided in the noun's own module."""

from __future__ import annotations

from uuid import UUID

from services.authz.service import Authz
from shared.http.operation import Api
from staffgate.contracts import authz as contract
from staffgate.contracts.caller import Person, Product

api = Api()


# --- decisions ------------------------------------------------------------------------------------------------


@api.post("/access/v1/evaluation")
async def evaluate(authz: Authz, caller: Person | Product, body: contract.Evaluation) -> contract.Decision:
    """May this member of staff do that? (AuthZEN 1.0, section 6)

    Product services ask about everybody, people about themselves. What is not known is denied. The context may hold
    `min_revision`, which the answer must not be older than, and `explain`.
    """
    return await authz.decisions.evaluate(caller, body)


@api.post("/access/v1/search/resource")
async def search_resources(
    authz: Authz, caller: Person | Product, body: contract.ResourceSearch
) -> contract.ResourcesFound:
    """The registered items of a type on which this member of staff may do that. (AuthZEN 1.0, section 8.5)"""
    return await authz.decisions.find(caller, body)


@api.get("/.well-known/authzen-configuration")
async def show_metadata(authz: Authz) -> contract.Metadata:
    """Where decisions are made. (AuthZEN 1.0, section 9)"""
    return authz.metadata


@api.get("/v1/me/permissions")
async def show_my_permissions(authz: Authz, caller: Person) -> contract.Permissions:
    """What the caller may do, section by section, and which rule says so."""
    return await authz.decisions.permissions(caller)


# --- items ----------------------------------------------------------------------------------------------------


@api.put("/v1/organisations/{org}/items/{type}/{id}")
async def register_item(
    authz: Authz, caller: Product, org: UUID, type: contract.Name, id: contract.ItemId, body: contract.RegisterItem
) -> contract.Item:
    """Make an item known, or give it another label. As often as you like."""
    return await authz.items.register(org, type, id, body)


# --- grants ---------------------------------------------------------------------------------------------------


@api.get("/v1/staff/{staff}/grants")
async def list_grants(authz: Authz, caller: Person, staff: UUID) -> contract.GrantList:
    """The explicit grants of one person."""
    return await authz.grants.list(caller, staff)


@api.put("/v1/staff/{staff}/grants")
async def set_grant(authz: Authz, caller: Person, staff: UUID, body: contract.SetGrant) -> contract.GrantChanged:
    """Set the level of one target; every check knows it within a second.

    Demand the revision of the answer (`context.min_revision`) of a check that has to know it at once.
    """
    return await authz.grants.set(caller, staff, body)


@api.delete("/v1/staff/{staff}/grants/{grant}")
async def remove_grant(authz: Authz, caller: Person, staff: UUID, grant: UUID) -> contract.Revised:
    """Take one grant away; what the rest of the person's permissions say counts again."""
    return await authz.grants.remove(caller, staff, grant)
