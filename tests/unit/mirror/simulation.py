"""One process's mirror among changes, losses and delays, in an order that a seed decides. Every answer is held against
the history: the state of some moment within the bound, all of one revision, and not older than was demanded."""

from __future__ import annotations

import asyncio
import random
from operator import itemgetter
from typing import Any
from uuid import UUID

import pytest

from staffgate.contracts.authz import Heartbeat, PermissionsChanged
from staffgate.decision import Catalogue, Question, Snapshot, Verdict, decide
from staffgate.decision.model import Reason
from staffgate.mirror import Mirror, NotReached, asking
from tests.unit.mirror.world import (
    ACME,
    CATALOGUE,
    HAN,
    JANE,
    LAYA,
    LUKE,
    OTHER,
    VADA,
    SlowSource,
    State,
    Telling,
    World,
    settled,
    team_name,
)

BOUND, PATIENCE = 3.0, 1.0
STEPS = 100
PEOPLE = (JANE, LUKE, HAN, LAYA, VADA)
STRANGER = UUID(int=99)
INBOXES = ("sales", "support")


class Stale(AssertionError):
    """An answer that no moment within the bound can explain."""


class Away(Exception):
    """The source's own trouble."""


class Probe:
    """In the engine's place it notes what each verdict was made of."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: dict[int, Question] = {}
        self._verdicts: list[Verdict] = []
        monkeypatch.setattr(asking, "decide", self)

    def __call__(self, snapshot: Snapshot, catalogue: Catalogue, question: Question) -> Verdict:
        verdict = decide(snapshot, catalogue, question)
        self._verdicts.append(verdict)  # kept, so that no other gets its number
        self.asked[id(verdict)] = question
        return verdict

    def question(self, verdict: Verdict) -> Question:
        return self.asked[id(verdict)]

    def clear(self) -> None:
        self.asked.clear()
        self._verdicts.clear()


class Simulation:
    def __init__(self, seed: int, probe: Probe, **climate: float) -> None:
        """`climate` says how bad some of the troubles are in every run."""
        self.chance = chance = random.Random(seed)  # noqa: S311 - the same seed, the same run
        self.world = World()
        # Each run has its own troubles, most of them few: where everything goes wrong little is ever remembered.
        self.open = chance.choice((0.0, 1.0))
        self.loss = chance.choice((0.0, 0.0, 0.1, 0.5, 1.0))
        self.lag = chance.choice((0.0, 0.0, 0.0, 0.5, 2.5))
        self.beats = chance.choice((0.5, 1.0, 1.0))
        self.complete = chance.choice((0.0, 0.9, 1.0, 1.0))
        self.silence = 0.2
        vars(self).update(climate)
        self.source = SlowSource(self.world, open=bool(self.open))
        self.telling = Telling()
        self.mirror = Mirror(
            self.source,
            CATALOGUE,
            self.world.time,
            size=chance.choice((3, 100, 100)),
            bound=BOUND,
            patience=PATIENCE,
            carried=self.telling.read,
        )
        self.probe = probe
        self.deaf = True
        self.next_beat = self.world.now
        self.sent: list[tuple[float, PermissionsChanged | Heartbeat]] = []
        self.heard: dict[UUID, int] = {}
        self.made: dict[UUID, int] = {}
        self.missed: dict[UUID, int] = {}
        self.tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        likely = {
            self.wait: 14,
            self.ask_now: 20,
            self.ask: 8,
            self.go_on: 10,
            self.change: 5,
            self.give_up: 0.5,
            self.switch: 0.3,
            self.replace: 0.1,
            self.fall_silent: self.silence,
        }
        self.switch()
        for action in self.chance.choices([*likely], [*likely.values()], k=STEPS):
            action()
            await settled()
            self.judge()
        await self.finish()

    async def finish(self) -> None:
        while self.source.running or any(not task.done() for task in self.tasks):
            self.go_on()
            await settled()
        self.judge()
        assert not self.mirror.stats.loading

    def judge(self) -> None:
        for task in [task for task in self.tasks if task.done()]:
            self.tasks.remove(task)
            if not task.cancelled() and (fault := task.exception()) is not None:
                raise fault

    # --- what may happen --------------------------------------------------------------------------------------

    def wait(self) -> None:
        """Time goes on, and what is due is heard."""
        end = self.world.now + self.chance.choice((0.01, 0.05, 0.2, 0.5, 1.0, 4.0))
        while True:
            due = min([at for at, _ in self.sent] + [self.next_beat])
            if due > end:
                break
            self.world.now = max(self.world.now, due)
            if self.next_beat <= self.world.now:
                self.beat()
            self._hear()
        self.world.now = end

    def beat(self) -> None:
        self.next_beat = self.world.now + 1
        if self.chance.random() < self.beats:
            self._send(self.world.heartbeat(complete=self.chance.random() < self.complete))

    def change(self) -> None:
        who = self.chance.choice(PEOPLE)
        org = self.world.organisation_of(who)
        assert org is not None
        match self.chance.randrange(7):
            case 0 | 1:
                expires = self.chance.choice((None, None, self.world.now + 2))
                event = self.world.change_person(who, team=self.chance.randrange(3), expires=expires)
            case 2 | 3:
                owner = self.chance.choice((JANE, HAN, LUKE, LAYA, STRANGER, None))
                event = self.world.change_item(org, self.chance.choice(INBOXES), owner)
            case 4:
                event = self.world.change_all(org)
            case 5:
                event = self.world.remove_item(org, self.chance.choice(INBOXES))
            case _:
                event = self.world.change_nothing(org)
        if self.chance.random() < 0.2:
            self.mirror.changed(event.org, event.people, event.types, event.revision)
            for one in PEOPLE if event.people is None else event.people:
                if self.world.organisation_of(one) == event.org:
                    self.made[one] = event.revision
        if self.chance.random() < 0.5:
            event = self.telling.carrying(self.world, event)
        if self.chance.random() >= self.loss:
            self._send(event)
        if self.chance.random() < 0.1:
            self._send(event)

    def _send(self, event: PermissionsChanged | Heartbeat) -> None:
        """Mostly in order; now and then something takes long."""
        delay = self.lag + self.chance.choice((0.001, 0.002, 0.003, 0.3, 2.0 if self.chance.random() < 0.3 else 0.001))
        self.sent.append((self.world.now + delay, event))

    def _hear(self) -> None:
        """What comes while nothing can be heard is lost."""
        for due in sorted((one for one in self.sent if one[0] <= self.world.now), key=itemgetter(0)):
            self.sent.remove(due)
            event = due[1]
            if self.deaf:
                continue
            if isinstance(event, Heartbeat):
                self.mirror.beaten(event)
            else:
                self.mirror.announced(event)
                self.heard[event.org] = max(event.revision, self.heard.get(event.org, 0))

    def switch(self) -> None:
        self.deaf = not self.deaf
        if self.deaf:
            self.mirror.deaf()
        else:
            self.mirror.hearing()
            self.missed = {org: self.world.state(org).revision for org in (ACME, OTHER)}

    def fall_silent(self) -> None:
        """Nothing arrives any more, and nobody says so."""
        self.beats, self.loss = 0.0, 1.0

    def replace(self) -> None:
        self.mirror.replace(Catalogue.from_manifests(CATALOGUE.manifests))

    def go_on(self) -> None:
        """A load takes a step; now and then it fails."""
        if not self.source.running:
            return
        read = self.chance.choice(self.source.running)
        if read.begin.is_set():
            if self.chance.random() < 0.05:
                read.fault = Away()
            read.end.set()
        read.begin.set()

    def give_up(self) -> None:
        if self.tasks:
            self.chance.choice(self.tasks).cancel()

    # --- asking, and what is right ----------------------------------------------------------------------------

    def ask_now(self) -> None:
        who, question, least = self._question()
        known = self._known(who)
        if not question.properties:
            [found] = self.mirror.recall_all(who.int, [(question.action, question.type, question.id)])
            if found is not None and found.verdict.snapshot.revision >= least:
                self.check(who, question, found.verdict, least, known)
        verdict = self.mirror.decide_now(who, question, least)
        if verdict is not None:
            self.check(who, question, verdict, least, known)

    def ask(self) -> None:
        who, question, least = self._question()
        self.tasks.append(asyncio.create_task(self._ask(who, question, least, self._known(who))))

    async def _ask(self, who: UUID, question: Question, least: int, known: int) -> None:
        try:
            verdict = await self.mirror.decide(who, question, least)
        except (Away, NotReached):
            return
        self.check(who, question, verdict, least, known)

    def _known(self, who: UUID) -> int:
        """What this process has heard of, or has done to this person: that much it knows at once. While it is deaf, and
        of all that was so before it could hear again, it knows everything."""
        org = self.world.organisation_of(who)
        if org is None:
            return 0
        if self.deaf:
            return self.world.state(org).revision
        return max(self.heard.get(org, 0), self.made.get(who, 0), self.missed.get(org, 0))

    def _question(self) -> tuple[UUID, Question, int]:
        who = self.chance.choice((*PEOPLE, JANE, JANE, STRANGER))
        org = self.world.organisation_of(who)
        present = self.world.state(org).revision if org else 1
        least = self.chance.choices((0, present, max(0, present - 1), present + 1), (8, 2, 1, 0.3))[0]
        match self.chance.randrange(5):
            case 0:
                return who, Question("sms.view", "section", "sms"), least
            case 1:
                owner = str(self.chance.choice((JANE, LUKE, HAN, LAYA, STRANGER)))
                return who, Question("contacts.view", "contact", "c1", {"owner": owner}), least
            case 2:
                there = {"type": "inbox", "id": self.chance.choice(INBOXES)}
                return who, Question("call.route", "number", "office", {"destination": there}), least
            case _:
                return who, Question("sms.view", "inbox", self.chance.choice(INBOXES)), least

    def check(self, who: UUID, asked: Question, verdict: Verdict, least: int, known: int) -> None:
        org = self.world.organisation_of(who)
        if org is None:
            assert verdict.reason is Reason.UNKNOWN_SUBJECT
            return
        seen = self._seen(asked, verdict)
        possible = [*self.world.since(org, self.world.now - BOUND)]
        possible = [state for state in possible if state.revision >= max(least, known)]
        if not any(self._is(state, who, asked, verdict, seen) for state in possible):
            revisions = [state.revision for state in possible]
            raise Stale(f"{who.int} {asked} {least=} {known=} {revisions}: {verdict.snapshot} {seen}")
        # And it is what it says it is: whoever demands that revision elsewhere is shown nothing older there.
        told = self.world.at(org, verdict.revision)
        if verdict.revision < least or not self._is(told, who, asked, verdict, seen):
            raise Stale(f"{who.int} {asked} {least=} is not of revision {verdict.revision}: {verdict.snapshot} {seen}")

    def _seen(self, asked: Question, verdict: Verdict) -> tuple[Any, Any, Any]:
        """The owner, the team and the version that the resource was given, or the route's destination."""
        properties: Any = self.probe.question(verdict).properties
        if asked.action == "call.route":
            properties = properties["destination"].get("properties", {})
        return properties.get("owner"), properties.get("team"), properties.get("subscriber")

    def _is(
        self, state: State, who: UUID, asked: Question, verdict: Verdict, seen: tuple[Any, Any, Any]
    ) -> bool:  # fmt: skip
        person, snapshot = state.people[who], verdict.snapshot
        alive = person.expires is not None and bool(snapshot.grants.ids)
        if alive and person.expires is not None and person.expires <= self.world.now:
            return False
        if snapshot.subscribers != {f"v{person.version}"} or snapshot.team != team_name(who, person.team):
            return False
        return seen == self._about(state, asked)

    def _about(self, state: State, asked: Question) -> tuple[Any, Any, Any]:
        owner, version = asked.properties.get("owner"), None
        inbox = asked.id if asked.type == "inbox" else asked.properties.get("destination", {}).get("id")
        if inbox in state.items:
            number, whose = state.items[inbox]
            owner, version = None if whose is None else str(whose), f"v{number}"
        own = None if owner is None else state.people.get(UUID(owner))
        return owner, None if own is None or owner is None else team_name(UUID(owner), own.team), version


async def simulate(seeds: range, probe: Probe, kind: type[Simulation] = Simulation, **climate: float) -> dict[str, int]:
    """What the mirrors counted, all told."""
    totals: dict[str, int] = {}
    for seed in seeds:
        probe.clear()
        simulation = kind(seed, probe, **climate)
        try:
            await simulation.run()
        except Exception as fault:
            fault.add_note(f"seed {seed}")
            raise
        finally:
            for task in simulation.tasks:
                task.cancel()
        stats = simulation.mirror.stats
        for name in ("hits", "misses", "bypassed", "loads", "invalidated", "evictions", "gaps"):
            totals[name] = totals.get(name, 0) + getattr(stats, name)
    return totals


__all__ = ["ACME", "OTHER", "Probe", "Simulation", "Stale", "simulate"]
