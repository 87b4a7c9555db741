"""The people of the worked examples, made of few words."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from staffgate.contracts.authz import BaseAction, Entry, Grant, Role, Target
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import StaffStatus
from staffgate.contracts.level import AccessLevel, DataAccess, Level
from staffgate.decision import (
    Catalogue,
    Facts,
    Holding,
    Organisation,
    ProductAccess,
    Question,
    Snapshot,
    Verdict,
    decide,
    resolve,
    shipped,
)

CATALOGUE = Catalogue.from_manifests(shipped())
# Two contracts and two tenants. Only the first contract carries SMS.
ORGANISATION = Organisation({"7": ("telephony", "sms", "contacts"), "8": ("telephony", "contacts")}, ("acme", "beta"))


def grant(number: int, level: str, section: str, *, feature: str | None = None, item: str | None = None) -> Grant:
    target = Target(section=section, feature=feature, item=item)
    return Grant(id=UUID(int=number), target=target, level=Level(level))


def held(number: int, data_access: str, *entries: tuple[Target, str], id: str = "role", **where: Any) -> Holding:
    """A role in somebody's hands. Each entry is a target, and the actions by name with spaces between."""
    return Holding(id=UUID(int=number), role=role(id, data_access, *entries), **where)


def role(id: str, data_access: str, *entries: tuple[Target, str], builds_on: Role | None = None) -> Role:
    allowed = tuple(Entry(target=target, actions=_actions(actions)) for target, actions in entries)
    return Role(id=id, name=id, data_access=DataAccess(data_access), entries=allowed, builds_on=builds_on)


def _actions(names: str) -> tuple[BaseAction, ...]:
    return tuple(names.split())  # type: ignore[arg-type]


def access(number: int, level: str, product: str, contract: str = "7") -> ProductAccess:
    return ProductAccess(id=UUID(int=number), contract=contract, product=product, level=AccessLevel(level))


def person(*grants: Grant, default: str = "deny", **changes: Any) -> Snapshot:
    known: dict[str, Any] = {
        "staff": UUID(int=99),
        "revision": 7,
        "org_active": True,
        "type": StaffType.STANDARD,
        "status": StaffStatus.ACTIVE,
        "default_level": Level(default),
        "grants": grants,
        "organisation": ORGANISATION,
    }
    return resolve(Facts(**(known | changes)), CATALOGUE)


def ask(who: Snapshot, action: str, resource: str, **properties: Any) -> Verdict:
    """`resource` as `inbox:sales`, or `section:sms`."""
    kind, _, name = resource.partition(":")
    verdict = decide(who, CATALOGUE, Question(action, kind, name, properties))
    assert verdict.revision == who.revision
    return verdict


def to(element: str) -> dict[str, str]:
    """A destination, for `call.route`."""
    kind, _, name = element.partition(":")
    return {"type": kind, "id": name}
