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


@api.put("/v1/organisation")
async def name_organisation(
    identity: Identity, caller: Person, body: contract.NameOrganisation
) -> contract.Organisation:
    """Change how the organisation is called. Its number and its username stay."""
    return await identity.organisations.rename(caller, body.name)


@api.get("/v1/organisation/transfer")
async def show_ownership_offer(identity: Identity, caller: Person) -> contract.OwnershipOffer:
    """The offer to hand the organisation over, for the two whom it concerns."""
    return await identity.ownership.show(caller)


@api.post("/v1/organisation/transfer", status=201)
async def offer_ownership(identity: Identity, caller: Person, body: contract.OfferOwnership) -> contract.OwnershipOffer:
    """Offer the organisation to one of its administrators: the owner's, with a factor shown a moment ago.

    Nothing changes until they accept. An offer is good for seven days, and takes the place of the one before.
    """
    return await identity.ownership.offer(caller, body)


@api.delete("/v1/organisation/transfer")
async def withdraw_ownership_offer(identity: Identity, caller: Person) -> None:
    """Take the offer back: the owner's."""
    await identity.ownership.withdraw(caller)


@api.post("/v1/organisation/transfer/accept")
async def accept_ownership(identity: Identity, caller: Person) -> None:
    """Become the owner, with a factor shown a moment ago. The one before becomes an administrator; both log in anew."""
    await identity.ownership.accept(caller)


@api.post("/v1/organisation/transfer/decline")
async def decline_ownership(identity: Identity, caller: Person) -> None:
    """Turn the offer down."""
    await identity.ownership.decline(caller)


@api.post("/v1/organisation/close")
async def close_organisation(
    identity: Identity, caller: Person, body: contract.CloseOrganisation
) -> contract.OrganisationEnded:
    """Close the organisation for ever: the owner's, with a factor shown a moment ago, and its number typed to confirm.

    Everybody is put out at once and told. Names stay taken; personal data is erased after some time.
    """
    return await identity.closing.close(caller, body.number)
