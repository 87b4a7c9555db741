"""Organisations: registering one, and selecting its username, once and for ever."""

from __future__ import annotations

from services.identity import names
from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.password.links import Links
from services.identity.permits import Permits
from services.identity.store import audit as audit_store
from services.identity.store import organisations as store
from services.identity.store import staff as staff_store
from services.identity.store.organisations import OrganisationRow
from services.identity.telephone import e164
from shared.db import Database
from shared.errors import Conflict, Forbidden, Invalid, NotFound
from staffgate.contracts.caller import Person, StaffType
from staffgate.contracts.identity import (
    LinkPurpose,
    Organisation,
    OrganisationNamed,
    OrganisationRegistered,
    OrganisationState,
    RegisterOrganisation,
    Registration,
    StaffAdded,
)
from staffgate.contracts.level import Level

_NUMBER_LENGTH = 8  # 27 characters to the eighth: 280 thousand million organisations


class Organisations:
    def __init__(self, db: Database, links: Links, permits: Permits) -> None:
        self._db = db
        self._links = links
        self._permits = permits

    async def register(self, wanted: RegisterOrganisation) -> Registration:
        """Make the organisation and its owner, and send the owner the link that confirms the e-mail address."""
        ids, now = self._db.ids, self._db.clock.now()
        org, number = ids.uuid(), names.number(ids.legible(_NUMBER_LENGTH))
        owner = staff_store.NewStaff(
            id=ids.uuid(),
            type=StaffType.OWNER,
            username=wanted.owner.username,
            username_key=names.key(wanted.owner.username),
            extension=None,
            portal=True,
            weblink=ids.secret(),
            name=wanted.owner.name.strip(),
            email=wanted.owner.email,
            mobile=e164(wanted.owner.mobile),
            locale=wanted.owner.locale,
            default_level=Level.FULL,
            route_anywhere=True,
        )
        async with self._db.begin(org) as tx:
            await store.add_organisation(tx, org, wanted.name.strip(), number, now)
            if not await store.take_name(tx, org, names.key(number), "number"):
                raise Conflict("number_taken", "Try again.")
            await audit_store.open_log(tx, org)
            await staff_store.take_name(tx, org, owner.username_key)
            person = await staff_store.add_staff(tx, org, owner, now)
            organisation = await store.organisation(tx, org)
            assert person is not None
            assert organisation is not None
            await tx.emit(OrganisationRegistered(org=org, state=state_of(organisation)))
            await tx.emit(StaffAdded(org=org, state=person.state))
            audit.note(tx, org, Act.ORG_REGISTERED, by=person.id, about=person.id)
            await self._links.send(tx, person, organisation, LinkPurpose.CONFIRM)
        return Registration(organisation=org, number=number)

    async def select_username(self, caller: Person, username: str) -> Organisation:
        """The owner's, and once: what people have learnt to type stays true."""
        if caller.type is not StaffType.OWNER:
            raise Forbidden("owner_only", "The organisation's owner selects its username.")
        if names.reserved(username):
            raise Invalid("username_reserved", "This username is kept for the platform; choose another.")
        async with self._db.begin(caller.org) as tx:
            named = await store.set_username(tx, caller.org, username)
            if named is None:
                raise Conflict("username_selected", "The organisation's username is selected once and never changed.")
            if not await store.take_name(tx, caller.org, names.key(username), "username", names.skeleton(username)):
                detail = "Another organisation has, or had, this username or one that looks like it; choose another."
                raise Conflict("username_taken", detail)
            audit.note(tx, caller.org, Act.ORG_NAMED, by=caller, username=username)
            await tx.emit(OrganisationNamed(org=caller.org, state=state_of(named)))
        return _shown(named)

    async def rename(self, caller: Person, name: str) -> Organisation:
        """How it is called, in messages too. What is typed at login stays."""
        await self._permits.require_in(caller, "core.organisation", "edit")
        async with self._db.begin(caller.org) as tx:
            named = await store.set_name(tx, caller.org, name.strip())
            assert named is not None
            audit.note(tx, caller.org, Act.ORG_NAMED, by=caller, name=named.name)
            await tx.emit(OrganisationNamed(org=caller.org, state=state_of(named)))
        return _shown(named)

    async def show(self, caller: Person) -> Organisation:
        async with self._db.begin(caller.org) as tx:
            row = await store.organisation(tx, caller.org)
        if row is None:
            raise NotFound("not_found", "There is no such organisation.")
        return _shown(row)


def state_of(row: OrganisationRow) -> OrganisationState:
    return OrganisationState(name=row.name, number=row.number, username=row.username, version=row.version)


def _shown(row: OrganisationRow) -> Organisation:
    return Organisation(id=row.org, number=row.number, name=row.name, username=row.username)
