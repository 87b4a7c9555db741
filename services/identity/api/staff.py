"""Staff accounts, for those who administer them."""

from __future__ import annotations

from uuid import UUID

from services.identity.service import Identity
from shared.http.operation import Api, Tagged
from staffgate.contracts import identity as contract
from staffgate.contracts.caller import Person

api = Api()


@api.post("/v1/staff", status=201)
async def add_staff(identity: Identity, caller: Person, body: contract.AddStaff) -> contract.Staff:
    """Add a member of staff, not activated yet. Nothing is sent until it is asked for."""
    return await identity.staff.add(caller, body)


@api.get("/v1/staff")
async def list_staff(identity: Identity, caller: Person, query: contract.StaffQuery) -> contract.StaffList:
    """Those of the caller's organisation whom the caller may view, a page at a time.

    Without a filter everybody who is active or invited, by name.
    """
    return await identity.roster.list(caller, query)


@api.get("/v1/staff/{staff}")
async def show_staff(identity: Identity, caller: Person, staff: UUID) -> Tagged[contract.Staff]:
    """One account."""
    return Tagged(*await identity.staff.tagged(caller, staff))


@api.patch("/v1/staff/{staff}")
async def edit_staff(
    identity: Identity, caller: Person, staff: UUID, body: contract.EditStaff, if_match: str | None
) -> Tagged[contract.Staff]:
    """Change what is named, and leave the rest.

    Another e-mail address of an activated account counts when its link was used. Another type, and the portal given or
    taken, end the person's sessions. A name that somebody had is nobody's again.
    """
    return Tagged(*await identity.edits.edit(caller, staff, body, if_match))


@api.delete("/v1/staff/{staff}")
async def delete_staff(identity: Identity, caller: Person, staff: UUID, query: contract.HandOver) -> None:
    """Delete an account for ever: out everywhere at once, and personal data erased some time later."""
    await identity.lifecycle.delete(caller, staff, query.handover_to)


@api.post("/v1/staff/{staff}/activation-email", status=202)
async def send_activation_email(identity: Identity, caller: Person, staff: UUID) -> contract.ActivationSent:
    """Send the activation e-mail, or send it again. The links sent before are dead."""
    return await identity.staff.send_activation(caller, staff)


@api.post("/v1/staff/{staff}/suspend")
async def suspend_staff(
    identity: Identity, caller: Person, staff: UUID, query: contract.HandOver
) -> contract.Staff:  # fmt: skip
    """Put a person out everywhere, within a second, unexpired access tokens included."""
    return await identity.lifecycle.suspend(caller, staff, query.handover_to)


@api.post("/v1/staff/{staff}/reactivate")
async def reactivate_staff(identity: Identity, caller: Person, staff: UUID) -> contract.Staff:
    """Let a suspended person log in again."""
    return await identity.lifecycle.reactivate(caller, staff)


@api.post("/v1/staff/{staff}/logout")
async def log_out_staff(identity: Identity, caller: Person, staff: UUID) -> None:
    """End every session of a person, everywhere. The account stays as it is: they may log in anew."""
    await identity.lifecycle.log_out(caller, staff)
