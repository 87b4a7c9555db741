"""The one way in which permissions are changed (permission model, section 6): judged, made, recorded and told together.

A list of changes is made in one transaction that holds the organisation, so that what is judged by is what is there.
What everybody concerned has before and after is compared with what the giver has: what a change brings to light (a
denial that goes, a team that moves) is handed out just like a grant.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import msgspec

from services.authz import audit, delegation, placements, revisions, rules
from services.authz.arrivals import Arrivals
from services.authz.facts import dossiers_of
from services.authz.store import revisions as revision_store
from services.authz.store import subjects as subject_store
from services.authz.work import Work, begin, etag_of
from shared.db import Database
from shared.errors import Forbidden, NotFound, Refusal, Unavailable
from shared.preconditions import require_match
from staffgate.contracts.administration import Made, Outcome, Preview
from staffgate.contracts.caller import Person
from staffgate.contracts.changes import Change
from staffgate.decision import Catalogue

_MOST_TOLD = 1000  # people named in one announcement; more than that, and everybody is meant
_MOST_COMPARED = 2000  # people in one preview, or judged by what a giver has

# The organisation, whose permissions are not what they were (None: anybody's), no item type, and since which revision.
Told = Callable[[UUID, Collection[UUID] | None, Collection[str], int], None]


class _Undone(Exception):
    """Leaves the transaction of a preview: nothing of it stays."""

    def __init__(self, preview: Preview) -> None:
        super().__init__()
        self.preview = preview


class _Progress:
    """How far a list of changes came. Of one that was refused the change that was at fault is recorded, or all of them
    where it is what they come to together."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self.changes = list(changes)
        self.refused = self.changes


class One(msgspec.Struct, frozen=True):
    """What a single change came to: what it is about as it is now, and since which revision."""

    after: Any
    revision: int
    etag: str | None


class Changes:
    def __init__(self, db: Database, catalogue: Callable[[], Catalogue], arrivals: Arrivals, told: Told) -> None:
        self._db = db
        self._catalogue = catalogue
        self._arrivals = arrivals
        self._told = told

    async def make(
        self, caller: Person, ip: str, changes: Sequence[Change], *, if_match: str | None = None
    ) -> tuple[Made, str | None]:
        """All of them or none; and the new ETag of what the change is about, where one was expected.

        A change that alters nothing raises no revision and is not recorded.
        """
        progress = _Progress(changes)
        try:
            made, etag, people = await self._arrivals.until_here(
                _named(caller, changes), lambda: self._made(caller, ip, changes, if_match, progress)
            )
        except Unavailable:  # not refused: it is to come again
            raise
        except Refusal as refusal:
            await self._note_refused(caller, ip, progress.refused, refusal)
            raise
        if people is None or people:
            self._told(caller.org, people, (), made.revision)
        return made, etag

    async def one(self, caller: Person, ip: str, change: Change, if_match: str | None = None) -> One:
        """A single change."""
        made, etag = await self.make(caller, ip, [change], if_match=if_match)
        return One(made.outcomes[0].after, made.revision, etag)

    async def preview(self, caller: Person, changes: Sequence[Change]) -> Preview:
        """What they would come to. They are made, compared and undone: the answer is exact, and nothing was changed."""
        return await self._arrivals.until_here(_named(caller, changes), lambda: self._tried(caller, changes))

    async def _made(
        self, caller: Person, ip: str, changes: Sequence[Change], if_match: str | None, progress: _Progress
    ) -> tuple[Made, str | None, list[UUID] | None]:
        async with self._held(caller, changes) as work:
            tx = work.tx
            if if_match is not None:
                await _compare(work, changes[0], if_match)
            await _apply(work, changes, progress)
            await delegation.judge(work)
            revision = work.dossier.everything.revision
            people: list[UUID] | None = []
            if any(outcome.before != outcome.after for outcome in work.outcomes):
                people = _people(work)
                entries = audit.made(work, ip, changes)
                revision = await revisions.raised(tx, caller.org, people, entries=entries, standings=True)
                await placements.tell(tx, caller.org, work.renamed, revision)
            etag = None if if_match is None else await _etag_after(work, changes[0])
        return Made(outcomes=work.outcomes, revision=revision), etag, people

    async def _tried(self, caller: Person, changes: Sequence[Change]) -> Preview:
        try:
            async with self._held(caller, changes) as work:
                await _apply(work, changes, _Progress(changes), shown=True)
                await delegation.judge(work)
                people = await delegation.differences(work)
                raise _Undone(Preview(outcomes=work.outcomes, people=people, revision=work.dossier.everything.revision))
        except _Undone as undone:
            return undone.preview

    @asynccontextmanager
    async def _held(self, caller: Person, changes: Sequence[Change]) -> AsyncIterator[Work]:
        """A transaction that holds the organisation, with what is known of those whom the changes name."""
        async with self._db.begin(caller.org, first=revision_store.hold(caller.org)) as tx:
            yield await begin(tx, caller, self._catalogue(), _named(caller, changes))

    async def _note_refused(self, caller: Person, ip: str, changes: Sequence[Change], refusal: Refusal) -> None:
        """In a transaction of its own: the one of the changes is undone."""
        async with self._db.begin(caller.org) as tx:
            if await revision_store.revision(tx, caller.org) is not None:
                await audit.note_refused(tx, caller, ip, changes, refusal.code)


