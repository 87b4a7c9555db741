"""The fast engine against the slow reference evaluator (permission model, section 7)."""

from __future__ import annotations

from hypothesis import event, given

from staffgate.contracts.level import Level
from staffgate.decision import Question, decide, resolve
from tests.unit.decision.reference import Reference
from tests.unit.decision.worlds import World, many, working, worlds


def compare(world: World, questions: list[Question]) -> None:
    catalogue = world.catalogue
    snapshot = resolve(world.facts, catalogue)
    reference = Reference(world.manifests, world.facts)
    for question in questions:
        verdict, answer = decide(snapshot, catalogue, question), reference.decide(question)
        event(f"{answer.reason} {answer.allowed}, by {len(answer.rules)}")
        assert (verdict.allowed, verdict.reason, verdict.visible) == (answer.allowed, answer.reason, answer.visible)
        assert verdict.revision == world.facts.revision
        assert verdict.rule in (answer.rules or {None})


@many
@given(worlds())
def test_the_engine_decides_as_the_page_says(world: World) -> None:
    compare(world, world.questions)


@many
@given(working())
def test_the_tiers_decide_as_the_page_says(world: World) -> None:
    compare(world, world.questions)


@many
@given(working(default_level=Level.DENY, route_anywhere=False))
def test_routing_is_decided_as_the_page_says(world: World) -> None:
    compare(world, [Question("call.route", asked.type, asked.id, asked.properties) for asked in world.questions])
