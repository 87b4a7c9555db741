"""Decisions (permission model, section 7) in the form of OpenID AuthZEN 1.0: one question, and which items."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from services.authz import items
from services.authz.arrivals import Arrivals, NotArrived
from services.authz.facts import Standing
from services.authz.snapshots import Snapshots
from shared.db import Database
from shared.errors import Forbidden, Invalid, Unavailable
from staffgate.contracts.authz import (
    Decision,
    Evaluation,
    FoundResource,
    Permissions,
    ResourceSearch,
    ResourcesFound,
    SectionPermissions,
    Subject,
)
from staffgate.contracts.caller import Caller, Person
from staffgate.decision import Catalogue, Question, Verdict, decide, search, stranger, tree

_SUBJECT = "staff"
_REVISION_WAIT = 1.0  # seconds; longer, and the asker's own deadline passes


class _Demands(msgspec.Struct, frozen=True):
    """What we read of a question's context; the rest of it is the product's."""

    min_revision: Annotated[int, Meta(ge=0, le=2**53)] = 0
    explain: bool = False


class Decisions:
    def __init__(self, db: Database, catalogue: Catalogue, snapshots: Snapshots, arrivals: Arrivals) -> None:
        self._db = db
        self._catalogue = catalogue
        self._snapshots = snapshots
        self._arrivals = arrivals

    async def evaluate(self, caller: Caller, asked: Evaluation) -> Decision:
        """Never an exception and never an allow for what is not known."""
        staff, demands = _about(caller, asked.subject), _demands(asked.context)
        standing = await self._standing(staff, demands.min_revision)
        snapshot = stranger(0) if standing is None else standing.snapshot
        verdict = decide(snapshot, self._catalogue, Question.of(asked))
        return Decision(decision=verdict.allowed, context=_explained(verdict) if demands.explain else None)

    async def find(self, caller: Caller, asked: ResourceSearch) -> ResourcesFound:
        """The registered items of a type on which the action is allowed."""
        staff, demands = _about(caller, asked.subject), _demands(asked.context)
        standing = await self._standing(staff, demands.min_revision)
        type = asked.resource.type
        if standing is None or type not in self._catalogue.holders:
            return ResourcesFound(results=[])
        async with self._db.begin(standing.org) as tx:
            known = await items.items_of(tx, standing.org, type)
        properties = {**asked.resource.properties, **asked.action.properties}
        found = search(standing.snapshot, self._catalogue, asked.action.name, known, properties)
        return ResourcesFound(
            results=[
                FoundResource(type=item.type, id=item.id, properties={"label": item.label, "section": item.section})
                for item in found
            ]
        )

    async def permissions(self, caller: Person) -> Permissions:
        """The caller's own, section by section."""
        standing = await self._standing(caller.staff, 0)
        snapshot = stranger(0) if standing is None else standing.snapshot
        sections = msgspec.convert(tree(snapshot, self._catalogue), list[SectionPermissions], from_attributes=True)
        return Permissions(revision=snapshot.revision, sections=sections)

    async def _standing(self, staff: UUID | None, at_least: int) -> Standing | None:
        standing = None if staff is None else await self._snapshots.of(staff)
        if staff is None or standing is None or standing.snapshot.revision >= at_least:
            return standing
        return await self._arrivals.until_here(
            [standing.org], lambda: self._newer(staff, at_least), seconds=_REVISION_WAIT
        )

    async def _newer(self, staff: UUID, at_least: int) -> Standing | None:
        """An answer at an older revision is never given (section 7)."""
        standing = await self._snapshots.anew(staff)
        if standing is not None and standing.snapshot.revision < at_least:
            detail = f"The organisation is at revision {standing.snapshot.revision}, and {at_least} was demanded."
            raise NotArrived(Unavailable("revision_not_reached", detail))
        return standing


def _about(caller: Caller, subject: Subject) -> UUID | None:
    """Whom the question is about, None where that is nobody. People ask about themselves only."""
    staff = _staff(subject)
    if isinstance(caller, Person) and staff != caller.staff:
        raise Forbidden("others", "You may ask about yourself only; product services ask about everybody.")
    return staff


def _staff(subject: Subject) -> UUID | None:
    try:
        return UUID(subject.id) if subject.type == _SUBJECT else None
    except ValueError:
        return None


def _demands(context: dict[str, Any]) -> _Demands:
    try:
        return msgspec.convert(context, _Demands)
    except msgspec.ValidationError as fault:
        what, _, at = str(fault).partition(" - at `$")
        raise Invalid("invalid", f"{what} (body).", at=f"$.context{at.rstrip('`')}") from fault


def _explained(verdict: Verdict) -> dict[str, Any]:
    return {
        "reason": verdict.reason,
        "rule": verdict.rule,
        "target": verdict.target,
        "revision": verdict.revision,
        "visible": verdict.visible,
    }
