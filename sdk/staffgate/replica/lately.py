"""What was known last: for reads alone, and only where nobody can be asked and the product wants that.

A second memory, which outlives the replica's own: that one is forgotten as soon as something may have been missed. What
is announced drops out of both, so whatever is known to have changed is in neither. And what was known before a time in
which nothing could be heard is not mixed with what is learnt after it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import ClassVar
from uuid import UUID

import msgspec

from staffgate.client import ServiceAway
from staffgate.contracts.authz import Heartbeat, PermissionsChanged, Target
from staffgate.contracts.level import DataAccess
from staffgate.decision import Catalogue, Question, Reason, Verdict
from staffgate.decision.actions import VIEW
from staffgate.decision.catalogue import LOGIN
from staffgate.mirror import Mirror, Part, Registry, Resolve, Standing
from staffgate.mirror.parts import Key
from staffgate.standings import carried

_ANSWERS = 1_000  # remembered: seldom is anybody asked twice here
_FOREVER = 2**62  # a revision that there never is
_WARN_EVERY = 5.0  # seconds

log = logging.getLogger("staffgate")


class StaleVerdict(msgspec.Struct, frozen=True):
    """The last known answer, which is `age` seconds old at most: for so long nothing was heard that would prove it."""

    verdict: Verdict
    age: float
    stale: ClassVar[bool] = True

    @property
    def allowed(self) -> bool:
        return self.verdict.allowed

    @property
    def reason(self) -> Reason:
        return self.verdict.reason

    @property
    def visible(self) -> bool:
        return self.verdict.visible

    @property
    def revision(self) -> int:
        return self.verdict.revision

    @property
    def rule(self) -> UUID | None:
        return self.verdict.rule

    @property
    def role(self) -> str | None:
        return self.verdict.role

    @property
    def target(self) -> Target | None:
        return self.verdict.target

    @property
    def reach(self) -> DataAccess | None:
        return self.verdict.reach


class Lately:
    def __init__(self, catalogue: Catalogue, now: Callable[[], float], *, size: int, seconds: float) -> None:
        self._now = now
        self._size = size
        self.seconds = seconds
        self._catalogue = catalogue
        self._present = self._new()
        self._before: Mirror | None = None  # of before the last time in which nothing was heard
        self._orgs: dict[Key, UUID] = {}
        self._given_unsaid = 0
        self._said_at = -_WARN_EVERY
        self.given = 0

    def _new(self) -> Mirror:
        return Mirror(
            _Nowhere(),
            self._catalogue,
            self._now,
            size=self._size,
            bound=self.seconds,
            answers=_ANSWERS,
            carried=carried,
        )

    # --- answering --------------------------------------------------------------------------------------------

    def decide(self, staff: UUID, question: Question, min_revision: int) -> StaleVerdict | None:
        """None where it is no read, or nothing is known, or what was known is too old or known to have changed."""
        if not is_read(self._catalogue, question.action):
            return None
        for mirror in self._mirrors():
            verdict = mirror.decide_now(staff, question, min_revision)
            if verdict is not None:
                age = mirror.stats.heartbeat_age or 0.0
                self._warn(age)
                return StaleVerdict(verdict, age)
        return None

    def _mirrors(self) -> list[Mirror]:
        return [self._present] if self._before is None else [self._present, self._before]

    def _warn(self, age: float) -> None:
        self.given += 1
        self._given_unsaid += 1
        if time.monotonic() - self._said_at >= _WARN_EVERY:
            log.warning(
                "authz can't be asked: %d reads were answered by what was last known, the last one %.1f s old",
                self._given_unsaid,
                age,
            )
            self._said_at, self._given_unsaid = time.monotonic(), 0

    # --- learning ---------------------------------------------------------------------------------------------

    async def noted(self, read: Callable[[], Awaitable[list[tuple[Key, Part]]]]) -> list[tuple[Key, Part]]:
        """What `read` gives, remembered here too."""
        found: list[tuple[Key, Part]] = []

        async def once(_resolve: Resolve) -> list[tuple[Key, Part]]:
            found.extend(await read())
            return found

        await self._present.fill(once)
        if len(self._orgs) > 2 * self._size:
            self._orgs.clear()
        for key, part in found:
            self._orgs[key] = part.org
            if self._before is not None:  # there is something newer of that organisation
                self._before.changed(part.org, None, (), part.revision)
        return found

    def answered(self, staff: UUID, question: Question, allowed: bool, revision: int) -> None:
        """authz said so. Where that is not what is known here, all that is known of the organisation is behind."""
        for mirror in self._mirrors():
            known = mirror.decide_now(staff, question)
            if known is not None and known.allowed != allowed:
                org = self._orgs.get(staff.int)
                if org is None or not revision:
                    mirror.forget()
                else:
                    mirror.changed(org, None, (), revision + 1)

    def gone(self, staff: UUID) -> None:
        """There is nobody of that id any more."""
        org = self._orgs.get(staff.int)
        if org is not None:
            for mirror in self._mirrors():
                mirror.changed(org, [staff], (), _FOREVER)

    def replace(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._before = None
        self._present.replace(catalogue)

    # --- hearing ----------------------------------------------------------------------------------------------

    def announced(self, event: PermissionsChanged) -> None:
        self._present.announced(event)
        if self._before is not None:  # which learns nothing new
            self._before.announced(msgspec.structs.replace(event, standings={}))

    def beaten(self, event: Heartbeat) -> None:
        self._present.beaten(event)
        if self._before is None:
            return
        if not event.complete or not self._before.stats.believed:
            self._before = None
            return
        for org, revision in event.revisions.items():
            self._before.changed(org, None, (), revision)

    def restored(self) -> None:
        """What is known by now is as old as it is, and is not proved by what is heard from now on."""
        if self._present.stats.size:
            self._before = self._present
        self._present = self._new()
        self._present.hearing()

    def forget(self) -> None:
        for mirror in self._mirrors():
            mirror.forget()


def is_read(catalogue: Catalogue, action: str) -> bool:
    """Whose base action is view: `sms.read` and `contacts.view`. To log in is no read, though it is one of them."""
    known = catalogue.actions.get(action)
    return known is not None and known.need == VIEW and known.name != LOGIN


class _Nowhere:
    """Nothing is loaded for this memory: it is told what the other one loads."""

    async def standing(self, staff: UUID, resolve: Resolve, at_least: int) -> Standing | None:
        raise ServiceAway("nothing is loaded here")

    async def registry(self, org: UUID, type: str, catalogue: Catalogue, at_least: int) -> Registry:
        raise ServiceAway("nothing is loaded here")
