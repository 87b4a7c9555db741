"""Grants over HTTP, one at a time and by the page of a section."""

from __future__ import annotations

from uuid import UUID

from msgspec import UNSET

from services.authz import grants
from services.authz.service import Authz
from shared.http.operation import Api, Source, Tagged
from staffgate.contracts import administration as contract
from staffgate.contracts import changes
from staffgate.contracts.authz import GrantList, Name, Revised
from staffgate.contracts.caller import Person

api = Api()


@api.get("/v1/staff/{staff}/grants")
async def list_grants(authz: Authz, caller: Person, staff: UUID) -> Tagged[GrantList]:
    """The explicit grants of one person that count now."""
    return Tagged(*await authz.views.tagged(caller, lambda work: grants.grants(work, staff), staff))


@api.put("/v1/staff/{staff}/grants")
async def set_grant(
    authz: Authz, caller: Person, source: Source, staff: UUID, body: contract.NewGrant, if_match: str | None
) -> Tagged[contract.GrantSet]:
    """Set the level of one target, for good or until a time; every check knows it within a second.

    Demand the revision of the answer (`context.min_revision`) of a check that has to know it at once.
    """
    change = changes.SetGrant(staff=staff, target=body.target, level=body.level, expires_at=body.expires_at)
    one = await authz.changes.one(caller, source.ip, change, if_match)
    return Tagged(contract.GrantSet(grant=one.after, revision=one.revision), one.etag)


@api.delete("/v1/staff/{staff}/grants/{grant}")
async def remove_grant(
    authz: Authz, caller: Person, source: Source, staff: UUID, grant: UUID, if_match: str | None
) -> Tagged[Revised]:
    """Take one grant away; what the rest of the person's permissions say counts again."""
    change = changes.RemoveGrant(staff=staff, grant=grant)
    one = await authz.changes.one(caller, source.ip, change, if_match)
    return Tagged(Revised(revision=one.revision), one.etag)


@api.delete("/v1/staff/{staff}/grants")
async def reset_grants(
    authz: Authz, caller: Person, source: Source, staff: UUID, if_match: str | None
) -> Tagged[Revised]:
    """Reset to default: take all grants away, the product access levels excepted, in one step."""
    one = await authz.changes.one(caller, source.ip, changes.ResetGrants(staff=staff), if_match)
    return Tagged(Revised(revision=one.revision), one.etag)


@api.get("/v1/staff/{staff}/sections/{section}/permissions")
async def show_section_permissions(
    authz: Authz, caller: Person, staff: UUID, section: Name
) -> Tagged[contract.SectionView]:
    """What is set on the page of one section: default, quick (by item) and specific (by feature) permissions."""
    return Tagged(*await authz.views.tagged(caller, lambda work: grants.section(work, staff, section), staff))


@api.put("/v1/staff/{staff}/sections/{section}/permissions")
async def set_section_permissions(
    authz: Authz,
    caller: Person,
    source: Source,
    staff: UUID,
    section: Name,
    body: contract.NewSection,
    if_match: str | None,
) -> Tagged[contract.SectionView]:
    """Replace what is set on the page of one section. What is left out has no level of its own any more.

    Features of single items, and what is set for a contract or tenant, are not on the page and stay as they are.
    """
    default = None if body.default is UNSET else body.default
    change = changes.SetSection(staff=staff, section=section, default=default, quick=body.quick, specific=body.specific)
    one = await authz.changes.one(caller, source.ip, change, if_match)
    one.after.revision = one.revision
    return Tagged(one.after, one.etag)
