"""The promise of the mirror, in every order of things that chance brings up; and that each part of it is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from staffgate.mirror import answers
from staffgate.mirror.answers import Answers
from staffgate.mirror.asking import Asking
from staffgate.mirror.cache import Cache
from staffgate.mirror.loads import Load
from staffgate.mirror.mirror import Mirror
from staffgate.mirror.pulse import Pulse
from tests.conftest import LONG
from tests.unit.mirror.simulation import Probe, Simulation, Stale, simulate

RUNS = 10_000 if LONG else 300


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Probe:
    return Probe(monkeypatch)


async def test_no_answer_is_older_than_the_bound(probe: Probe) -> None:
    totals = await simulate(range(RUNS), probe)
    print(totals)
    rare = {name: count for name, count in totals.items() if count < RUNS / 10}
    assert not rare, "each way of the mirror was taken often"


# --- each part is needed --------------------------------------------------------------------------------------


def deaf_to_whom_it_concerns(patch: pytest.MonkeyPatch) -> None:
    """Announcements are counted, and nothing is dropped for them."""
    dropped = Cache.drop
    patch.setattr(
        Cache, "drop", lambda self, org, keys, revision: dropped(self, org, keys, revision) if keys is None else 0
    )


def gaps_go_unnoticed(patch: pytest.MonkeyPatch) -> None:
    missed = Cache.missed

    def none(self: Cache, org: int, previous: int, revision: int) -> bool:
        missed(self, org, previous, revision)
        return False

    patch.setattr(Cache, "missed", none)


def no_heartbeat_is_missed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Pulse, "alive", lambda self, now: self.since <= now)


def heartbeats_say_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Pulse, "await_revision", lambda *_: None)


def late_heartbeats_count_as_new(patch: pytest.MonkeyPatch) -> None:
    beat = Pulse.beat
    patch.setattr(Pulse, "beat", lambda self, at, now: beat(self, now, now))
    begin = Pulse.begin
    patch.setattr(Pulse, "begin", lambda self, at, now: begin(self, now, now))


def too_many_to_list_is_nothing(patch: pytest.MonkeyPatch) -> None:
    beaten = Mirror.beaten

    def complete(self: Mirror, event: Any) -> None:
        beaten(
            self, type(event)(**{name: getattr(event, name) for name in event.__struct_fields__} | {"complete": True})
        )

    patch.setattr(Mirror, "beaten", complete)


def patience_has_no_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Pulse, "overdue", lambda *_: iter(()))


def parts_of_any_revisions_are_mixed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Asking, "_agreed", lambda self, subject, used, least: least)


def overtaken_loads_are_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Load, "reached", lambda self, part: part.revision)


def slow_loads_are_as_good(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Asking, "leave", lambda *_: None)


def who_is_deaf_remembers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Mirror, "deaf", lambda _: None)
    patch.setattr(Mirror, "hearing", lambda self: self._pulse.begin(self._now(), self._now()))


def nothing_expires(patch: pytest.MonkeyPatch) -> None:
    def get(self: Cache, key: Any, now: float) -> Any:
        return self._entries.get(key)

    patch.setattr(Cache, "get", get)
    patch.setattr(Asking, "_standing", lambda self, key, least, now: self._get(key, least, now))


def demands_are_not_heard(patch: pytest.MonkeyPatch) -> None:
    answer, load_all = Asking.answer, Mirror._load_all
    patch.setattr(Asking, "answer", lambda self, staff, question, least, *rest: answer(self, staff, question, 0, *rest))
    patch.setattr(Mirror, "_load_all", lambda self, asking, missing, least: load_all(self, asking, missing, 0))


def answers_outlive_their_parts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Answers, "lose", lambda *_: None)
    patch.setattr(Answers, "doubt", lambda *_: False)


def answers_are_the_persons_alone(patch: pytest.MonkeyPatch) -> None:
    """The registry and the owner of the row may change."""
    put = Answers.put

    def alone(self: Answers, words: Any, *asked: Any) -> None:
        put(self, words, *asked)
        self.people[words[0]].used = []
        self._users.clear()
        self._grounds.clear()

    patch.setattr(Answers, "put", alone)


def doubt_is_ignored(patch: pytest.MonkeyPatch) -> None:
    """What was made from a registry is given until the next one is here."""
    patch.setattr(Answers, "doubt", lambda self, key: key in self._grounds)


def all_is_settled_that_was_in_doubt(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(answers, "_changed", lambda old, new: set())


def what_is_described_is_never_looked_at_again(patch: pytest.MonkeyPatch) -> None:
    """An item of which something is said now shares the answer of those of which nothing is."""
    settle = Answers.settle

    def settled(self: Answers, key: Any, old: Any, new: Any) -> None:
        before = {key: set(ground.described) for key, ground in self._grounds.items()}
        settle(self, key, old, new)
        if key in before:
            self._grounds[key].described = before[key]

    patch.setattr(Answers, "settle", settled)


# Nothing goes wrong, so that much is remembered when a registry changes.
QUIET: dict[str, float] = {"loss": 0.0, "lag": 0.0, "silence": 0.0, "beats": 1.0, "complete": 1.0, "open": 1.0}

# Each with the climate in which its lack shows soonest.
SABOTAGE: dict[Callable[[pytest.MonkeyPatch], None], dict[str, float]] = {
    deaf_to_whom_it_concerns: {},
    gaps_go_unnoticed: {"loss": 0.5},
    no_heartbeat_is_missed: {"silence": 1.0},
    heartbeats_say_nothing: {"loss": 1.0, "beats": 1.0, "complete": 1.0},
    late_heartbeats_count_as_new: {"lag": 2.5, "loss": 0.0, "beats": 1.0, "complete": 1.0, "silence": 1.0},
    too_many_to_list_is_nothing: {"loss": 1.0, "beats": 1.0, "complete": 0.0},
    patience_has_no_end: {"loss": 1.0, "beats": 1.0, "complete": 1.0},
    parts_of_any_revisions_are_mixed: {},
    overtaken_loads_are_kept: {"loss": 0.0, "open": 0.0},
    slow_loads_are_as_good: {"open": 0.0},
    who_is_deaf_remembers: {"beats": 1.0},
    nothing_expires: {},
    demands_are_not_heard: {},
    answers_outlive_their_parts: {},
    answers_are_the_persons_alone: {},
    doubt_is_ignored: QUIET,
    all_is_settled_that_was_in_doubt: QUIET,
    what_is_described_is_never_looked_at_again: QUIET,
}


@pytest.mark.parametrize("sabotage", SABOTAGE, ids=lambda sabotage: sabotage.__name__)
async def test_without_it_an_old_answer_is_found(
    sabotage: Callable[[pytest.MonkeyPatch], None], probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    sabotage(monkeypatch)
    with pytest.raises(Stale):
        await simulate(range(1_000), probe, Simulation, **SABOTAGE[sabotage])


async def test_each_climate_does_no_harm_to_what_is_whole(probe: Probe) -> None:
    for climate in SABOTAGE.values():
        await simulate(range(RUNS // 10), probe, Simulation, **climate)
