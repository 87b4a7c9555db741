"""The caller's own account."""

from __future__ import annotations

from services.identity.service import Identity
from shared.http.operation import Api
from staffgate.contracts import identity as contract
from staffgate.contracts.caller import Enrolling, Person

api = Api()


@api.get("/v1/me")
async def show_me(identity: Identity, caller: Person) -> contract.Staff:
    """The caller's account."""
    return await identity.staff.show(caller, caller.staff)


@api.post("/v1/me/logout")
async def log_out(identity: Identity, caller: Person | Enrolling) -> None:
    """End this session everywhere."""
    await identity.sessions.log_out(caller)


@api.post("/v1/me/factors/totp", status=201)
async def enrol_totp(identity: Identity, caller: Person | Enrolling) -> contract.TotpEnrolment:
    """Begin to enrol an authenticator app. The secret is shown this once, and counts when a code confirms it."""
    return await identity.totp.enrol(caller)


@api.post("/v1/me/factors/totp/confirm")
async def confirm_totp(identity: Identity, caller: Person | Enrolling, body: contract.ConfirmTotp) -> contract.Tokens:
    """Confirm the authenticator app with a code that it shows. The answer takes the place of the session's tokens."""
    return await identity.totp.confirm(caller, body.code)