async def _apply(work: Work, changes: Sequence[Change], progress: _Progress, *, shown: bool = False) -> None:
    for change in changes:
        progress.refused = [change]
        rule = rules.RULES[type(change)]
        await rule.gate(work, change)
        await _remember(work, await rule.affects(work, change), judged=rule.judged, shown=shown)
        renamed = await rule.renames(work, change) if rule.renames and not shown else ()
        before, after = await rule.apply(work, change)
        work.renamed |= set(renamed)
        if not rule.judged:
            await work.renew()
        work.outcomes.append(Outcome(kind=rules.kind(change), before=before, after=after))
    progress.refused = progress.changes


async def _remember(work: Work, affected: Collection[UUID] | None, *, judged: bool, shown: bool) -> None:
    """What the people have whom the next change affects. They were affected by none before it, or are here already."""
    if affected is None:
        work.everybody = True
    work.affected |= set(affected or ())
    if shown and affected is None:
        affected = await subject_store.everybody(work.tx, work.org, _MOST_COMPARED + 1)
    if shown or (judged and not work.has_all):
        work.before |= {id: work.known[id] for id in affected or () if id not in work.before and work.knows(id)}
        missing = set(affected or ()) - work.before.keys()
        if len(missing) + len(work.before) > _MOST_COMPARED:
            detail = f"This concerns more than {_MOST_COMPARED} people; an owner or administrator makes it, unseen."
            raise Forbidden("too_many_people", detail)
        work.before |= await dossiers_of(work.tx, work.org, missing) if missing else {}


def _people(work: Work) -> list[UUID] | None:
    return None if work.everybody or len(work.affected) > _MOST_TOLD else sorted(work.affected)


async def _compare(work: Work, change: Change, if_match: str) -> None:
    if if_match.strip() != "*":
        require_match(if_match, await _etag(work, change))


async def _etag(work: Work, change: Change) -> str | None:
    shown: Any = rules.RULES[type(change)].shown
    return None if shown is None else etag_of(await shown(work, change))


async def _etag_after(work: Work, change: Change) -> str | None:
    """None where there is nothing left to be shown."""
    try:
        return await _etag(work, change)
    except NotFound:
        return None


def _named(caller: Person, changes: Sequence[Change]) -> set[UUID]:
    """Everybody whom the request names: identity may have made them a moment ago."""
    return {caller.staff, *(staff for change in changes for staff in audit.named(change))}
