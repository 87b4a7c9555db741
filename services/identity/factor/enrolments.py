"""What somebody has enrolled: seen, removed, and taken away by an administrator when it was lost."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from services.identity.factor import evidence, factors
from services.identity.factor.recovery import Recovery
from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.messages import Messages
from services.identity.permits import Permits, nobody
from services.identity.session.sessions import Sessions
from services.identity.store import factors as store
from services.identity.store import organisations as organisation_store
from services.identity.store import passkeys as passkey_store
from services.identity.store import recovery as recovery_store
from services.identity.store import staff as staff_store
from services.identity.store.organisations import OrganisationRow
from services.identity.store.passkeys import PasskeyRow
from services.identity.store.staff import StaffRow
from shared.db import Database, Tx
from shared.errors import Conflict, Forbidden, NotFound
from shared.freshness import require_fresh
from staffgate.contracts.caller import Enrolling, Person, StaffType
from staffgate.contracts.identity import FactorAdded, FactorKind, FactorList, FactorShown, NoticeKind, Passkey

_RANK = {StaffType.STANDARD: 0, StaffType.ADMINISTRATOR: 1, StaffType.OWNER: 2}


class Enrolments:
    def __init__(
        self, db: Database, sessions: Sessions, messages: Messages, permits: Permits, recovery: Recovery
    ) -> None:
        self._db = db
        self._sessions = sessions
        self._messages = messages
        self._permits = permits
        self._recovery = recovery

    # --- seen -------------------------------------------------------------------------------------------------

    async def show(self, caller: Person | Enrolling) -> FactorList:
        return await self._show(caller.org, caller.staff)

    async def show_of(self, caller: Person, staff: UUID) -> FactorList:
        """For those who administer the account. Nothing secret is in it."""
        await self._permits.require_over(caller, "view", staff)
        return await self._show(caller.org, staff)

    async def _show(self, org: UUID, staff: UUID) -> FactorList:
        async with self._db.begin(org) as tx:
            person = await staff_store.staff(tx, org, staff)
            organisation = await organisation_store.organisation(tx, org)
            if person is None or organisation is None:
                raise nobody()
            passkeys = await passkey_store.passkeys_of(tx, org, staff)
            left = await recovery_store.codes_left(tx, org, staff)
        return FactorList(
            required=factors.is_required(person, organisation),
            allowed=factors.allowed(person, organisation),
            factors=_shown(person, organisation, passkeys),
            passkeys=[shown_passkey(row) for row in passkeys],
            recovery_codes_left=left,
        )

    # --- added and removed ------------------------------------------------------------------------------------

    async def added(
        self, tx: Tx, person: StaffRow, organisation: OrganisationRow, caller: Person | Enrolling, kind: FactorKind,
        *, passkey: UUID | None = None,
    ) -> FactorAdded:  # fmt: skip
        """The session is one that has shown it, and whoever could only enrol is in. In the caller's transaction, which
        holds the person's row."""
        more: dict[str, Any] = {"passkey": str(passkey)} if passkey else {}
        audit.note(tx, person.org, Act.FACTOR_ADDED, by=caller, about=person.id, factor=kind, **more)
        await self._messages.send_notice(tx, person, organisation, NoticeKind.FACTOR_ADDED, factor=kind)
        codes = None
        if FactorKind.RECOVERY in factors.allowed(person, organisation):
            left = await recovery_store.codes_left(tx, person.org, person.id)
            codes = None if left else await self._recovery.make(tx, person, organisation, caller)
        tokens = await self._sessions.raise_assurance(tx, person, organisation, caller, evidence.of(kind))
        return FactorAdded(**msgspec.structs.asdict(tokens), recovery_codes=codes)

    async def remove_totp(self, caller: Person) -> None:
        require_fresh(caller, self._db.clock)
        async with self._db.begin(caller.org) as tx:
            person = await staff_store.lock_staff(tx, caller.org, caller.staff)
            if person is None or person.totp_confirmed_at is None:
                raise NotFound("not_found", "You have no authenticator app enrolled.")
            await store.drop_totp(tx, caller.org, caller.staff)
            await self.removed(tx, caller, FactorKind.TOTP)

    async def removed(self, tx: Tx, caller: Person, kind: FactorKind) -> None:
        """It is gone, and something that will do has to be left. The transaction holds the person's row."""
        person = await staff_store.staff(tx, caller.org, caller.staff)
        organisation = await organisation_store.organisation(tx, caller.org)
        assert person is not None
        assert organisation is not None
        enrolled = await store.enrolled(tx, caller.org, caller.staff)
        strong = person.totp_confirmed_at is not None or FactorKind.PASSKEY in enrolled
        left = [one.kind for one in factors.usable(person, organisation, enrolled)]
        if factors.is_required(person, organisation) and not set(left) - {FactorKind.RECOVERY}:
            detail = "This is your last second factor, and your organisation requires one; enrol another before."
            raise Conflict("last_factor", detail)
        if not strong:  # they stood in for it
            await recovery_store.drop_codes(tx, caller.org, caller.staff)
        audit.note(tx, caller.org, Act.FACTOR_REMOVED, by=caller, about=caller.staff, factor=kind)
        await self._messages.send_notice(tx, person, organisation, NoticeKind.FACTOR_REMOVED, factor=kind)

    # --- lost -------------------------------------------------------------------------------------------------

    async def reset(self, caller: Person, staff: UUID) -> None:
        """Somebody lost what they had: the next login, by e-mail, leads to enrolling anew and to nothing else."""
        require_fresh(caller, self._db.clock)
        await self._permits.require_over(caller, "edit", staff)
        async with self._db.begin(caller.org) as tx:
            await staff_store.lock_administrators(tx, caller.org)
            person = await staff_store.lock_staff(tx, caller.org, staff)
            organisation = await organisation_store.organisation(tx, caller.org)
            if person is None or organisation is None:
                raise nobody()
            _require_may_reset(caller, person)
            # The tries come before the passkeys, as in a login that shows one: two orders of locking are a deadlock.
            await store.forget_tries(tx, caller.org, staff, self._db.clock.now())
            await self._require_one_left(tx, person, organisation)
            await store.drop_factors(tx, caller.org, staff)
            await self._sessions.end_all(tx, caller.org, staff, "factors_reset")
            audit.note(tx, caller.org, Act.FACTORS_RESET, by=caller, about=staff)
            await self._messages.send_notice(tx, person, organisation, NoticeKind.FACTORS_RESET)

    async def _require_one_left(self, tx: Tx, person: StaffRow, organisation: OrganisationRow) -> None:
        """Two administrators who reset each other would leave nobody with a factor but whoever reads their mail."""
        able = await store.administrators_with_factor(tx, person.org)
        weak = FactorKind.EMAIL in factors.allowed(person, organisation)
        if able == [person.id] and not weak:
            detail = "Nobody else who administers the organisation has a second factor; somebody has to be left."
            raise Conflict("last_administrator", detail)


