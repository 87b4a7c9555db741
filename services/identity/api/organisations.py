"""Organisations, and their security settings."""

from __future__ import annotations

from services.identity.service import Identity
from shared.http.operation import Api
from staffgate.contracts import identity as contract
from staffgate.contracts.caller import Person

api = Api()


@api.post("/v1/organisations", status=201)
async def register_organisation(identity: Identity, body: contract.RegisterOrganisation) -> contract.Registration:
    """Register an organisation and its owner.

    The owner gets a link by e-mail that confirms the address and sets the password.
    """
    return await identity.organisations.register(body)


@api.get("/v1/organisation")
async def show_organisation(identity: Identity, caller: Person) -> contract.Organisation:
    """The caller's organisation."""
    return await identity.organisations.show(caller)


@api.post("/v1/organisation/username")
async def select_organisation_username(
    identity: Identity, caller: Person, body: contract.SelectUsername
) -> contract.Organisation:
    """Select the organisation's username: the owner's, once, never changed, never given to anybody else."""
    return await identity.organisations.select_username(caller, body.username)
