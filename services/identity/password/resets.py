"""A forgotten password: a link is asked for, or sent by somebody who administers the person, and sets a new one.

Whoever asks gets the same answer for every name, and the same work is done: what was typed is written down. Whether there
is such an account is found out afterwards, once a second and not when a request comes, so that no later answer tells by
its time what the one before has led to.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from uuid import UUID

import structlog

from services.identity import names, networks
from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.login.devices import Devices
from services.identity.login.throttle import Throttle
from services.identity.messages import Messages, login_name
from services.identity.password import renewals
from services.identity.password.links import RESET_LIFETIME, Links
from services.identity.password.passwords import Passwords
from services.identity.permits import Permits, nobody
from services.identity.session.sessions import Sessions
from services.identity.store import contacts as contact_store
from services.identity.store import links as link_store
from services.identity.store import logins as login_store
from services.identity.store import organisations as organisation_store
from services.identity.store import requests as store
from services.identity.store import staff as staff_store
from services.identity.store.organisations import OrganisationRow
from services.identity.store.requests import RequestRow
from services.identity.store.staff import StaffRow
from shared import trace
from shared.db import Database, Tx
from shared.errors import Conflict, Forbidden, TooMany, Unavailable
from shared.rounds import Round
from staffgate.contracts.caller import Person, StaffType
from staffgate.contracts.identity import (
    LinkPurpose,
    NoticeKind,
    PasswordLinkSent,
    PasswordSet,
    ResetAsked,
    StaffStatus,
)

_EVERY = 1.0  # seconds
_MOST, _MOST_PER = 60, timedelta(hours=1)  # a network: a whole office may be behind one address
_KEPT = timedelta(days=1)
log = structlog.get_logger()


class Resets:
    def __init__(
        self, db: Database, links: Links, passwords: Passwords, permits: Permits, sessions: Sessions,
        messages: Messages, devices: Devices, throttle: Throttle,
    ) -> None:  # fmt: skip
        self._db = db
        self._links = links
        self._passwords = passwords
        self._permits = permits
        self._sessions = sessions
        self._messages = messages
        self._devices = devices
        self._throttle = throttle

    async def ask(self, login: str) -> ResetAsked:
        source, now = trace.source(), self._db.clock.now()
        new = store.NewRequest(
            id=self._db.ids.uuid(),
            typed=login.replace("\0", "\ufffd"),
            network=networks.prefix(source.ip),
            ip=source.ip,
            agent=source.agent.replace("\0", "\ufffd"),
        )
        async with self._db.begin_anywhere() as tx:
            await store.add_request(tx, new, now, now - _MOST_PER, _MOST)
        return ResetAsked(link_lifetime=int(RESET_LIFETIME.total_seconds()))

    async def finish(self, token: str, password: str) -> PasswordSet:
        """Set the new password. Nobody is logged in by it, and no second factor is lost: everything that the person was
        signed in with is over."""
        person, organisation, _ = await self._links.look_up(token, [LinkPurpose.RESET])
        async with self._db.begin(person.org) as tx:
            former = await renewals.former_of(tx, person, organisation)
        hashed = await renewals.fit(self._passwords, person, organisation, password, former)
        async with self._db.begin(person.org) as tx:
            person, organisation, _ = await self._links.take(tx, token, [LinkPurpose.RESET])
            await self._put(tx, person, organisation, hashed)
            device = await self._devices.remember(tx, person)
        return PasswordSet(login=login_name(organisation, person), device=device)

    async def _put(self, tx: Tx, person: StaffRow, organisation: OrganisationRow, hashed: str) -> None:
        org, id, now = person.org, person.id, self._db.clock.now()
        await renewals.put(tx, person, organisation, hashed, now)
        await contact_store.confirm_email(tx, org, id, now)  # the link has come back from there
        await link_store.kill_links_of(tx, org, id, now)
        await login_store.end_logins_of(tx, org, id, now)
        await self._sessions.end_all(tx, org, id, "password_reset")
        if person.locked(now):
            audit.note(tx, org, Act.UNLOCKED, by=id, about=id, reason="password_reset")
        await login_store.unlock_account(tx, org, id)
        await self._messages.send_notice(tx, person, organisation, NoticeKind.PASSWORD_CHANGED)
        audit.note(tx, org, Act.PASSWORD_SET, by=id, about=id)
        await self._throttle.forgive(tx, person)

    async def send_link(self, caller: Person, id: UUID) -> PasswordLinkSent:
        """By somebody who administers the person, and who never sees nor sets the password. Whoever is signed in as that
        person is out with it; the old password is good until there is a new one."""
        await self._permits.require_over(caller, "edit", id)
        now = self._db.clock.now()
        async with self._db.begin(caller.org) as tx:
            person = await staff_store.lock_staff(tx, caller.org, id)
            organisation = await organisation_store.organisation(tx, caller.org)
            if person is None or organisation is None or person.status is StaffStatus.DELETED:
                raise nobody()
            if person.type is not StaffType.STANDARD and not caller.administers:
                raise Forbidden("administrators_only", "This is for the organisation's owner and administrators.")
            purpose = _purpose(person)
            if purpose is None:
                raise Conflict("not_active", "This account can't log in, so it has no use for a password.")
            expires_at = await self._links.send(tx, person, organisation, purpose)
            if purpose is LinkPurpose.RESET and id != caller.staff:
                await self._sessions.end_all(tx, caller.org, id, "password_reset")
                await login_store.end_logins_of(tx, caller.org, id, now)
            act = Act.RESET_ASKED if purpose is LinkPurpose.RESET else Act.ACTIVATION_SENT
            audit.note(tx, caller.org, act, by=caller, about=id)
            count = await self._count(tx, person, purpose)
        return PasswordLinkSent(purpose=purpose, sent_at=now, sent_count=count, expires_at=expires_at)

    async def _count(self, tx: Tx, person: StaffRow, purpose: LinkPurpose) -> int:
        if purpose is not LinkPurpose.RESET:
            return await staff_store.count_activation(tx, person.org, person.id, self._db.clock.now())
        return await staff_store.count_reset(tx, person.org, person.id)

    # --- what was asked for -----------------------------------------------------------------------------------

    def answering(self, every: float = _EVERY) -> AbstractAsyncContextManager[None]:
        """Look at what was asked, in every process: each request is one process's."""
        return Round("resets", every, self._answer).running()

    async def _answer(self) -> int:
        """0 when nothing waits any more."""
        if await self.answer_one():
            return 1
        async with self._db.begin_anywhere() as tx:
            await store.forget_requests(tx, self._db.clock.now() - _KEPT)
        return 0

    async def answer_one(self) -> bool:
        """False where nothing waits. A crash on the way leaves it waiting; that a link went out then keeps a second one
        from following."""
        async with self._db.begin_anywhere() as tx:
            asked = await store.take_request(tx)
            if asked is None:
                return False
            trace.begin()
            trace.came_from(trace.Source(asked.ip, asked.agent))
            try:
                await self._send(asked)
            except Unavailable:
                raise
            except Exception:  # another try would come to the same
                log.exception("resets.unanswered")
            await store.settle_request(tx, asked.id)
        return True

    async def _send(self, asked: RequestRow) -> None:
        parts = names.split_login(asked.typed)
        if parts is None:
            return
        async with self._db.begin_anywhere() as tx:
            org = await organisation_store.organisation_by_name(tx, parts[0])
        if org is None:
            return
        async with self._db.begin(org) as tx:
            found = await staff_store.staff_by_username(tx, org, parts[1])
            person = await staff_store.lock_staff(tx, org, found.id) if found else None
            organisation = await organisation_store.organisation(tx, org)
            if person is None or organisation is None or organisation.closed_at is not None:
                return
            await self._send_to(tx, person, organisation)

    async def _send_to(self, tx: Tx, person: StaffRow, organisation: OrganisationRow) -> None:
        """Whoever has lost the activation e-mail gets it again; before it was sent for the first time it is not theirs
        to ask for."""
        purpose = _purpose(person)
        if purpose is None or (purpose is LinkPurpose.ACTIVATE and not person.activation_sent_count):
            return
        try:
            await self._links.send(tx, person, organisation, purpose, asked=True)
        except TooMany:  # nobody is there to be told
            return
        audit.note(tx, person.org, Act.RESET_ASKED, about=person.id)


def _purpose(person: StaffRow) -> LinkPurpose | None:
    """What a link would do for them; None for somebody who can't get in whatever they type."""
    if not person.portal or person.status not in (StaffStatus.INVITED, StaffStatus.ACTIVE):
        return None
    if person.status is StaffStatus.ACTIVE:
        return LinkPurpose.RESET
    return LinkPurpose.CONFIRM if person.type is StaffType.OWNER else LinkPurpose.ACTIVATE
