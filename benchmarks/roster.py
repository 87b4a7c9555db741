"""The people of the benchmarks, as authz has them in its database: those of the grid, and those of the full model.

The grid's roles are custom roles over fifty sections of a product of its own. In the full model everybody has a team, one
or two of the built-in roles, and grants on inboxes, on features and on a feature of an inbox; asked are inboxes that are
registered and contacts whose owner the question names, so that item, feature and rows all have their say. What is right
there says the slow evaluator of the tests, which was written from the page of the model.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec

from benchmarks.grid import PEOPLE, Grid
from staffgate.contracts.authz import Entry, Grant, Item, Role, Target
from staffgate.contracts.caller import StaffType
from staffgate.contracts.catalogue import Manifest, Section
from staffgate.contracts.identity import StaffStatus
from staffgate.contracts.level import DataAccess, Level
from staffgate.decision import Facts, Holding, Question, shipped
from staffgate.decision.builtin import BUILT_IN
from tests.unit.decision.reference import Reference

PRODUCT = "grid"
_INBOXES = 200
_LEVELS = (Level.DENY, Level.READ, Level.USE, Level.FULL)
_FEATURES = ("sms.read", "sms.send", "sms.delete")


@dataclass(frozen=True)
class Roster:
    """`teams` is by id: a team's parent, None where that is the organisation's root."""

    people: tuple[Facts, ...]
    roles: tuple[Role, ...] = ()
    items: tuple[Item, ...] = ()
    teams: dict[UUID, UUID | None] = field(default_factory=dict)


# --- the grid -------------------------------------------------------------------------------------------------


def manifest(grid: Grid) -> Manifest:
    """Of nobody's rows: the other engines know none."""
    sections = tuple(Section(_section(kind), kind, items=(kind,), rows=False) for kind in grid.kinds)
    return Manifest(PRODUCT, "Grid", sections)


def of_grid(grid: Grid) -> Roster:
    roles = {name: _role(name, grid) for name in grid.roles}
    people = (_person(person, roles=[roles[name] for name in held]) for person, held in grid.held.items())
    return Roster(tuple(people), tuple(roles.values()))


def action(kind: str, name: str) -> str:
    """What a cell of the grid is called in authz."""
    return f"{_section(kind)}.{name}"


def _section(kind: str) -> str:
    return f"{PRODUCT}.{kind}"


def _role(name: str, grid: Grid) -> Role:
    allowed: dict[str, list[Any]] = {}
    for kind, cell in sorted(grid.roles[name]):
        allowed.setdefault(kind, []).append(cell)
    entries = (Entry(target=Target(section=_section(kind)), actions=tuple(cells)) for kind, cells in allowed.items())
    return Role(id=name, name=name, data_access=DataAccess.FULL, entries=tuple(entries))


# --- the full model -------------------------------------------------------------------------------------------


def of_model(seed: int = 11) -> Roster:
    dice = random.Random(seed)
    teams = _tree([_id(dice) for _ in range(8)])
    below = {team: tuple(str(one) for one in teams if team in (one, teams[one])) for team in teams}
    items = tuple(
        Item(type="inbox", id=f"inbox{number:03}", section="sms", label=f"Inbox {number}", team=str(dice.choice([*teams])))
        for number in range(_INBOXES)
    )  # fmt: skip
    people = []
    for _ in range(PEOPLE):
        team, names = dice.choice([*teams]), dice.sample(["agent", "leader", "manager"], dice.choice((1, 1, 2)))
        roles, level = [BUILT_IN[name] for name in names], dice.choice((Level.READ, Level.USE, Level.FULL))
        one = _person(_id(dice), roles=roles, grants=_grants(dice), team=str(team), teams=below[team])
        people.append(msgspec.structs.replace(one, default_level=level))
    return Roster(tuple(people), items=items, teams=teams)


def asked_of_model(roster: Roster, count: int, seed: int = 12) -> list[tuple[UUID, Question]]:
    """Two of three about an inbox, one about a contact; half of them of the person's own team."""
    dice, found = random.Random(seed), []
    teams = {team: [one for one in roster.people if one.team == str(team)] for team in roster.teams}
    inboxes = {team: [one for one in roster.items if one.team == str(team)] for team in roster.teams}
    for number in range(count):
        whole = dice.choice(roster.people)
        person, team, near = whole.staff, UUID(whole.team or ""), dice.random() < 0.6
        if number % 3:
            item = dice.choice(inboxes[team] if near else roster.items)
            found.append((person, Question(dice.choice(_FEATURES), "inbox", item.id)))
        else:
            row = {"owner": str(dice.choice(teams[team] if near else roster.people).staff)}
            name = f"contacts.{dice.choice(('view', 'edit', 'delete'))}"
            found.append((person, Question(name, "contact", f"contact{dice.randrange(10**6):06}", row)))
    return found


