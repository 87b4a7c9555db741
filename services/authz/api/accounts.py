"""What a person has beside grants and roles, and what it all comes to, over HTTP."""

from __future__ import annotations

from uuid import UUID

import msgspec

from services.authz import accounts
from services.authz.service import Authz
from shared.http.operation import Api, Source, Tagged
from staffgate.contracts import administration as contract
from staffgate.contracts import changes
from staffgate.contracts.authz import Key, Revised
from staffgate.contracts.caller import Person

api = Api()


class Context(msgspec.Struct, kw_only=True):
    """Where to look: in a contract, a tenant, or in neither."""

    contract: Key | None = None
    tenant: Key | None = None


@api.get("/v1/staff/{staff}/permissions")
async def show_permissions(authz: Authz, caller: Person, staff: UUID, query: Context) -> contract.EffectivePermissions:
    """The Permissions List of a person: what they may do, section by section, and which rule of which tier says so."""
    return await authz.views.show(
        caller, lambda work: accounts.effective(work, staff, query.contract, query.tenant), staff
    )


@api.get("/v1/staff/{staff}/subject")
async def show_subject(authz: Authz, caller: Person, staff: UUID) -> Tagged[contract.SubjectView]:
    """A person as permissions know them: type, status, account default, routing, team, tenants and subscribers."""
    return Tagged(*await authz.views.tagged(caller, lambda work: accounts.subject(work, staff), staff))


@api.put("/v1/staff/{staff}/default-level")
async def set_default_level(
    authz: Authz, caller: Person, source: Source, staff: UUID, body: contract.NewDefaultLevel, if_match: str | None
) -> Tagged[contract.SubjectView]:
    """Set the account default: the level of everything of which no grant and no role says anything."""
    change = changes.SetDefaultLevel(staff=staff, level=body.level)
    one = await authz.changes.one(caller, source.ip, change, if_match)
    one.after.revision = one.revision
    return Tagged(one.after, one.etag)


@api.put("/v1/staff/{staff}/routing")
async def set_routing(
    authz: Authz, caller: Person, source: Source, staff: UUID, body: contract.NewRouting, if_match: str | None
) -> Tagged[contract.SubjectView]:
    """Allow routing to all destinations, or not."""
    change = changes.SetRouting(staff=staff, anywhere=body.anywhere)
    one = await authz.changes.one(caller, source.ip, change, if_match)
    one.after.revision = one.revision
    return Tagged(one.after, one.etag)


@api.get("/v1/staff/{staff}/subscribers")
async def list_subscribers(authz: Authz, caller: Person, staff: UUID) -> Tagged[contract.SubscriberList]:
    """The PBX subscribers that a person is linked to."""
    return Tagged(*await authz.views.tagged(caller, lambda work: accounts.subscribers(work, staff), staff))


@api.put("/v1/staff/{staff}/subscribers/{subscriber}")
async def link_subscriber(
    authz: Authz, caller: Person, source: Source, staff: UUID, subscriber: Key, if_match: str | None
) -> Tagged[Revised]:
    """Link a person to a PBX subscriber: they may listen to its recordings and use click-to-call for it."""
    change = changes.LinkSubscriber(staff=staff, subscriber=subscriber)
    one = await authz.changes.one(caller, source.ip, change, if_match)
    return Tagged(Revised(revision=one.revision), one.etag)


@api.delete("/v1/staff/{staff}/subscribers/{subscriber}")
async def unlink_subscriber(
    authz: Authz, caller: Person, source: Source, staff: UUID, subscriber: Key, if_match: str | None
) -> Tagged[Revised]:
    """Take a link to a PBX subscriber away."""
    change = changes.UnlinkSubscriber(staff=staff, subscriber=subscriber)
    one = await authz.changes.one(caller, source.ip, change, if_match)
    return Tagged(Revised(revision=one.revision), one.etag)
