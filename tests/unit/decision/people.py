"""The people of the worked examples, made of few words."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from staffgate.contracts.authz import Grant, Target
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import StaffStatus
from staffgate.contracts.level import Level
from staffgate.decision import Catalogue, Facts, Question, Snapshot, Verdict, decide, resolve, shipped

CATALOGUE = Catalogue.from_manifests(shipped())


def grant(number: int, level: str, section: str, *, feature: str | None = None, item: str | None = None) -> Grant:
    target = Target(section=section, feature=feature, item=item)
    return Grant(id=UUID(int=number), target=target, level=Level(level))


def person(*grants: Grant, default: str = "deny", **changes: Any) -> Snapshot:
    known: dict[str, Any] = {
        "staff": UUID(int=99),
        "revision": 7,
        "org_active": True,
        "type": StaffType.STANDARD,
        "status": StaffStatus.ACTIVE,
        "default_level": Level(default),
        "grants": grants,
    }
    return resolve(Facts(**(known | changes)), CATALOGUE)


def ask(who: Snapshot, action: str, resource: str, **properties: Any) -> Verdict:
    """`resource` as `inbox:sales`, or `section:sms`."""
    kind, _, name = resource.partition(":")
    return decide(who, CATALOGUE, Question(action, kind, name, properties))


def to(element: str) -> dict[str, str]:
    """A destination, for `call.route`."""
    kind, _, name = element.partition(":")
    return {"type": kind, "id": name}
