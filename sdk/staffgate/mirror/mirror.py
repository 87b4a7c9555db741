"""What this process knows of everybody's permissions, and never later than `bound` seconds behind.

Announcements of changes come to every process, and heartbeats prove that none is missing. What an announcement concerns
is dropped at once, and loaded when it is next asked for; while nothing can be heard nothing is remembered, and each
question goes to the source.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence, Set
from functools import partial
from uuid import UUID

from staffgate.contracts.authz import Heartbeat, PermissionsChanged
from staffgate.decision import Catalogue, Question, Shared, Verdict, resolve
from staffgate.mirror.answers import Answer, Answers, Words, wording
from staffgate.mirror.asking import Asking, Missing, Used, lasting, missing_of
from staffgate.mirror.cache import Cache
from staffgate.mirror.loads import Load, Loads, seen
from staffgate.mirror.parts import NOBODY, Carried, Key, Part, Registry, Resolve, Source, Standing, keys, nothing
from staffgate.mirror.pulse import Pulse
from staffgate.mirror.stats import Stats

# What is still missing after this attempt, each with the revision that it must have reached.
Attempt = Callable[[Asking, float], dict[Key, int]]

ANSWERS = 50_000
_ROUNDS = 8  # each loads what is missing; three are usual, more only while changes come in between


class NotReached(Exception):
    """The organisation is at `revision`, which is before the one that was demanded."""

    def __init__(self, revision: int, org: UUID) -> None:
        super().__init__(f"the organisation is at revision {revision}")
        self.revision = revision
        self.org = org


class Mirror:
    def __init__(
        self,
        source: Source,
        catalogue: Catalogue,
        now: Callable[[], float],
        *,
        size: int,
        bound: float,
        patience: float = 1.0,
        answers: int = ANSWERS,
        carried: Carried = nothing,
    ) -> None:
        """`now` is in seconds since 1970, `size` in people; `patience` is for announcements that a heartbeat overtook.
        So many `answers` are remembered besides, some 400 bytes each. `carried` reads what an announcement says of
        somebody."""
        self._carried = carried
        self._source = source
        self._now = now
        self._pulse = Pulse(bound, patience)
        self._answers = Answers(answers, self._pulse)
        self._by_words = self._answers.by_words
        self._cache = Cache(size, self._answers)
        self._loads = Loads()
        self._deaf = True  # until somebody says otherwise
        # Told before everything is: what is remembered, and when at the latest it was believed.
        self.forgetting: Callable[[Cache, float], None] = lambda _cache, _at: None
        self._replaced = 0
        self._install(catalogue)
        self._hits = self._misses = self._bypassed = self._begun = self._dropped = self._gaps = 0

    @property
    def catalogue(self) -> Catalogue:
        return self._catalogue

    def replace(self, catalogue: Catalogue) -> None:
        """Another catalogue: nobody's snapshot is any good for it."""
        self.forget()
        self._replaced += 1
        self._install(catalogue)

    def _install(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._resolve = partial(resolve, catalogue=catalogue, shared=Shared())
        self._from_memory = Asking(self._cache, catalogue)

    # --- asking -----------------------------------------------------------------------------------------------

    def decide_now(self, staff: UUID, question: Question, min_revision: int = 0) -> Verdict | None:
        """From memory alone; None where something has to be loaded."""
        words = wording(staff.int, question)
        known = None if words is None else self.recall(words)
        if known is not None and known.verdict.snapshot.revision >= min_revision:
            return known.verdict
        return self._decided(staff.int, question, words, min_revision)

    def decide_anew(
        self, staff: UUID, question: Question, min_revision: int = 0, *, tried: Words | None = None
    ) -> Verdict | None:
        """The same for who has tried `recall` already: in the question's own words, or in those `tried`."""
        words = wording(staff.int, question)
        if tried is not None and words is not None and words != tried:
            return self.decide_now(staff, question, min_revision)
        return self._decided(staff.int, question, words, min_revision)

    def _decided(self, staff: int, question: Question, words: Words | None, min_revision: int) -> Verdict | None:
        now, pulse = self._now(), self._pulse
        if not pulse.since <= now < pulse.until and not self._believed(now):
            return None
        used: Used = []
        try:
            verdict = self._from_memory.answer(staff, question, min_revision, now, used)
        except Missing:
            return None
        self._hits += 1
        if words is not None and self._cache.lasts(staff) and lasting(used):
            self._answers.put(words, verdict, used)
        return verdict

    def recall(self, words: Words) -> Answer | None:
        """What was answered to the same before, where it is right still; None says nothing."""
        answer = self._by_words.get(words)
        if answer is None:
            answer = self._answers.alike(words)
            if answer is None:
                return None
        pulse = answer.ground.pulse
        if not pulse.since <= self._now() < pulse.until:
            return None
        self._hits = hits = self._hits + 1
        if not hits & 31:
            self._touch(words[0], 1)
        return answer

    def recall_all(self, staff: int, asked: Iterable[tuple[str, str, str]]) -> list[Answer | None]:
        """The same of many questions about one person, each in so many words: their number and its own. One look at the clock
        is enough, and a call for each takes as long as all the rest."""
        get, now, found, hits = self._by_words.get, self._now(), list[Answer | None](), self._hits
        for own in asked:
            words = (staff, *own)
            answer = get(words) or self._answers.alike(words)
            if answer is not None:
                pulse = answer.ground.pulse
                if pulse.since <= now < pulse.until:
                    hits += 1
                else:
                    answer = None
            found.append(answer)
        turns, self._hits = (hits >> 5) - (self._hits >> 5), hits
        if turns:
            self._touch(staff, turns)
        return found

    def _touch(self, staff: int, turns: int) -> None:
        """What is used stays: with every 32nd answer one part of the person, since some people's are made from fifty."""
        used, turn = (staff, *self._answers.people[staff].used), self._hits >> 5
        for at in range(turn - min(turns, len(used)), turn):
            self._cache.touch(used[(at + 1) % len(used)])

    async def decide(self, staff: UUID, question: Question, min_revision: int = 0) -> Verdict:
        """Denied by the verdict of a stranger where nobody of that id is known. Raises NotReached."""
        verdict = self.decide_now(staff, question, min_revision)
        if verdict is None:
            [verdict] = await self.decide_all(staff, [question], min_revision)
        return verdict

    async def decide_all(self, staff: UUID, questions: Sequence[Question], min_revision: int = 0) -> list[Verdict]:
        """Many questions about one person: what is missing is loaded once for all of them. Raises NotReached."""
        verdicts: dict[int, Verdict] = {}

        def attempt(asking: Asking, now: float) -> dict[Key, int]:
            missing: dict[Key, int] = {}
            for number, question in enumerate(questions):
                if number not in verdicts:
                    try:
                        verdicts[number] = asking.answer(staff.int, question, min_revision, now)
                    except Missing as part:
                        missing[part.key] = max(part.at_least, missing.get(part.key, 0))
            return missing

        await self._settle(attempt, min_revision)
        return [verdicts[number] for number in range(len(questions))]

    async def standing(self, staff: UUID, min_revision: int = 0) -> Standing | None:
        """None where there is nobody of that id. Raises NotReached."""
        found: list[Standing] = []

        def attempt(asking: Asking, now: float) -> dict[Key, int]:
            return missing_of(lambda: found.append(asking.standing(staff.int, min_revision, now)))

        await self._settle(attempt, min_revision)
        return None if found[0] is NOBODY else found[0]

    async def registry(self, org: UUID, type: str, min_revision: int = 0) -> Registry:
        """By the present name of the type or a former one; empty for a type that there is not. Raises NotReached."""
        found: list[Registry] = []

        def attempt(asking: Asking, now: float) -> dict[Key, int]:
            return missing_of(lambda: found.append(asking.registry(org, type, min_revision, now)))

        await self._settle(attempt, min_revision)
        return found[0]

    async def _settle(self, attempt: Attempt, min_revision: int) -> None:
        """Load what is missing, until nothing is."""
        asking, replaced = Asking(None, self._catalogue), self._replaced
        for number in range(_ROUNDS):
            now = self._now()
            asking.memory = self._cache if self._believed(now) else None
            asking.leave(now - self._pulse.bound)
            if replaced != self._replaced:  # what was compiled with the old catalogue is of no use
                asking, replaced = Asking(asking.memory, self._catalogue), self._replaced
            missing = attempt(asking, now)
            if number == 0:
                self._count(asking, missing)
            if not missing:
                return
            await self._load_all(asking, missing, min_revision)
        org, revision = asking.newest
        raise NotReached(revision, org)

    def _count(self, asking: Asking, missing: dict[Key, int]) -> None:
        if asking.memory is None:
            self._bypassed += 1
        elif missing:
            self._misses += 1
        else:
            self._hits += 1

    # --- loading ----------------------------------------------------------------------------------------------

    async def _load_all(self, asking: Asking, missing: dict[Key, int], min_revision: int) -> None:
        loads = [self._joined(key, at_least) or self._begin(key, at_least) for key, at_least in missing.items()]
        # Shielded: one who gives up does not take the others' answer along.
        parts = await asyncio.gather(*(asyncio.shield(load.task) for load in loads))
        for part in parts:
            if part is not NOBODY and part.revision < min_revision:
                raise NotReached(part.revision, part.org)
        begun = min(load.begun for load in loads)
        asking.take({load.key: part for load, part in zip(loads, parts, strict=True)}, begun)

    def _joined(self, key: Key, at_least: int) -> Load | None:
        now = self._now()
        return self._loads.joinable(key, at_least, now - self._pulse.bound) if self._believed(now) else None

    def _begin(self, key: Key, at_least: int) -> Load:
        now = self._now()
        load = Load(key, at_least=at_least, begun=now, kept=self._believed(now))
        self._loads.begin(load)
        self._begun += 1
        load.task = asyncio.create_task(self._run(load), name="mirror.load")
        load.task.add_done_callback(seen)
        return load

    async def _run(self, load: Load) -> Part:
        try:
            part = await self._read(load)
        finally:
            self._loads.end(load)
        if part is not NOBODY and self._believed(self._now()) and load.kept:
            reached = load.reached(part)
            if reached is not None:
                self._cache.put(load.key, part, reached)
        return part

    async def _read(self, load: Load) -> Part:
        match load.key:
            case (int(org), type):
                return await self._source.registry(UUID(int=org), type, self._catalogue, load.at_least)
            case staff:
                assert isinstance(staff, int)
                found = await self._source.standing(UUID(int=staff), self._resolve, load.at_least)
                return NOBODY if found is None else found

    async def fill(self, read: Callable[[Resolve], Awaitable[Sequence[tuple[Key, Part]]]]) -> None:
        """Remember many parts, which the caller reads from now on; not those that something has overtaken."""
        with self._loads.filling(kept=self._believed(self._now())) as load:
            parts = await read(self._resolve)
        self._begun += len(parts)
        if self._believed(self._now()) and load.kept:
            for key, part in parts:
                if (reached := load.right_until(key, part)) is not None:
                    self._cache.put(key, part, reached)

    def missing(self, keys: Set[Key]) -> set[Key]:
        """Those of them that are not remembered."""
        return self._cache.missing(keys)

    # --- being told -------------------------------------------------------------------------------------------

    def announced(self, event: PermissionsChanged) -> None:
        """Where an announcement before this one is missing, everything of the organisation older than that one goes.

        Who is remembered, and is told of in it, is remembered as they are now. Only where it is the next one: after one
        that is missing, or behind a later one, what it says may not be right any more.
        """
        org, now = event.org.int, self._now()
        follows = event.standings and self._cache.heard(org) == event.previous
        renewed = [staff for staff in event.standings if self._cache.get(staff.int, now)] if follows else ()
        if self._cache.missed(org, event.previous, event.revision):
            self._gap(org, event.previous)
        about = None if event.people is None else keys(event.org, event.people, event.types)
        self._drop(org, about, event.revision)
        self._loads.told(org, event.previous, event.revision, about)
        for staff in renewed:
            standing = self._carried(event.standings[staff], self._resolve)
            if standing is not None and standing.org == event.org and standing.revision == event.revision:
                self._cache.put(staff.int, standing, event.revision)

    def changed(self, org: UUID, people: Collection[UUID] | None, types: Collection[str], revision: int) -> None:
        """This process committed a change, and does not wait for the bus to tell it so."""
        about = None if people is None else keys(org, people, types)
        self._drop(org.int, about, revision)
        self._loads.overtaken(org.int, revision, about)

    def beaten(self, event: Heartbeat) -> None:
        """A heartbeat. One that took longer than `bound` to come says nothing about now."""
        now = self._now()
        at = min(event.at.timestamp(), now)
        if self._deaf or at + self._pulse.bound <= now:
            return
        if not self._believed(now) or not event.complete:
            self.forget()
            self._pulse.begin(at, now)
            return
        self._loads.listed(event.revisions)
        for org, revision in event.revisions.items():
            heard = self._cache.heard(org.int)
            if heard is not None and heard < revision:
                self._pulse.await_revision(org.int, revision, now)
        self._pulse.beat(at, now)

    def deaf(self) -> None:
        """Nothing can be heard from now on: anything may change unnoticed."""
        self._deaf = True
        self._pulse.stop()
        self.forget()

    def hearing(self) -> None:
        """Everything is heard from now on; what was known before has to be learnt anew."""
        self.forget()
        self._deaf = False
        now = self._now()
        self._pulse.begin(now, now)

    def forget(self) -> None:
        """Everything; and nothing that is on its way is kept."""
        self.forgetting(self._cache, self._pulse.last + self._pulse.bound)
        self._dropped += self._cache.clear()
        self._loads.forsake()

    def _believed(self, now: float) -> bool:
        """Whether memory is. What was not announced in time is forgotten first."""
        if self._pulse.since <= now < self._pulse.until:
            return True
        if not self._pulse.alive(now):
            self.forget()
            return False
        for org, revision in self._pulse.overdue(now):
            if self._cache.missed(org, revision, revision):
                self._gap(org, revision)
        return True

    def _gap(self, org: int, revision: int) -> None:
        self._gaps += 1
        self._loads.detach_all()
        self._drop(org, None, revision)

    def _drop(self, org: int, keys: Collection[Key] | None, revision: int) -> None:
        self._dropped += self._cache.drop(org, keys, revision)

    # --- telling ----------------------------------------------------------------------------------------------

    @property
    def stats(self) -> Stats:
        now = self._now()
        believed = self._believed(now)
        lags = [revision - (self._cache.heard(org) or revision) for org, revision in self._pulse.awaited]
        return Stats(
            hits=self._hits,
            misses=self._misses,
            bypassed=self._bypassed,
            loads=self._begun,
            invalidated=self._dropped,
            evictions=self._cache.evicted,
            gaps=self._gaps,
            size=len(self._cache),
            people=self._cache.people,
            answers=len(self._answers),
            loading=len(self._loads),
            heartbeat_age=self._pulse.age(now),
            revision_lag=max(lags, default=0),
            believed=believed,
        )
