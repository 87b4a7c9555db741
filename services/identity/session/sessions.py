"""Sessions: opened by what was proved, kept by refresh tokens that rotate, ended for everybody at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from services.identity.authority import require_not_above
from services.identity.factor.evidence import Evidence
from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.messages import Messages
from services.identity.networks import Floor
from services.identity.password import renewals
from services.identity.permits import Permits, nobody
from services.identity.session import handle
from services.identity.session.keys import Signer
from services.identity.staff.availability import leave_if_gone
from services.identity.store import organisations as organisation_store
from services.identity.store import sessions as store
from services.identity.store import staff as staff_store
from services.identity.store.organisations import OrganisationRow, read_policy
from services.identity.store.sessions import NewSession, SessionRow
from services.identity.store.staff import StaffRow
from shared import trace
from shared.db import Database, Tx
from shared.errors import Malformed, NotFound, Unauthenticated
from staffgate.access import ENROL, LIFETIME, TokenRefused, Verifier
from staffgate.contracts.caller import Caller, Enrolling, Person, Product, StaffType
from staffgate.contracts.identity import NoticeKind, Revocations, Session, SessionList, SessionsEnded, Tokens

_RETRY = timedelta(seconds=10)  # an answer can get lost, and two tabs can ask at once
_SKEW = timedelta(seconds=60)
_ENROLLING = timedelta(minutes=15)  # for a session in which only a factor can be enrolled


class Sessions:
    def __init__(
        self, db: Database, signer: Signer, verifier: Verifier, key: bytes, permits: Permits, messages: Messages,
        floor: Floor | None = None,
    ) -> None:  # fmt: skip
        self._db = db
        self._permits = permits
        self._messages = messages
        self._floor = floor or Floor()
        self._signer = signer
        self._verifier = verifier
        self._key = key

    async def open(
        self, tx: Tx, person: StaffRow, organisation: OrganisationRow, proved: Evidence, *, device: UUID | None = None
    ) -> Tokens:
        """In the caller's transaction, which holds the person's row: nobody is suspended in between."""
        now = self._db.clock.now()
        limit = _ENROLLING if proved.enrolling else timedelta(hours=organisation.policy.session.absolute_hours)
        return await self._open(tx, person, proved, device=device, created_at=now, expires_at=now + limit)

    async def raise_assurance(self, tx: Tx, person: StaffRow, organisation: OrganisationRow, caller: Person | Enrolling, proved: Evidence) -> Tokens:  # fmt: skip
        """A new session in the place of the caller's (ASVS 7.2.4), which ends no later. One that could only enrol becomes
        a whole one. In the caller's transaction, which holds the person's row."""
        old = await self._end_for_another(tx, person, caller)
        if isinstance(caller, Enrolling):
            expired = renewals.expired(person, organisation, self._db.clock.now())
            proved = Evidence(proved.amr, ENROL) if expired else proved
            return await self.open(tx, person, organisation, proved, device=old.device)
        return await self._open(
            tx, person, proved.on_top_of(old.amr, old.acr), device=old.device, created_at=old.created_at,
            expires_at=old.expires_at,
        )  # fmt: skip

    async def renew(self, tx: Tx, person: StaffRow, organisation: OrganisationRow, caller: Person | Enrolling, proved: Evidence) -> Tokens:  # fmt: skip
        """A new session in the place of the caller's, no fresher than that was: no factor has been shown."""
        old = await self._end_for_another(tx, person, caller)
        if isinstance(caller, Enrolling):
            return await self.open(tx, person, organisation, proved, device=old.device)
        return await self._open(
            tx, person, proved, device=old.device, created_at=old.created_at, expires_at=old.expires_at,
            authenticated_at=old.authenticated_at,
        )  # fmt: skip

    async def _end_for_another(self, tx: Tx, person: StaffRow, caller: Person | Enrolling) -> SessionRow:
        now = self._db.clock.now()
        old = await store.live_session(tx, caller.org, caller.session, now)
        if old is None or not await store.end_session(tx, caller.org, person.id, old.id, "raised", now):
            raise _refused()
        await tx.emit(SessionsEnded(org=caller.org, staff=person.id, sessions=[old.id]))
        return old

    async def refresh(self, token: str) -> Tokens:
        """The next pair. Asked again within ten seconds the same one; later, somebody else has it: the session ends."""
        org = handle.organisation(token)
        if org is None:
            raise _invalid_grant()
        next_token = handle.successor(token, org, self._key)
        async with self._db.begin(org) as tx:
            session, reused = await self._rotate(tx, org, token, next_token)
        if session is not None and reused:
            await self._reused(org, session)
        if session is None or reused:
            raise _invalid_grant()
        return self._tokens(org, session, session.staff, session.type, next_token)

    async def _rotate(self, tx: Tx, org: UUID, token: str, next_token: str) -> tuple[SessionRow | None, bool]:
        """The session while it is good, and whether its token was used before, too long ago to be a retry."""
        now, digest = self._db.clock.now(), handle.digest(token)
        shown = await store.lock_refresh(tx, org, digest)
        if shown is None:
            return None, False
        session = await store.live_session(tx, org, shown.session, now)
        if session is None or is_idle(session, now) or not self._is_within(session):
            return None, False
        if shown.used_at is not None and now - shown.used_at > _RETRY:
            return session, True
        await store.use_refresh(tx, org, digest, now)
        await store.add_refresh(tx, org, handle.digest(next_token), session.id, now)
        await store.touch_session(tx, org, session.id, now)
        return session, False

    async def _reused(self, org: UUID, session: SessionRow) -> None:
        """Two have the token, and one of them is not the person. In a transaction of its own: the one that found it out
        shares the person's row with others like it, and none of them could change it."""
        async with self._db.begin(org) as tx:
            if not await self.end(tx, org, session.staff, [session.id], "refresh_token_reused"):
                return
            audit.note(tx, org, Act.TOKEN_REUSED, about=session.staff, ok=False, session=str(session.id))
            person = await staff_store.staff(tx, org, session.staff)
            organisation = await organisation_store.organisation(tx, org)
            if person is not None and organisation is not None:
                await self._messages.send_notice(tx, person, organisation, NoticeKind.TOKEN_REUSED)

    # --- looking and ending -----------------------------------------------------------------------------------

    async def list(self, caller: Person, staff: UUID) -> SessionList:
        """One's own, or those of somebody whose account the caller may view."""
        now = self._db.clock.now()
        if staff != caller.staff:
            await self._permits.require_over(caller, "view", staff)
        async with self._db.begin(caller.org) as tx:
            if await staff_store.staff(tx, caller.org, staff) is None:
                raise nobody()
            rows = await store.live_sessions_of(tx, caller.org, staff, now)
        return SessionList(sessions=[_shown(row, caller.session) for row in rows if not is_idle(row, now)])

    async def log_out(self, caller: Person | Enrolling) -> None:
        await self.end_own(caller, caller.session)

    async def end_own(self, caller: Person | Enrolling, session: UUID) -> None:
        async with self._db.begin(caller.org) as tx:
            if not await self.end(tx, caller.org, caller.staff, [session], "logged_out"):
                raise NotFound("not_found", "You have no session of that id.")
            audit.note(tx, caller.org, Act.LOGGED_OUT, by=caller, about=caller.staff, session=str(session))

    async def end_others(self, caller: Person) -> None:
        """All of one's own but the one that is asked with."""
        async with self._db.begin(caller.org) as tx:
            ended = await self.end_all(tx, caller.org, caller.staff, "logged_out", but=caller.session)
            if ended:
                audit.note(tx, caller.org, Act.LOGGED_OUT, by=caller, about=caller.staff, count=len(ended))

    async def end_of(self, caller: Person, staff: UUID, session: UUID) -> None:
        """Another person's session, by who may edit their account and is not below them."""
        if staff == caller.staff:
            return await self.end_own(caller, session)
        await self._permits.require_over(caller, "edit", staff)
        async with self._db.begin(caller.org) as tx:
            person = await staff_store.lock_staff(tx, caller.org, staff)
            if person is None:
                raise nobody()
            require_not_above(caller, person.type)
            if not await self.end(tx, caller.org, staff, [session], "ended_by_administrator"):
                raise NotFound("not_found", "This person has no session of that id.")
            audit.note(tx, caller.org, Act.SESSIONS_ENDED, by=caller, about=staff, session=str(session))
        return None

    async def end(self, tx: Tx, org: UUID, staff: UUID, sessions: Sequence[UUID], reason: str) -> Sequence[UUID]:
        """Of these, those that are not over yet; told to every service with the commit."""
        now = self._db.clock.now()
        await store.hold_person(tx, org, staff)
        ended = [id for id in sessions if await store.end_session(tx, org, staff, id, reason, now)]
        return await self._tell(tx, org, staff, ended)

    async def end_all(self, tx: Tx, org: UUID, staff: UUID, reason: str, *, but: UUID | None = None) -> Sequence[UUID]:
        """Everything that the person is signed in with."""
        await store.hold_person(tx, org, staff)
        ended = await store.end_sessions_of(tx, org, staff, reason, self._db.clock.now(), but=but)
        return await self._tell(tx, org, staff, ended)

    async def _tell(self, tx: Tx, org: UUID, staff: UUID, ended: Sequence[UUID]) -> Sequence[UUID]:
        if ended:
            await tx.emit(SessionsEnded(org=org, staff=staff, sessions=[*ended]))
        await leave_if_gone(tx, org, staff)
        return ended

    async def ended(self) -> Revocations:
        """Of which an access token may still be unexpired somewhere."""
        since = self._db.clock.now() - timedelta(seconds=LIFETIME) - _SKEW
        async with self._db.begin_anywhere() as tx:
            return Revocations(sessions=await store.ended_since_anywhere(tx, since))

    # --- who shows a token ------------------------------------------------------------------------------------

    async def authenticate(self, token: str) -> Caller:
        """identity owns the sessions, so it looks: what ended is over at once here, and so is what comes from outside
        the organisation's networks."""
        try:
            caller = self._verifier.verify(token, enrolling=True)
        except TokenRefused as fault:
            raise Unauthenticated("token_refused", f"This access token is not accepted ({fault}).") from fault
        if isinstance(caller, Product):
            return caller
        async with self._db.begin(caller.org) as tx:
            # The idle limit is the refresh token's matter: an access token in use is not idle.
            live = await store.live_session(tx, caller.org, caller.session, self._db.clock.now())
        if live is None or not self._is_within(live):
            raise _refused()
        return caller

    def _is_within(self, session: SessionRow) -> bool:
        """Does whoever asks now come from where the organisation and the operator allow?"""
        policy = read_policy(session.security)
        return self._floor.admits_session(trace.source().ip, policy, session.type, session.amr)

    # --- making tokens ----------------------------------------------------------------------------------------

    async def _open(
        self, tx: Tx, person: StaffRow, proved: Evidence, *, device: UUID | None, created_at: datetime,
        expires_at: datetime, authenticated_at: datetime | None = None,
    ) -> Tokens:  # fmt: skip
        now, source = self._db.clock.now(), trace.source()
        new = NewSession(
            id=self._db.ids.uuid(),
            staff=person.id,
            amr=proved.amr,
            acr=proved.acr,
            ip=source.ip,
            agent=source.agent,
            device=device,
            created_at=created_at,
            authenticated_at=authenticated_at or now,
            expires_at=expires_at,
        )
        await store.add_session(tx, person.org, new, now)
        refresh = handle.issue(self._db.ids, person.org)
        await store.add_refresh(tx, person.org, handle.digest(refresh), new.id, now)
        return self._tokens(person.org, new, person.id, person.type, refresh)

    def _tokens(
        self, org: UUID, session: SessionRow | NewSession, staff: UUID, type: StaffType, refresh: str
    ) -> Tokens:
        access = self._signer.sign(
            str(staff), "staffgate", org=org, sid=session.id, roles=[type], amr=session.amr, acr=session.acr,
            auth_time=int(session.authenticated_at.timestamp()),
        )  # fmt: skip
        return Tokens(access_token=access, token_type="Bearer", expires_in=LIFETIME, refresh_token=refresh)  # noqa: S106


async def require_live(tx: Tx, caller: Person, now: datetime) -> None:
    """Once more in the transaction that changes something, and after its locks: the session may have ended since it was
    asked for, by whoever held them."""
    if await store.live_session(tx, caller.org, caller.session, now) is None:
        raise _refused()


def is_idle(session: SessionRow, now: datetime) -> bool:
    rule = read_policy(session.security).session
    return now - session.used_at >= timedelta(minutes=rule.idle_minutes)


def _shown(row: SessionRow, present: UUID) -> Session:
    return Session(
        id=row.id,
        ip=row.ip,
        agent=row.agent,
        created_at=row.created_at,
        used_at=row.used_at,
        expires_at=row.expires_at,
        amr=row.amr,
        acr=row.acr,
        present=row.id == present,
    )


def _refused() -> Unauthenticated:
    return Unauthenticated("token_refused", "This access token is not accepted (session_ended).")


def _invalid_grant() -> Malformed:
    """RFC 6749 section 5.2 wants status 400 and the member `error`."""
    return Malformed("invalid_grant", "The refresh token is not good any more; log in again.", error="invalid_grant")
