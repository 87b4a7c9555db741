"""Who may come in, which every step of every login asks anew; and what is done when somebody does."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from services.identity.factor.evidence import Evidence
from services.identity.factor.factors import Asked
from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.login.devices import Devices
from services.identity.messages import Messages
from services.identity.networks import Floor
from services.identity.session.sessions import Sessions
from services.identity.store import recoveries as recovery_store
from services.identity.store.organisations import OrganisationRow
from services.identity.store.staff import StaffRow
from shared import trace
from shared.db import Tx
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import FactorKind, NoticeKind, StaffStatus, Tokens

_MANY = 3  # wrong passwords in a row: fewer are slips of the hand
_STRONG = (FactorKind.PASSKEY, FactorKind.TOTP)


class Admission:
    def __init__(self, devices: Devices, sessions: Sessions, messages: Messages, floor: Floor) -> None:
        self._devices = devices
        self._sessions = sessions
        self._messages = messages
        self._floor = floor

    def against(
        self, now: datetime, person: StaffRow | None, organisation: OrganisationRow | None, *, known: bool
    ) -> str | None:
        """The first reason against them, for the audit log alone. `known`: they come from a known device, which a lock
        does not keep out: strangers may have brought it about."""
        if organisation is None:
            return "unknown_organisation"
        if organisation.closed_at is not None:
            return "closed"
        if person is None:
            return "unknown_account"
        if not person.portal:
            return "no_portal"
        if person.status is not StaffStatus.ACTIVE:
            return str(person.status)
        if person.locked(now) and not known:
            return "locked"
        return None if self._may_come_from_here(person, organisation) else "network"

    def narrowed(self, organisation: OrganisationRow, asked: Asked) -> Asked:
        """What does from here: the owner comes in from outside the organisation's networks with a strong factor only."""
        if self.is_within(organisation):
            return asked
        strong = [factor for factor in asked.factors if factor.kind in _STRONG]
        return Asked(strong, enrol=not strong)  # with neither, nothing at all would be asked for

    async def let_in(
        self, tx: Tx, person: StaffRow, organisation: OrganisationRow, proved: Evidence, *, known: bytes | None = None,
        failures: int = 0,
    ) -> Tokens:  # fmt: skip
        """A session, in the caller's transaction, which holds the person's row; the person is told of what is unusual.
        `known` is the digest of the known device, `failures` are wrong passwords before."""
        if person.type is StaffType.OWNER and await recovery_store.stop_recovery(tx, person.org):
            audit.note(tx, person.org, Act.RECOVERY_STOPPED, by=person.id, about=person.id)  # they have lost nothing
        arrival = await self._devices.arrive(tx, person, known)
        outside, after = not self.is_within(organisation), failures >= _MANY
        more: dict[str, Any] = ({"failures": failures} if after else {}) | ({"outside": True} if outside else {})
        act = Act.LOGIN_AFTER_FAILURES if after else Act.LOGIN
        audit.note(tx, person.org, act, by=person.id, about=person.id, amr=proved.amr, acr=proved.acr, **more)
        if arrival.news or outside:
            facts = {"network": "outside"} if outside else {}
            await self._messages.send_notice(tx, person, organisation, NoticeKind.NEW_DEVICE, **facts)
        if after:
            kind = NoticeKind.LOGIN_AFTER_FAILURES
            await self._messages.send_notice(tx, person, organisation, kind, failures=str(failures))
        tokens = await self._sessions.open(tx, person, organisation, proved, device=arrival.device)
        return msgspec.structs.replace(tokens, device=arrival.token)

    def _may_come_from_here(self, person: StaffRow, organisation: OrganisationRow) -> bool:
        """By now, as far as the owner goes; which factor they show is looked at when they have."""
        amr = ["otp"] if person.type is StaffType.OWNER else []
        return self._floor.admits_session(trace.source().ip, organisation.policy, person.type, amr)

    def is_within(self, organisation: OrganisationRow) -> bool:
        """Does whoever asks now come from where the organisation and the operator allow?"""
        return self._floor.admits(trace.source().ip, organisation.policy)
