"""Laws that hold for every organisation, person and question."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from staffgate.contracts.authz import Grant, Item, Role, Target
from staffgate.contracts.identity import StaffStatus
from staffgate.contracts.level import DataAccess, Level
from staffgate.decision import Catalogue, Facts, Question, Verdict, decide, resolve, search
from tests.unit.decision.extents import Extents
from tests.unit.decision.worlds import CONTRACTS, TENANTS, World, complete, holding, some, target, working, worlds

Said = tuple[bool, str, bool, UUID | None, Target | None]
WIDTH = [DataAccess.RESTRICTED, DataAccess.TEAM, DataAccess.DEPARTMENT, DataAccess.FULL]
# What was decided by the tiers or after them, so that a narrower grant would have decided otherwise.
BY_TIERS = {
    "grant",
    "product_access",
    "role",
    "default",
    "scope",
    "scope_unknown",
    "destination",
    "unknown_destination",
}


def verdicts(world: World, facts: Facts, catalogue: Catalogue | None = None) -> list[Verdict]:
    catalogue = catalogue or world.catalogue
    snapshot = resolve(facts, catalogue)
    return [decide(snapshot, catalogue, complete(world, question)) for question in world.questions]


def answers(world: World, facts: Facts, catalogue: Catalogue | None = None) -> list[Said]:
    return [said(verdict) for verdict in verdicts(world, facts, catalogue)]


def said(verdict: Verdict) -> Said:
    return verdict.allowed, str(verdict.reason), verdict.visible, verdict.rule, verdict.target


def named(world: World, question: Question, name: str) -> list[Any]:
    """A property of the resource that a question is about, and of the destination if it has one."""
    properties = complete(world, question).properties
    to = properties.get("destination")
    there = to.get("properties", {}) if isinstance(to, dict) else {}
    return [at.get(name) for at in (properties, there) if isinstance(at, dict)]


@some
@given(working(grants=(), access=(), roles=(), subscribers=(), default_level=Level.DENY))
def test_nothing_is_allowed_that_nothing_allows(world: World) -> None:
    """Everybody may use what the organisation subscribed to (section 2); and that is all."""
    for verdict in verdicts(world, world.facts):
        assert verdict.allowed is verdict.visible is (verdict.reason == "product_use")


@some
@given(worlds(), st.data())
def test_the_order_of_the_facts_makes_no_difference(world: World, data: st.DataObject) -> None:
    facts = world.facts
    shuffled = {
        name: tuple(data.draw(st.permutations(getattr(facts, name))))
        for name in ("grants", "access", "roles", "teams", "tenants", "subscribers")
    }
    shuffled["roles"] = tuple(replace(held, role=upside_down(held.role)) for held in shuffled["roles"])
    assert answers(world, world.but(**shuffled)) == answers(world, facts)


def upside_down(role: Role) -> Role:
    below = role.builds_on and upside_down(role.builds_on)
    return replace(role, entries=role.entries[::-1], builds_on=below)


@some
@given(worlds())
def test_the_same_facts_give_the_same_snapshot(world: World) -> None:
    assert resolve(world.facts, world.catalogue) == resolve(world.but(), world.catalogue)


@some
@given(working(), st.data())
def test_a_grant_counts_inside_its_target_only_and_its_removal_restores(world: World, data: st.DataObject) -> None:
    """Deny on exactly what was asked denies that; of the other answers only those change that it is in."""
    catalogue = world.catalogue
    asked = complete(world, data.draw(st.sampled_from(world.questions)))
    action, path = catalogue.actions.get(asked.action), catalogue.path(asked.type, asked.id)
    if action is None or path is None or ":" not in path[0] or asked.type == "channel" or not asked.id:
        return
    contract, tenant = asked.properties.get("contract"), asked.properties.get("tenant")
    if contract not in (None, *CONTRACTS) or tenant not in (None, *TENANTS) or action.section not in path:
        return
    exactly = catalogue.canonical(
        Target(item=path[0], feature=action.feature, contract=contract, tenant=tenant)  # type: ignore[arg-type]
    )
    kept = tuple(grant for grant in world.facts.grants if catalogue.canonical(grant.target) != exactly)
    denial = Grant(id=UUID(int=1000), target=exactly or Target(), level=Level.DENY)
    before, after = answers(world, world.but(grants=kept)), answers(world, world.but(grants=(*kept, denial)))
    for question, was, now in zip(world.questions, before, after, strict=True):
        same = complete(world, question) == asked
        if same and was[1] in BY_TIERS:
            assert (now[0], now[1], now[3], now[4]) == (False, "grant", denial.id, exactly)
        elif (question.type, question.id) != (asked.type, asked.id) and question.action != "call.route":
            assert now == was
    assert answers(world, world.but(grants=kept), catalogue) == before


@some
@given(working())
def test_more_data_access_never_takes_anything_away(world: World) -> None:
    """Restricted, Team, Department and Full contain one another (section 3): for one role, and for all of them."""
    for chosen in (slice(0, 1), slice(None)):
        before: set[int] = set()
        for width in WIDTH:
            roles = list(world.facts.roles)
            roles[chosen] = [replace(held, role=reaching(held.role, width)) for held in roles[chosen]]
            found = verdicts(world, world.but(roles=tuple(roles)))
            seen = {number for number, verdict in enumerate(found) if verdict.allowed}
            seen |= {-number for number, verdict in enumerate(found, 1) if verdict.visible}
            assert seen >= before
            before = seen


def reaching(role: Role, width: DataAccess) -> Role:
    below = role.builds_on and reaching(role.builds_on, width)
    return replace(role, data_access=width, builds_on=below)


@some
@given(working(), st.randoms(use_true_random=False))
def test_what_is_given_in_a_tenant_counts_nowhere_else(world: World, dice: Any) -> None:
    extents = Extents(world.manifests, (), CONTRACTS, TENANTS)
    given_there = Grant(
        id=UUID(int=1000),
        target=replace(target(dice, extents), tenant="acme"),
        level=dice.choice([*Level]),
    )
    held_there = replace(holding(dice, extents, (), 1001), tenant="acme")
    more = world.but(grants=(*world.facts.grants, given_there), roles=(*world.facts.roles, held_there))
    pairs = zip(world.questions, answers(world, world.facts), answers(world, more), strict=True)
    for question, was, now in pairs:
        if "acme" not in named(world, question, "tenant"):
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
def test_after_a_reset_everything_is_as_if_no_grant_had_ever_been(world: World) -> None:
    """The product access levels stay (section 2). Nothing is remembered of what was resolved before."""
    catalogue = world.catalogue
    answers(world, world.facts, catalogue)
    reset = answers(world, world.but(grants=()), catalogue)
    known = {name: getattr(world.facts, name) for name in Facts.__struct_fields__ if name != "grants"}
    assert reset == answers(world, Facts(**known))
    assert not {rule for _, _, _, rule, _ in reset} & {grant.id for grant in world.facts.grants}


@some
@given(worlds())
def test_search_finds_what_decide_allows(world: World) -> None:
    catalogue = world.catalogue
    snapshot = resolve(world.facts, catalogue)
    made_up = [Item(type=q.type, id=q.id, section="any", label="any") for q in world.questions[:5]]
    items = [*world.items.values(), *(item for item in made_up if f"{item.type}:{item.id}" not in world.items)]
    for question in world.questions:
        shared = complete(world, Question("", "", "", question.properties)).properties
        told = {name: value for name, value in question.properties.items() if name != "destination"}
        told |= {"destination": shared["destination"]} if "destination" in shared else {}
        found = list(search(snapshot, catalogue, question.action, items, told, world.teams))
        each = [complete(world, Question(question.action, item.type, item.id, told)) for item in items]
        allowed = [decide(snapshot, catalogue, one).allowed for one in each]
        assert found == [item for item, yes in zip(items, allowed, strict=True) if yes]


@some
@given(worlds())
def test_what_is_allowed_can_be_seen(world: World) -> None:
    assert all(verdict.visible for verdict in verdicts(world, world.facts) if verdict.allowed)
