"""Sessions: opened by a second factor, kept by refresh tokens that rotate, ended for everybody at once."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from services.identity import handle
from services.identity.keys import Signer
from services.identity.store import sessions as store
from services.identity.store.sessions import SessionRow
from services.identity.store.staff import StaffRow
from shared.db import Database, Tx
from shared.errors import Malformed, Unauthenticated
from staffgate.access import LIFETIME, TokenRefused, Verifier
from staffgate.contracts.caller import Caller, Person, StaffType
from staffgate.contracts.identity import FactorKind, Revocations, SessionsEnded, Tokens

_ABSOLUTE = timedelta(hours=24)
_IDLE = timedelta(hours=1)
_RETRY = timedelta(seconds=10)  # an answer can get lost, and two tabs can ask at once
_SKEW = timedelta(seconds=60)

# How the person was authenticated (RFC 8176). E-mail is no out-of-band factor (SP 800-63B-4 section 3.1.3.1): it never
# reaches aal2, though it is offered.
_AMR = {FactorKind.TOTP: ["pwd", "otp"], FactorKind.SMS: ["pwd", "sms"], FactorKind.EMAIL: ["pwd", "email"]}
_ACR = {FactorKind.TOTP: "aal2", FactorKind.SMS: "aal2", FactorKind.EMAIL: "aal1+"}


class Sessions:
    def __init__(self, db: Database, signer: Signer, verifier: Verifier, key: bytes) -> None:
        self._db = db
        self._signer = signer
        self._verifier = verifier
        self._key = key

    async def open(self, tx: Tx, person: StaffRow, factor: FactorKind, ip: str, agent: str) -> Tokens:
        """In the caller's transaction, which holds the person's row: nobody is suspended in between."""
        now, id = self._db.clock.now(), self._db.ids.uuid()
        new = store.NewSession(
            id=id,
            staff=person.id,
            amr=_AMR[factor],
            acr=_ACR[factor],
            ip=ip,
            agent=agent,
            expires_at=now + _ABSOLUTE,
        )
        await store.add_session(tx, person.org, new, now)
        refresh = handle.issue(self._db.ids, person.org)
        await store.add_refresh(tx, person.org, handle.digest(refresh), id, now)
        access = self._access(person.org, id, person.id, person.type, new.amr, new.acr, int(now.timestamp()))
        return Tokens(access_token=access, token_type="Bearer", expires_in=LIFETIME, refresh_token=refresh)  # noqa: S106

    async def refresh(self, token: str) -> Tokens:
        """The next pair. Asked again within ten seconds the same one; later, somebody else has it: the session ends."""
        org = handle.organisation(token)
        if org is None:
            raise _invalid_grant()
        next_token = handle.successor(token, org, self._key)
        async with self._db.begin(org) as tx:
            session = await self._rotate(tx, org, token, next_token)
        if session is None:
            raise _invalid_grant()
        authenticated = int(session.created_at.timestamp())
        access = self._access(org, session.id, session.staff, session.type, session.amr, session.acr, authenticated)
        return Tokens(access_token=access, token_type="Bearer", expires_in=LIFETIME, refresh_token=next_token)  # noqa: S106

    async def _rotate(self, tx: Tx, org: UUID, token: str, next_token: str) -> SessionRow | None:
        now, digest = self._db.clock.now(), handle.digest(token)
        shown = await store.lock_refresh(tx, org, digest)
        if shown is None:
            return None
        session = await store.live_session(tx, org, shown.session, now, now - _IDLE)
        if session is None:
            return None
        if shown.used_at is not None and now - shown.used_at > _RETRY:
            await self._end(tx, org, session.id, session.staff, "refresh_token_reused")
            return None
        await store.use_refresh(tx, org, digest, now)
        await store.add_refresh(tx, org, handle.digest(next_token), session.id, now)
        await store.touch_session(tx, org, session.id, now)
        return session

    async def log_out(self, caller: Person) -> None:
        async with self._db.begin(caller.org) as tx:
            await self._end(tx, caller.org, caller.session, caller.staff, "logged_out")

    async def authenticate(self, token: str) -> Caller:
        """identity owns the sessions, so it looks: what ended is over at once here."""
        try:
            caller = self._verifier.verify(token)
        except TokenRefused as fault:
            raise Unauthenticated("token_refused", f"This access token is not accepted ({fault}).") from fault
        if isinstance(caller, Person):
            now = self._db.clock.now()
            async with self._db.begin(caller.org) as tx:
                # The idle limit is the refresh token's matter: an access token in use is not idle.
                live = await store.live_session(tx, caller.org, caller.session, now, now - _ABSOLUTE)
            if live is None:
                raise Unauthenticated("token_refused", "This access token is not accepted (session_ended).")
        return caller

    async def ended(self) -> Revocations:
        """Of which an access token may still be unexpired somewhere."""
        since = self._db.clock.now() - timedelta(seconds=LIFETIME) - _SKEW
        async with self._db.begin_anywhere() as tx:
            return Revocations(sessions=await store.ended_since_anywhere(tx, since))

    async def _end(self, tx: Tx, org: UUID, id: UUID, staff: UUID, reason: str) -> None:
        if await store.end_session(tx, org, id, reason, self._db.clock.now()):
            await tx.emit(SessionsEnded(org=org, staff=staff, sessions=[id]))

    def _access(
        self, org: UUID, session: UUID, staff: UUID, type: StaffType, amr: list[str], acr: str, authenticated: int
    ) -> str:
        return self._signer.sign(
            str(staff), "staffgate", org=org, sid=session, roles=[type], amr=amr, acr=acr, auth_time=authenticated
        )


def _invalid_grant() -> Malformed:
    """RFC 6749 section 5.2 wants status 400 and the member `error`."""
    return Malformed("invalid_grant", "The refresh token is not good any more; log in again.", error="invalid_grant")
