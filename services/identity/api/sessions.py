"""Where somebody is signed in, and putting them out there."""

from __future__ import annotations

from uuid import UUID

from services.identity.service import Identity
from shared.http.operation import Api
from staffgate.contracts import identity as contract
from staffgate.contracts.caller import Person

api = Api()


@api.get("/v1/me/sessions")
async def list_my_sessions(identity: Identity, caller: Person) -> contract.SessionList:
    """Where the caller is signed in: device, address, last use."""
    return await identity.sessions.list(caller, caller.staff)


@api.delete("/v1/me/sessions/{session}")
async def end_my_session(identity: Identity, caller: Person, session: UUID) -> None:
    """End one of the caller's sessions everywhere."""
    await identity.sessions.end_own(caller, session)


@api.post("/v1/me/sessions/end-others")
async def end_my_other_sessions(identity: Identity, caller: Person) -> None:
    """End all of the caller's sessions but the one that is asked with."""
    await identity.sessions.end_others(caller)


@api.get("/v1/staff/{staff}/sessions")
async def list_sessions_of_staff(identity: Identity, caller: Person, staff: UUID) -> contract.SessionList:
    """Where a person is signed in."""
    return await identity.sessions.list(caller, staff)


@api.delete("/v1/staff/{staff}/sessions/{session}")
async def end_session_of_staff(identity: Identity, caller: Person, staff: UUID, session: UUID) -> None:
    """End one session of a person, within a second and everywhere."""
    await identity.sessions.end_of(caller, staff, session)
