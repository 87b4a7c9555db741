"""The security settings of an organisation. The platform's bounds can be tightened, never widened."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from staffgate.contracts.identity.names import FactorKind

_ALL = [FactorKind.PASSKEY, FactorKind.TOTP, FactorKind.RECOVERY, FactorKind.SMS, FactorKind.EMAIL]
_STRONG = [FactorKind.PASSKEY, FactorKind.TOTP, FactorKind.RECOVERY]


class FactorRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`allowed` always holds the authenticator app: who may use a weak factor is offered a strong one too."""

    required: bool = True
    allowed: list[FactorKind] = msgspec.field(default_factory=lambda: [*_STRONG])


class PasswordRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`expires_days` and `history` are against SP 800-63B-4 section 3.1.1.2, and off unless an organisation turns them on."""

    minimum: Annotated[int, Meta(ge=8, le=64)] = 8
    history: Annotated[int, Meta(ge=0, le=24, description="how many of the last passwords can't be used again")] = 0
    expires_days: Annotated[int, Meta(ge=30, le=730)] | None = None


class LockRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An account locks after so many wrong passwords in a row, for so many minutes or until somebody unlocks it."""

    after: Annotated[int, Meta(ge=3, le=100)] | None = None
    minutes: Annotated[int, Meta(ge=1, le=1440)] | None = 30


class SessionRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """SP 800-63B-4 section 2.2.3: an hour without activity, a day altogether."""

    idle_minutes: Annotated[int, Meta(ge=5, le=60)] = 60
    absolute_hours: Annotated[int, Meta(ge=1, le=24)] = 24


Networks = Annotated[list[Annotated[str, Meta(max_length=50)]], Meta(max_length=200)]


class SecurityPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Empty `networks` let in from everywhere. Administrators have no weak factor unless the organisation allows it."""

    administrators: FactorRule = FactorRule()
    standard: FactorRule = FactorRule(allowed=[*_ALL])
    password: PasswordRule = PasswordRule()
    lock: LockRule = LockRule()
    session: SessionRule = SessionRule()
    networks: Networks = []


class SetSecurity(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All of it, so that nothing is loosened by being left out. `confirm_lockout`: save also networks that the caller is
    not in now, and so can't come in from."""

    administrators: FactorRule
    standard: FactorRule
    password: PasswordRule
    lock: LockRule
    session: SessionRule
    networks: Networks
    confirm_lockout: bool = False


class SecuritySettings(SecurityPolicy, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`deviations` says of what is turned on where it departs from a standard; `floor` are the operator's networks,
    which hold as well."""

    deviations: list[str]
    floor: list[str]
