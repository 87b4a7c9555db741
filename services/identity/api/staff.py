"""Staff accounts, for those who administer them."""

from __future__ import annotations

from uuid import UUID

from services.identity.service import Identity
from shared.http.operation import Api
from staffgate.contracts import identity as contract
from staffgate.contracts.caller import Person

api = Api()


@api.post("/v1/staff", status=201)
async def add_staff(identity: Identity, caller: Person, body: contract.AddStaff) -> contract.Staff:
    """Add a member of staff, not activated yet. Nothing is sent until it is asked for."""
    return await identity.staff.add(caller, body)


@api.get("/v1/staff")
async def list_staff(identity: Identity, caller: Person) -> contract.StaffList:
    """Everybody in the caller's organisation."""
    return await identity.staff.list(caller)


@api.get("/v1/staff/{staff}")
async def show_staff(identity: Identity, caller: Person, staff: UUID) -> contract.Staff:
    """One account."""
    return await identity.staff.show(caller, staff)


@api.post("/v1/staff/{staff}/activation-email", status=202)
async def send_activation_email(identity: Identity, caller: Person, staff: UUID) -> contract.ActivationSent:
    """Send the activation e-mail, or send it again. The links sent before are dead."""
    return await identity.staff.send_activation(caller, staff)


@api.post("/v1/staff/{staff}/suspend")
async def suspend_staff(identity: Identity, caller: Person, staff: UUID) -> contract.Staff:
    """Put a person out everywhere, within a second, unexpired access tokens included."""
    return await identity.staff.suspend(caller, staff)


@api.post("/v1/staff/{staff}/reactivate")
async def reactivate_staff(identity: Identity, caller: Person, staff: UUID) -> contract.Staff:
    """Let a suspended person log in again."""
    return await identity.staff.reactivate(caller, staff)
