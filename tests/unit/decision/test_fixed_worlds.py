"""The same random worlds on every run, quick enough to be run for every fault that somebody puts in (docs/explanation/mutation.md)."""

from __future__ import annotations

from random import Random

import pytest

from staffgate.decision import decide, resolve
from tests.unit.decision.changes import change, is_in_its_team, strong
from tests.unit.decision.reference import Reference
from tests.unit.decision.worlds import World, complete, random_world


def worlds(seed: int, count: int) -> list[World]:
    dice = Random(seed)  # noqa: S311
    return [random_world(dice) for _ in range(count)]


@pytest.mark.parametrize("seed", range(10))
def test_the_engine_decides_as_the_page_says(seed: int) -> None:
    for world in worlds(seed, 12):
        catalogue = world.catalogue
        snapshot = resolve(world.facts, catalogue)
        reference = Reference(world.manifests, world.facts, world.items, world.teams)
        for question in world.questions:
            verdict, answer = decide(snapshot, catalogue, complete(world, question)), reference.decide(question)
            assert (verdict.allowed, verdict.reason, verdict.visible) == (answer.allowed, answer.reason, answer.visible)
            assert verdict.rule in (answer.rules or {None})


@pytest.mark.parametrize("seed", range(10))
def test_a_change_is_told_and_is_the_givers(seed: int) -> None:
    dice = Random(seed)  # noqa: S311
    for _ in range(6):
        one = change(dice, **strong(dice))
        answers = [[decide(who, one.catalogue, asked).allowed for who in one.people] for asked in one.questions]
        assert one.differences or all(before == after for _, before, after in answers)
        for asked, (giver, before, after) in zip(one.questions, answers, strict=True):
            new = after and not before and asked.action != "call.route" and is_in_its_team(one, asked)
            assert giver or not new or one.excessive or "channel" in asked.properties
