"""Random changes to a person's permissions, by random givers; and questions in which such a change may show."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

from staffgate.contracts.caller import StaffType
from staffgate.contracts.level import Level
from staffgate.decision import Catalogue, Difference, Facts, Question, Snapshot, difference, excess, resolve
from tests.unit.decision.extents import Extents
from tests.unit.decision.worlds import BELOW, CONTRACTS, RAY, TENANTS, World, complete, facts, question, random_world

CHANGED = ("grants", "access", "roles", "default_level", "route_anywhere", "subscribers", "tenants", "team", "status")


class Change(NamedTuple):
    """Ray before and after. The person of the world is the giver."""

    world: World
    before: Facts
    after: Facts
    questions: list[Question]

    @property
    def catalogue(self) -> Catalogue:
        return self.world.catalogue

    @property
    def people(self) -> tuple[Snapshot, Snapshot, Snapshot]:
        giver, before, after = (resolve(one, self.catalogue) for one in (self.world.facts, self.before, self.after))
        return giver, before, after

    @property
    def differences(self) -> list[Difference]:
        _, before, after = self.people
        return difference(before, after, self.catalogue)

    @property
    def excessive(self) -> bool:
        return excess(*self.people, self.catalogue, self.world.items) is not None


def change(dice: Random, **giver: Any) -> Change:
    world = random_world(dice, **giver)
    extents = Extents(world.manifests, (), CONTRACTS, TENANTS)
    same = {"staff": RAY, "type": StaffType.STANDARD, "organisation": world.facts.organisation}
    before, other = (facts(dice, extents, (), **same) for _ in range(2))
    after = altered(dice, before, other)
    questions = [question(dice, extents) for _ in range(20)]
    world = world._replace(teams=world.teams | {str(RAY): after.team or ""})
    return Change(world, before, after, [complete(world, one) for one in (*questions, *world.questions)])


def altered(dice: Random, before: Facts, other: Facts) -> Facts:
    """With one or two fields of the other's; what is in a list is rather added to it."""
    taken = {name: getattr(other, name) for name in dice.choices(CHANGED, k=dice.randint(1, 2))}
    if dice.randrange(2) and "grants" in taken:
        taken["grants"] = (*before.grants, *other.grants[:1])
    if dice.randrange(2) and "roles" in taken:
        taken["roles"] = (*before.roles, *other.roles[:1])
    if "team" in taken:
        taken["teams"] = BELOW[taken["team"]]
    known = {name: getattr(before, name) for name in Facts.__struct_fields__}
    return Facts(**(known | taken))


def strong(dice: Random) -> dict[str, Any]:
    """Somebody who has something to give: few exceptions, and a wide default."""
    return {
        "type": StaffType.STANDARD,
        "default_level": dice.choice([Level.USE, Level.FULL, Level.FULL]),
        "access": (),
        "roles": (),
        "tenants": TENANTS,
        "route_anywhere": True,
    }


def is_in_its_team(change: Change, asked: Question) -> bool:
    """Ray's own rows, and those of his extensions, where they are by the page: in Ray's team."""
    row = asked.properties
    own = row.get("owner") == str(RAY) or row.get("subscriber") in (
        *change.before.subscribers,
        *change.after.subscribers,
    )
    return not own or row.get("team") == change.after.team
