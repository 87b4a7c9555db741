"""What a product's replica asks of authz, as it travels: the facts about people, and the items of one type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from staffgate.contracts.authz import Grant, Item, Name, Role
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import StaffStatus
from staffgate.contracts.level import Level
from staffgate.decision import Facts, Holding, Organisation, ProductAccess

MOST = 500  # people in one answer
LONGEST = 315_360_000.0  # seconds, ten years: what did not change for long is known for long


class PersonFacts(msgspec.Struct, kw_only=True, omit_defaults=True):
    """All that decides about one person, of one moment. From `until` on it is not right any more, announced or not."""

    org: UUID
    facts: Facts
    until: datetime | None = None


class RegisteredItems(msgspec.Struct, kw_only=True):
    """Every registered item of one type in one organisation, of one moment."""

    items: list[Item]
    revision: int


class ItemsAsked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    types: Annotated[list[Name], Meta(min_length=1, max_length=1000)]


class ItemsByType(msgspec.Struct, kw_only=True):
    """The same of several types, each by the name that it was asked for by."""

    items: dict[str, list[Item]]
    revision: int


class ChangedQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Nothing was missed up to the revision `since`, and that was known so many `seconds` ago."""

    since: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    seconds: Annotated[float, Meta(ge=0, le=LONGEST)] = 0.0


class ChangedSince(msgspec.Struct, frozen=True, kw_only=True):
    """What one announcement would say in place of all since then: whose permissions are not what they were (anybody's,
    where `people` is null), and which types' registered items. Whatever else was right at that time is at `revision`."""

    org: UUID
    revision: int
    people: list[UUID] | None
    types: list[str]


# --- many people ----------------------------------------------------------------------------------------------


class StandingsQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`after` is the `next` of the page before."""

    after: UUID | None = None
    limit: Annotated[int, Meta(ge=1, le=MOST)] = MOST


class StandingsAsked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    staff: Annotated[list[UUID], Meta(min_length=1, max_length=MOST)]


class HeldRole(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A role that a person holds, by its id."""

    id: UUID
    role: str
    contract: str | None = None
    tenant: str | None = None
    group: UUID | None = None


class Member(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is one person's own of all that decides about them."""

    staff: UUID
    type: StaffType
    status: StaffStatus
    default_level: Level = Level.DENY
    route_anywhere: bool = False
    grants: tuple[Grant, ...] = ()
    access: tuple[ProductAccess, ...] = ()
    roles: tuple[HeldRole, ...] = ()
    team: str | None = None
    tenants: tuple[str, ...] = ()
    subscribers: tuple[str, ...] = ()
    until: datetime | None = None


class Standings(msgspec.Struct, kw_only=True, omit_defaults=True):
    """All that decides about many people of one organisation, of one moment.

    What they have in common is told once: ten roles that everybody holds are most of what there is to tell. `teams` names
    with each team that somebody is in itself and all below it. `next` is there while more people follow, `total` on the
    first page.
    """

    org: UUID
    revision: int
    org_active: bool = True
    organisation: Organisation = Organisation()
    roles: list[Role] = []
    teams: dict[str, tuple[str, ...]] = {}
    members: list[Member] = []
    next: UUID | None = None
    total: int | None = None

    @classmethod
    def of(cls, org: UUID, revision: int, people: Iterable[PersonFacts]) -> Standings:
        """People of one organisation, read at the same moment."""
        page = cls(org=org, revision=revision)
        roles: dict[str, Role] = {}
        for person in people:
            facts = person.facts
            page.org_active, page.organisation = facts.org_active, facts.organisation
            roles.update((held.role.id, held.role) for held in facts.roles)
            if facts.team is not None:
                page.teams[facts.team] = facts.teams
            page.members.append(_member(person))
        page.roles = [*roles.values()]
        return page

    def people(self) -> Iterator[PersonFacts]:
        roles = {role.id: role for role in self.roles}
        for member in self.members:
            yield PersonFacts(org=self.org, facts=self._facts(member, roles), until=member.until)

    def _facts(self, member: Member, roles: dict[str, Role]) -> Facts:
        return Facts(
            staff=member.staff,
            revision=self.revision,
            org_active=self.org_active,
            type=member.type,
            status=member.status,
            default_level=member.default_level,
            route_anywhere=member.route_anywhere,
            grants=member.grants,
            access=member.access,
            roles=tuple(
                Holding(id=held.id, role=roles[held.role], contract=held.contract, tenant=held.tenant, group=held.group)
                for held in member.roles
            ),
            team=member.team,
            teams=() if member.team is None else self.teams[member.team],
            tenants=member.tenants,
            subscribers=member.subscribers,
            organisation=self.organisation,
        )


def _member(person: PersonFacts) -> Member:
    facts = person.facts
    return Member(
        staff=facts.staff,
        type=facts.type,
        status=facts.status,
        default_level=facts.default_level,
        route_anywhere=facts.route_anywhere,
        grants=facts.grants,
        access=facts.access,
        roles=tuple(
            HeldRole(id=held.id, role=held.role.id, contract=held.contract, tenant=held.tenant, group=held.group)
            for held in facts.roles
        ),
        team=facts.team,
        tenants=facts.tenants,
        subscribers=facts.subscribers,
        until=person.until,
    )