def expected_of_model(roster: Roster, asked: Iterable[tuple[UUID, Question]]) -> list[bool]:
    people = {one.staff: one for one in roster.people}
    items = {f"{item.type}:{item.id}": item for item in roster.items}
    teams = {str(one.staff): one.team or "" for one in roster.people}
    manifests = shipped()
    return [Reference(manifests, people[who], items, teams).decide(one).allowed for who, one in asked]


def _tree(teams: Sequence[UUID]) -> dict[UUID, UUID | None]:
    """Two departments, and three teams below each."""
    return {team: None if number < 2 else teams[number % 2] for number, team in enumerate(teams)}


def _grants(dice: random.Random) -> tuple[Grant, ...]:
    places = [Target(section="sms", item=f"inbox:inbox{n:03}") for n in dice.sample(range(_INBOXES), 30)]
    places += [Target(section="sms", feature=name) for name in dice.sample(_FEATURES, 1)]
    places += [
        Target(section="sms", feature="sms.send", item=f"inbox:inbox{n:03}") for n in dice.sample(range(_INBOXES), 5)
    ]
    places += [Target(section="contacts")] if dice.random() < 0.3 else []
    return tuple(Grant(id=_id(dice), target=place, level=dice.choices(_LEVELS, (1, 2, 3, 4))[0]) for place in places)


def _person(staff: UUID, *, roles: Sequence[Role], **about: Any) -> Facts:
    dice = random.Random(staff.int)
    held = tuple(Holding(id=_id(dice), role=role) for role in roles)
    return Facts(
        staff=staff, revision=1, org_active=True, type=StaffType.STANDARD, status=StaffStatus.ACTIVE, roles=held, **about
    )  # fmt: skip


def _id(dice: random.Random) -> UUID:
    return UUID(int=dice.getrandbits(128), version=4)


# --- in the database ------------------------------------------------------------------------------------------


async def write(owner: Any, org: UUID, roster: Roster) -> None:
    """As identity's events and an administrator's requests would have left it, without taking minutes for it. `owner`
    is a connection of the database's owner; the organisation is there already, and nobody in it was asked about."""
    root = await owner.fetchval("SELECT id FROM team WHERE org = $1 AND parent IS NULL", org)
    for team, parent in roster.teams.items():
        await owner.execute("INSERT INTO team VALUES ($1, $2, $3, $4)", org, team, parent or root, team.hex)
    staff = [one.staff for one in roster.people]
    await _copy(owner, "subject", "org staff type status default_level route_anywhere version", [
        (org, one.staff, one.type, one.status, one.default_level, one.route_anywhere, 1) for one in roster.people
    ])  # fmt: skip
    await _copy(owner, "subject_organisation", "staff org", [(one, org) for one in staff])
    teams = [(org, one.staff, UUID(one.team) if one.team else root) for one in roster.people]
    await _copy(owner, "team_member", "org staff team", teams)
    for role in roster.roles:
        entries, whole = (msgspec.json.encode(part).decode() for part in (role.entries, role))
        await owner.execute("INSERT INTO role VALUES ($1, $2, $3, $4, $5, $6)", org, role.id, role.name, role.data_access, entries, whole)  # fmt: skip
    held = [(org, holding.id, one.staff, holding.role.id) for one in roster.people for holding in one.roles]
    await _copy(owner, "assignment", "org id staff role", held)
    await _copy(owner, "permission_grant", "org id staff section feature item level", [
        (org, grant.id, one.staff, grant.target.section or "", grant.target.feature or "", grant.target.item or "", grant.level)
        for one in roster.people for grant in one.grants
    ])  # fmt: skip
    carried = roster.people[0].organisation.contracts
    await _copy(owner, "contract", "org key label products", [(org, key, key, of) for key, of in carried.items()])
    await _copy(owner, "product_access", "org id staff contract product level", [
        (org, one.id, person.staff, one.contract, one.product, one.level)
        for person in roster.people for one in person.access
    ])  # fmt: skip
    items = [(org, one.type, one.id, one.section, one.label, UUID(one.team or "")) for one in roster.items]
    await _copy(owner, "item", "org type id section label team", items)
    await owner.execute("ANALYZE")


async def _copy(owner: Any, table: str, columns: str, rows: Sequence[tuple[object, ...]]) -> None:
    await owner.copy_records_to_table(table, records=rows, columns=columns.split())
