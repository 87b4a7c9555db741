"""Who takes enquiries now, and on which channels."""

from __future__ import annotations

from uuid import UUID

from services.identity.service import Identity
from shared.http.operation import Api
from staffgate.contracts import identity as contract
from staffgate.contracts.caller import Person, Product

api = Api()


@api.get("/v1/me/availability")
async def show_my_availability(identity: Identity, caller: Person) -> contract.Availability:
    """The caller's state, and the channels that go with it."""
    return await identity.availabilities.show(caller, caller.staff)


@api.put("/v1/me/availability")
async def set_my_availability(
    identity: Identity, caller: Person, body: contract.SetAvailability
) -> contract.Availability:
    """Go online, away or offline."""
    return await identity.availabilities.set(caller, caller.staff, body.state)


@api.get("/v1/me/availability/channels")
async def show_my_channels(identity: Identity, caller: Person) -> contract.ChannelsTaken:
    """On which channels the caller takes enquiries while online, and while away."""
    return await identity.availabilities.channels(caller, caller.staff)


@api.put("/v1/me/availability/channels")
async def set_my_channels(identity: Identity, caller: Person, body: contract.ChannelsTaken) -> contract.ChannelsTaken:
    """Switch channels on and off, for online and for away. Offline takes none."""
    return await identity.availabilities.set_channels(caller, caller.staff, body)


@api.get("/v1/staff/{staff}/availability")
async def show_availability_of_staff(identity: Identity, caller: Person, staff: UUID) -> contract.Availability:
    """A person's state, and the channels that go with it."""
    return await identity.availabilities.show(caller, staff)


@api.put("/v1/staff/{staff}/availability")
async def set_availability_of_staff(
    identity: Identity, caller: Person, staff: UUID, body: contract.SetAvailability
) -> contract.Availability:
    """Set somebody who is signed in online, away or offline."""
    return await identity.availabilities.set(caller, staff, body.state)


@api.get("/v1/staff/{staff}/availability/channels")
async def show_channels_of_staff(identity: Identity, caller: Person, staff: UUID) -> contract.ChannelsTaken:
    """On which channels a person takes enquiries in each state."""
    return await identity.availabilities.channels(caller, staff)


@api.put("/v1/staff/{staff}/availability/channels")
async def set_channels_of_staff(
    identity: Identity, caller: Person, staff: UUID, body: contract.ChannelsTaken
) -> contract.ChannelsTaken:
    """Switch a person's channels on and off."""
    return await identity.availabilities.set_channels(caller, staff, body)


@api.get("/v1/availability")
async def list_availability(
    identity: Identity, caller: Product, query: contract.AvailabilityQuery
) -> contract.AvailabilityList:
    """For product services: who of these takes enquiries now, and on which channels."""
    return await identity.availabilities.list(query)
