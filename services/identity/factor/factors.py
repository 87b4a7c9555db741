"""Which second factors somebody can use: those that they have, as far as their organisation allows them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from services.identity.store.organisations import OrganisationRow
from services.identity.store.staff import StaffRow
from services.identity.telephone import masked
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import Factor, FactorKind, FactorRule

WEAKER = frozenset([FactorKind.SMS, FactorKind.EMAIL])


@dataclass(frozen=True)
class Asked:
    """What finishes a login. `enrol`: it only leads to a session in which a factor can be enrolled. `nothing`: the
    password is enough."""

    factors: list[Factor]
    enrol: bool = False
    nothing: bool = False

    @property
    def kinds(self) -> list[FactorKind]:
        return [factor.kind for factor in self.factors]

    def accepts(self, kind: FactorKind | None) -> bool:
        return self.nothing if kind is None else kind in self.kinds


def rule_of(person: StaffRow, organisation: OrganisationRow) -> FactorRule:
    """Administrators, the owner among them, have a rule of their own."""
    policy = organisation.policy
    return policy.standard if person.type is StaffType.STANDARD else policy.administrators


def is_required(person: StaffRow, organisation: OrganisationRow) -> bool:
    """Of administrators always, whatever was set."""
    return person.type is not StaffType.STANDARD or rule_of(person, organisation).required


def allowed(person: StaffRow, organisation: OrganisationRow) -> list[FactorKind]:
    """A weak factor only beside a strong one that everybody can have (ASVS 6.6.1)."""
    kinds = rule_of(person, organisation).allowed
    return kinds if FactorKind.TOTP in kinds else [kind for kind in kinds if kind not in WEAKER]


def usable(person: StaffRow, organisation: OrganisationRow, enrolled: Collection[FactorKind]) -> list[Factor]:
    """The strongest first. `enrolled`: of passkeys and recovery codes, what the person has."""
    kinds = allowed(person, organisation)
    return [factor for factor in had(person, enrolled) if factor.kind in kinds]


def asked(person: StaffRow, organisation: OrganisationRow, enrolled: Collection[FactorKind]) -> Asked:
    """Where no second factor is required, only who has enrolled one is asked for it: an e-mail address has everybody."""
    offered = usable(person, organisation, enrolled)
    if not is_required(person, organisation) and all(factor.kind is FactorKind.EMAIL for factor in offered):
        return Asked([], nothing=True)
    return Asked(offered) if offered else Asked(to_enrol_by(person), enrol=True)


def to_enrol_by(person: StaffRow) -> list[Factor]:
    """What has to do for somebody who has no factor that is allowed, until they have enrolled one: the address that
    their activation has confirmed."""
    return [_email(person)] if person.email_confirmed_at else []


def masked_email(email: str) -> str:
    name, _, domain = email.rpartition("@")
    return f"{name[:1]}***@{domain}"


def had(person: StaffRow, enrolled: Collection[FactorKind]) -> list[Factor]:
    """Allowed or not, the strongest first. A code goes to an address or number only that was confirmed."""
    found = [Factor(kind=FactorKind.PASSKEY)] if FactorKind.PASSKEY in enrolled else []
    found += [Factor(kind=FactorKind.TOTP)] if person.totp_confirmed_at else []
    found += [Factor(kind=FactorKind.RECOVERY)] if FactorKind.RECOVERY in enrolled else []
    if person.mobile and person.mobile_confirmed_at:
        found.append(Factor(kind=FactorKind.SMS, hint=masked(person.mobile), strength="weaker"))
    if person.email_confirmed_at:
        found.append(_email(person))
    return found


def _email(person: StaffRow) -> Factor:
    return Factor(kind=FactorKind.EMAIL, hint=masked_email(person.email), strength="weaker")
