"""Laws that hold for every organisation, person and question."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from staffgate.contracts.authz import Grant, Item, Target
from staffgate.contracts.identity import StaffStatus
from staffgate.contracts.level import Level
from staffgate.decision import Facts, Question, Verdict, decide, resolve, search
from tests.unit.decision.worlds import World, some, working, worlds


def answers(world: World, facts: Facts) -> list[tuple[bool, str, bool, Target | None]]:
    return [said(verdict) for verdict in verdicts(world, facts)]


def verdicts(world: World, facts: Facts) -> list[Verdict]:
    catalogue = world.catalogue
    snapshot = resolve(facts, catalogue)
    return [decide(snapshot, catalogue, question) for question in world.questions]


def said(verdict: Verdict) -> tuple[bool, str, bool, Target | None]:
    return verdict.allowed, verdict.reason, verdict.visible, verdict.target


@some
@given(working(grants=(), default_level=Level.DENY))
def test_nothing_is_allowed_that_nothing_allows(world: World) -> None:
    assert not any(verdict.allowed or verdict.visible for verdict in verdicts(world, world.facts))


@some
@given(worlds(), st.data())
def test_the_order_of_grants_makes_no_difference(world: World, data: st.DataObject) -> None:
    shuffled = world.but(grants=tuple(data.draw(st.permutations(world.facts.grants))))
    assert answers(world, shuffled) == answers(world, world.facts)
    rules = [verdict.rule for verdict in verdicts(world, world.facts)]
    assert [verdict.rule for verdict in verdicts(world, shuffled)] == rules


@some
@given(worlds())
def test_the_same_facts_give_the_same_snapshot(world: World) -> None:
    assert resolve(world.facts, world.catalogue) == resolve(world.but(), world.catalogue)


@some
@given(working(), st.data())
def test_a_grant_counts_inside_its_target_only_and_its_removal_restores(world: World, data: st.DataObject) -> None:
    """Deny on exactly what was asked denies that; of the other answers only those change that it is in."""
    catalogue = world.catalogue
    asked = data.draw(st.sampled_from(world.questions))
    action, path = catalogue.actions.get(asked.action), catalogue.path(asked.type, asked.id)
    if action is None or path is None or action.section not in path or asked.type == "section":
        return
    target = Target(section=path[1], feature=action.feature, item=path[0])
    kept = tuple(grant for grant in world.facts.grants if catalogue.canonical(grant.target) != target)
    before = answers(world, world.but(grants=kept))
    denial = Grant(id=UUID(int=1000), target=target, level=Level.DENY)
    for question, was, now in zip(
        world.questions, before, answers(world, world.but(grants=(*kept, denial))), strict=True
    ):
        if (question.type, question.id, question.action) == (asked.type, asked.id, asked.action):
            assert now[:2] == (False, "grant")
            assert now[3] == target
        elif (question.type, question.id) != (asked.type, asked.id) and question.action != "call.route":
            assert now == was


@some
@given(worlds(), st.sampled_from([StaffStatus.SUSPENDED, StaffStatus.INVITED]))
def test_who_is_not_active_is_denied_everything(world: World, status: StaffStatus) -> None:
    for verdict in verdicts(world, world.but(status=status)):
        assert (verdict.allowed, verdict.visible, verdict.rule) == (False, False, None)
    for verdict in verdicts(world, world.but(org_active=False)):
        assert (verdict.allowed, verdict.reason) == (False, "organisation_inactive")


@some
@given(worlds())
def test_search_finds_what_decide_allows(world: World) -> None:
    catalogue = world.catalogue
    snapshot = resolve(world.facts, catalogue)
    items = [Item(type=q.type, id=q.id, section="any", label="any") for q in world.questions]
    for question in world.questions:
        found = list(search(snapshot, catalogue, question.action, items, question.properties))
        each = [Question(question.action, item.type, item.id, question.properties) for item in items]
        allowed = [decide(snapshot, catalogue, one).allowed for one in each]
        assert found == [item for item, yes in zip(items, allowed, strict=True) if yes]


@some
@given(worlds())
def test_what_is_allowed_can_be_seen(world: World) -> None:
    assert all(verdict.visible for verdict in verdicts(world, world.facts) if verdict.allowed)
