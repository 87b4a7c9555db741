"""Showing a factor again, for what takes a fresh one (RFC 9470): the session goes on under a new id."""

from __future__ import annotations

from datetime import timedelta

from services.identity.factor import evidence, factors
from services.identity.factor.factors import Asked
from services.identity.factor.proofs import Proofs, wrong
from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.session import handle
from services.identity.session.sessions import Sessions
from services.identity.store import factors as factor_store
from services.identity.store import logins as store
from services.identity.store import organisations as organisation_store
from services.identity.store import staff as staff_store
from services.identity.store.organisations import OrganisationRow
from services.identity.store.staff import StaffRow
from shared.db import Database, Tx
from shared.errors import Conflict, Invalid, Unauthenticated
from staffgate.contracts.caller import Person
from staffgate.contracts.identity import FinishStepUp, StepUpStarted, Tokens

_LIFETIME = timedelta(minutes=10)


class StepUp:
    def __init__(self, db: Database, proofs: Proofs, sessions: Sessions) -> None:
        self._db = db
        self._proofs = proofs
        self._sessions = sessions

    async def begin(self, caller: Person) -> StepUpStarted:
        """Of this session alone. Codes are sent, and passkeys asked for, as at login."""
        now = self._db.clock.now()
        transaction, expires_at = handle.issue(self._db.ids, caller.org), now + _LIFETIME
        new = store.NewLogin(
            id=self._db.ids.uuid(),
            staff=caller.staff,
            digest=handle.digest(transaction),
            expires_at=expires_at,
            purpose="step_up",
            session=caller.session,
        )
        async with self._db.begin(caller.org) as tx:
            person, organisation = await self._account(tx, caller)
            asked = await self._asked(tx, person, organisation, caller)
            if not asked.factors:
                detail = "You have no factor as strong as the one that you logged in with; enrol one after a new login."
                raise Conflict("no_factor", detail)
            await store.add_login(tx, caller.org, new, now)
        return StepUpStarted(transaction=transaction, expires_at=expires_at, factors=asked.factors)

    async def finish(self, caller: Person, wanted: FinishStepUp) -> Tokens:
        """Whatever is wrong is answered alike, and 422: the access token itself is good."""
        try:
            return await self._finish(caller, wanted)
        except Unauthenticated as fault:
            async with self._db.begin(caller.org) as tx:
                audit.note(
                    tx, caller.org, Act.FACTOR_FAILED, by=caller, about=caller.staff, ok=False, purpose="step_up",
                    factor=wanted.factor or "",
                )  # fmt: skip
            raise Invalid(fault.code, fault.detail) from fault

    async def _finish(self, caller: Person, wanted: FinishStepUp) -> Tokens:
        if wanted.factor is None:
            raise wrong()
        org, login = await self._proofs.take_attempt(wanted.transaction, "step_up", wanted)
        if (org, login.staff, login.session) != (caller.org, caller.staff, caller.session):
            raise wrong()
        async with self._db.begin(org) as tx:
            person, organisation = await self._account(tx, caller)
            asked = await self._asked(tx, person, organisation, caller)
            if not await self._proofs.check(tx, person, login, wanted, asked):
                raise wrong()
            audit.note(tx, org, Act.STEPPED_UP, by=caller, about=person.id, factor=wanted.factor)
            return await self._sessions.raise_assurance(
                tx, person, organisation, caller, evidence.of(wanted.factor)
            )  # fmt: skip

    async def _asked(self, tx: Tx, person: StaffRow, organisation: OrganisationRow, caller: Person) -> Asked:
        enrolled = await factor_store.enrolled(tx, caller.org, caller.staff)
        offered = factors.usable(person, organisation, enrolled)
        return Asked([one for one in offered if evidence.as_strong(one.kind, caller.amr)])

    async def _account(self, tx: Tx, caller: Person) -> tuple[StaffRow, OrganisationRow]:
        person = await staff_store.lock_staff(tx, caller.org, caller.staff)
        organisation = await organisation_store.organisation(tx, caller.org)
        if person is None or organisation is None:
            raise wrong()
        return person, organisation
