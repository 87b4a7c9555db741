"""Which second factors somebody can use: those that they have, as far as their organisation allows them."""

from __future__ import annotations

from collections.abc import Collection

from services.identity.store.organisations import OrganisationRow
from services.identity.store.staff import StaffRow
from services.identity.telephone import masked
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import Factor, FactorKind, FactorRule


def rule_of(person: StaffRow, organisation: OrganisationRow) -> FactorRule:
    """Administrators, the owner among them, have a rule of their own."""
    policy = organisation.policy
    return policy.standard if person.type is StaffType.STANDARD else policy.administrators


def usable(person: StaffRow, organisation: OrganisationRow, enrolled: Collection[FactorKind]) -> list[Factor]:
    """The strongest first. `enrolled`: of passkeys and recovery codes, what the person has."""
    allowed = rule_of(person, organisation).allowed
    return [factor for factor in _had(person, enrolled) if factor.kind in allowed]


def to_enrol_by(person: StaffRow) -> list[Factor]:
    """What has to do for somebody who has no factor that is allowed, until they have enrolled one: the address that
    their activation has confirmed."""
    return [_email(person)] if person.email_confirmed_at else []


def _had(person: StaffRow, enrolled: Collection[FactorKind]) -> list[Factor]:
    """A code goes to an address or number only that was confirmed."""
    had = [Factor(kind=FactorKind.PASSKEY)] if FactorKind.PASSKEY in enrolled else []
    had += [Factor(kind=FactorKind.TOTP)] if person.totp_confirmed_at else []
    had += [Factor(kind=FactorKind.RECOVERY)] if FactorKind.RECOVERY in enrolled else []
    if person.mobile and person.mobile_confirmed_at:
        had.append(Factor(kind=FactorKind.SMS, hint=masked(person.mobile)))
    if person.email_confirmed_at:
        had.append(_email(person))
    return had


def _email(person: StaffRow) -> Factor:
    name, _, domain = person.email.rpartition("@")
    return Factor(kind=FactorKind.EMAIL, hint=f"{name[:1]}***@{domain}")
