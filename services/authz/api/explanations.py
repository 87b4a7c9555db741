"""Decisions for people over HTTP."""

from __future__ import annotations

from uuid import UUID

from services.authz.service import Authz
from shared.http.operation import Api
from staffgate.contracts import authz as administration
from staffgate.contracts import decisions as contract
from staffgate.contracts.caller import Person

api = Api()


@api.get("/v1/me/permissions")
async def show_my_permissions(authz: Authz, caller: Person) -> administration.Permissions:
    """What the caller may do, section by section, and which rule says so."""
    return await authz.decisions.permissions(caller)


@api.get("/v1/staff/{staff}/explanation")
async def explain(authz: Authz, caller: Person, staff: UUID, query: contract.Asked) -> contract.Explanation:
    """Why may this person do that, or why not?

    Everybody may ask about themselves, and about others whoever may view their permissions.
    """
    return await authz.explanations.explain(caller, staff, query)


@api.get("/v1/who-can")
async def list_holders(authz: Authz, caller: Person, query: contract.AskedWho) -> contract.WhoCan:
    """The active people of the caller's organisation who may do that, among those whose permissions the caller may view."""
    return await authz.explanations.who_can(caller, query)
