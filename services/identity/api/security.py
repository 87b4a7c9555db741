"""The organisation's security settings, and accounts that are held up."""

from __future__ import annotations

from uuid import UUID

from services.identity.service import Identity
from shared.http.operation import Api, Tagged
from staffgate.contracts import identity as contract
from staffgate.contracts.caller import Person

api = Api()


@api.get("/v1/organisation/security")
async def show_security(identity: Identity, caller: Person) -> Tagged[contract.SecuritySettings]:
    """Which factors, passwords, locks, sessions and networks the organisation wants; for its administrators."""
    return Tagged(*await identity.security.show(caller))


@api.put("/v1/organisation/security")
async def set_security(
    identity: Identity, caller: Person, body: contract.SetSecurity, if_match: str | None
) -> Tagged[contract.SecuritySettings]:
    """Set all of it. Takes a factor shown in the last five minutes. With If-Match, 412 where somebody was faster.

    Networks that the caller is not in are saved with `confirm_lockout` only (409). Sessions from outside the new networks
    are over; the owner can still come in from elsewhere, with a passkey or the authenticator app.
    """
    return Tagged(*await identity.security.save(caller, body, if_match))


@api.post("/v1/staff/{staff}/unlock")
async def unlock_staff(identity: Identity, caller: Person, staff: UUID) -> contract.Staff:
    """Let somebody who is locked, or held up after wrong passwords, try again at once."""
    return await identity.locks.unlock(caller, staff)