def shown_passkey(row: PasskeyRow) -> Passkey:
    return Passkey(id=row.id, name=row.name, synced=row.synced, created_at=row.created_at, used_at=row.used_at)


def _shown(person: StaffRow, organisation: OrganisationRow, passkeys: list[PasskeyRow]) -> list[FactorShown]:
    """Recovery codes are told by their number."""
    since = {
        FactorKind.PASSKEY: min((row.created_at for row in passkeys), default=None),
        FactorKind.TOTP: person.totp_confirmed_at,
        FactorKind.SMS: person.mobile_confirmed_at,
        FactorKind.EMAIL: person.email_confirmed_at,
    }
    allowed = factors.allowed(person, organisation)
    return [
        FactorShown(kind=one.kind, strength=one.strength, allowed=one.kind in allowed, since=at, hint=one.hint)
        for one in factors.had(person, [FactorKind.PASSKEY] if passkeys else [])
        if (at := since[one.kind]) is not None
    ]


def _require_may_reset(caller: Person, person: StaffRow) -> None:
    if person.id == caller.staff:
        raise Forbidden("own_account", "You can't reset your own factors; add and remove them one by one.")
    if _RANK[person.type] > _RANK[caller.type]:
        raise Forbidden("above_you", "Nobody resets the factors of somebody above them.")
