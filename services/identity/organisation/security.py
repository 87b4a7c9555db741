"""An organisation's security settings: which factors, passwords, locks, sessions and networks it wants.

Within the platform's bounds, which it can tighten and never widen. Where a setting departs from a standard, the answer
says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import msgspec

from services.identity import networks
from services.identity.authority import require_administrator
from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.networks import Floor
from services.identity.session.sessions import Sessions, require_live
from services.identity.store import organisations as organisation_store
from services.identity.store import security as store
from services.identity.store import sessions as session_store
from services.identity.store import staff as staff_store
from services.identity.store.organisations import OrganisationRow
from shared import trace
from shared.db import Database, Tx
from shared.errors import Conflict, Invalid, NotFound, PreconditionFailed
from shared.freshness import require_fresh
from staffgate.contracts.caller import Person
from staffgate.contracts.identity import FactorKind, SecurityPolicy, SecuritySettings, SetSecurity

_WEAK = {
    FactorKind.EMAIL: "codes by e-mail are no out-of-band factor (SP 800-63B-4, 3.1.3.1; ASVS 6.6.1)",
    FactorKind.SMS: "codes by SMS are restricted (SP 800-63B-4, 3.1.3.3; ASVS 6.6.1)",
}


class Security:
    def __init__(self, db: Database, sessions: Sessions, floor: Floor) -> None:
        self._db = db
        self._sessions = sessions
        self._floor = floor

    async def show(self, caller: Person) -> tuple[SecuritySettings, str]:
        """With its ETag."""
        require_administrator(caller)
        async with self._db.begin(caller.org) as tx:
            policy = _found(await organisation_store.organisation(tx, caller.org)).policy
        return self._shown(policy), _etag(policy)

    async def save(self, caller: Person, wanted: SetSecurity, if_match: str | None) -> tuple[SecuritySettings, str]:
        """From the commit on; sessions of people who are outside the new networks are over with it."""
        require_administrator(caller)
        require_fresh(caller, self._db.clock)
        new = _checked(wanted)
        if not wanted.confirm_lockout:
            _require_inside(new)
        async with self._db.begin(caller.org) as tx:
            # Before the organisation, as by a recovery of its owner, which ends sessions and empties the networks.
            await staff_store.lock_administrators(tx, caller.org)
            await require_live(tx, caller, self._db.clock.now())
            old = _found(await organisation_store.lock_organisation(tx, caller.org)).policy
            if if_match is not None and if_match.strip() not in ("*", _etag(old)):
                detail = "The settings were changed since you read them; read them again, and decide anew."
                raise PreconditionFailed("settings_changed", detail)
            if new != old:
                await store.set_security(tx, caller.org, new)
                audit.note(tx, caller.org, Act.SECURITY_CHANGED, by=caller, changed=[*changes(old, new)])
            if new.networks != old.networks:
                await self._end_outside(tx, caller.org, new)
        return self._shown(new), _etag(new)

    async def _end_outside(self, tx: Tx, org: UUID, policy: SecurityPolicy) -> None:
        """Of those who are elsewhere now it shows at their next request; here go those who were when they came."""
        for session in await session_store.live_sessions_in(tx, org, self._db.clock.now()):
            if not self._floor.admits_session(session.ip, policy, session.type, session.amr):
                await self._sessions.end(tx, org, session.staff, [session.id], "network")

    def _shown(self, policy: SecurityPolicy) -> SecuritySettings:
        floor = [*self._floor.networks]
        return SecuritySettings(**msgspec.structs.asdict(policy), deviations=[*deviations(policy)], floor=floor)


def deviations(policy: SecurityPolicy) -> Iterator[str]:
    """Where these settings depart from a standard."""
    if policy.password.expires_days is not None:
        yield "password.expires_days: passwords shall not be changed periodically (SP 800-63B-4, 3.1.1.2; ASVS 6.2.10)"
    for name, rule in (("administrators", policy.administrators), ("standard", policy.standard)):
        for kind, why in _WEAK.items():
            if kind in rule.allowed:
                yield f"{name}.allowed: {why}"
    if not policy.standard.required:
        yield "standard.required: a password alone is AAL1 (SP 800-63B-4, 2.1); it has at least 15 characters then"


def changes(old: SecurityPolicy, new: SecurityPolicy) -> Iterator[str]:
    """What is different, a line each."""
    before, after = dict(_flat(msgspec.to_builtins(old))), dict(_flat(msgspec.to_builtins(new)))
    for name, value in after.items():
        if before[name] != value:
            yield f"{name}: {_words(before[name])} -> {_words(value)}"


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _words(value: object) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value).lower()


def _checked(wanted: SetSecurity) -> SecurityPolicy:
    """What the types do not say. Networks in one form, each once."""
    if not wanted.administrators.required:
        detail = "Administrators always need a second factor; only for standard users it can be left to them."
        raise Invalid("factor_required", detail, at="$.administrators.required")
    for name, rule in (("administrators", wanted.administrators), ("standard", wanted.standard)):
        if FactorKind.TOTP not in rule.allowed:
            detail = "The authenticator app is always allowed: everybody can have one, and it is a strong factor."
            raise Invalid("totp_missing", detail, at=f"$.{name}.allowed")
    values = {name: getattr(wanted, name) for name in SecurityPolicy.__struct_fields__}
    values["networks"] = [*dict.fromkeys(_network(text, at) for at, text in enumerate(wanted.networks))]
    return SecurityPolicy(**values)


def _network(text: str, at: int) -> str:
    try:
        return str(networks.parse(text))
    except ValueError as fault:
        detail = f"{text!r} is no network; write an address or CIDR, for example 192.0.2.0/24 or 2001:db8::/48."
        raise Invalid("network_invalid", detail, at=f"$.networks[{at}]") from fault


def _require_inside(policy: SecurityPolicy) -> None:
    ip = trace.source().ip
    if not networks.within(ip, policy.networks):
        detail = f"You come from {ip}, which these networks leave out: you could not come in again from there. Add it, or send confirm_lockout."
        raise Conflict("would_lock_out", detail, address=ip)


def _etag(policy: SecurityPolicy) -> str:
    return f'"{hashlib.sha256(msgspec.json.encode(policy)).hexdigest()[:32]}"'


def _found(row: OrganisationRow | None) -> OrganisationRow:
    if row is None:
        raise NotFound("not_found", "There is no such organisation.")
    return row
