"""The team tree (permission model, sections 1 and 3): one root, everybody in exactly one team.

Where a team is decides whose rows reach it: those who hold a role with the data access level Department in a team above
it. A move is judged like a grant to each of them.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import msgspec

from services.authz.roles import of_departments
from services.authz.store import assignments as assignment_store
from services.authz.store import teams as store
from services.authz.store.teams import TeamRow
from services.authz.work import Affected, Result, Rule, Rules, Work, nobody
from shared.errors import Conflict, Invalid, NotFound
from staffgate.contracts.administration import TeamState, TeamTree, TeamView
from staffgate.contracts.changes import AddTeam, DeleteTeam, MoveTeam, PlaceMembers, RenameTeam
from staffgate.decision import Question, decide

_DEEPEST = 50  # levels; the tree is shown, read and walked whole
OneTeam = RenameTeam | MoveTeam | DeleteTeam


# --- what is there --------------------------------------------------------------------------------------------


async def tree(work: Work) -> TeamTree:
    """Every team by its name, for whoever may view one; members only of those that they may view."""
    rows = await store.teams(work.tx, work.org)
    visible = {row.id for row in rows if _may_view(work, row.id)}
    if not visible:
        work.require("core.teams.view", "all")
    staff: dict[UUID, list[UUID]] = {}
    for member in await store.members(work.tx, work.org):
        staff.setdefault(member.team, []).append(member.staff)
    return TeamTree(root=_grown(rows, visible, staff))


async def _whole(work: Work, _change: object) -> TeamTree:
    """For the ETag: it is the same for everybody who may see all of it."""
    return await tree(work)


def _may_view(work: Work, team: UUID) -> bool:
    question = Question("core.teams.view", "team", str(team), {"team": str(team)})
    return decide(work.giver, work.catalogue, question).allowed


def _grown(rows: Collection[TeamRow], visible: set[UUID], staff: dict[UUID, list[UUID]]) -> TeamView | None:
    """Sizes count everybody below, whether they are shown or not."""
    below: dict[UUID | None, list[TeamRow]] = {}
    for row in rows:
        below.setdefault(row.parent, []).append(row)

    def branch(row: TeamRow) -> TeamView:
        teams = [branch(child) for child in below.get(row.id, ())]
        size = len(staff.get(row.id, ())) + sum(team.size for team in teams)
        members = staff.get(row.id, []) if row.id in visible else []
        return TeamView(id=row.id, parent=row.parent, name=row.name, staff=members, size=size, teams=teams)

    roots = below.get(None)
    return branch(roots[0]) if roots else None


async def _team(work: Work, id: UUID) -> TeamRow:
    row = await store.team(work.tx, work.org, id)
    if row is None:
        raise NotFound("not_found", "Your organisation has no such team.")
    return row


def _state(row: TeamRow) -> TeamState:
    return TeamState(id=row.id, parent=row.parent, name=row.name)


# --- who may, and whom it concerns ----------------------------------------------------------------------------


def _require(work: Work, base: str, team: UUID) -> None:
    work.require(f"core.teams.{base}", str(team), team=str(team))


async def _gate_add(work: Work, change: AddTeam) -> None:
    _require(work, "create", change.parent)


async def _gate_rename(work: Work, change: RenameTeam) -> None:
    _require(work, "edit", change.team)


async def _gate_move(work: Work, change: MoveTeam) -> None:
    _require(work, "edit", change.team)
    _require(work, "edit", change.parent)


async def _gate_delete(work: Work, change: DeleteTeam) -> None:
    _require(work, "delete", change.team)


async def _gate_place(work: Work, change: PlaceMembers) -> None:
    _require(work, "edit", change.team)
    await work.people("core.teams.edit", change.staff)


async def _above(work: Work, team: UUID) -> set[UUID]:
    return set(await store.ancestors(work.tx, work.org, team))


async def _departments_of(work: Work, teams: Collection[UUID]) -> set[UUID]:
    return await assignment_store.holders_in(work.tx, work.org, await of_departments(work), teams)


async def _added(work: Work, change: AddTeam) -> Affected:
    return await _departments_of(work, await _above(work, change.parent))


async def _moved(work: Work, change: MoveTeam) -> Affected:
    """Those above it before and after; who is above it both times has it both times."""
    return await _departments_of(work, await _above(work, change.team) ^ await _above(work, change.parent))


async def _deleted(work: Work, change: DeleteTeam) -> Affected:
    return await _departments_of(work, await _above(work, change.team))


async def _placed(_work: Work, change: PlaceMembers) -> Collection[UUID]:
    return change.staff


async def _members(work: Work, change: RenameTeam) -> Collection[UUID]:
    return [member.staff for member in await store.members_of(work.tx, work.org, [change.team])]


# --- what is changed ------------------------------------------------------------------------------------------


async def _add(work: Work, change: AddTeam) -> Result:
    parent = await _team(work, change.parent)
    if len(await _above(work, parent.id)) >= _DEEPEST:
        raise Invalid("too_deep", f"The tree may have {_DEEPEST} levels at most.")
    row = TeamRow(id=work.tx.database.ids.uuid(), parent=parent.id, name=change.name)
    await _require_free(work, row)
    await store.add_team(work.tx, work.org, row)
    return None, _state(row)


async def _rename(work: Work, change: RenameTeam) -> Result:
    row = await _team(work, change.team)
    return await _put(work, row, msgspec.structs.replace(row, name=change.name))


async def _move(work: Work, change: MoveTeam) -> Result:
    row, parent = await _team(work, change.team), await _team(work, change.parent)
    if row.parent is None:
        raise Conflict("root_team", "The root is the company; everything else is below it.")
    above = await store.ancestors(work.tx, work.org, parent.id)
    if row.id in above:
        raise Conflict("team_cycle", "A team can't be moved below itself.")
    if len(above) + await _depth(work, row.id) > _DEEPEST:
        raise Invalid("too_deep", f"The tree may have {_DEEPEST} levels at most.")
    return await _put(work, row, msgspec.structs.replace(row, parent=parent.id))


async def _depth(work: Work, team: UUID) -> int:
    """Levels from this team down."""
    below: dict[UUID | None, list[UUID]] = {}
    for row in await store.teams(work.tx, work.org):
        below.setdefault(row.parent, []).append(row.id)
    depth, level = 0, [team]
    while level:
        depth, level = depth + 1, [child for one in level for child in below.get(one, ())]
    return depth


async def _put(work: Work, before: TeamRow, after: TeamRow) -> Result:
    if after != before:
        await _require_free(work, after)
        await store.put_team(work.tx, work.org, after)
    return _state(before), _state(after)


async def _require_free(work: Work, row: TeamRow) -> None:
    if await store.sibling(work.tx, work.org, row.parent, row.name) not in (None, row.id):
        raise Conflict("name_taken", "There is a team of this name beside it; choose another.")


async def _delete(work: Work, change: DeleteTeam) -> Result:
    row = await _team(work, change.team)
    if row.parent is None:
        raise Conflict("root_team", "The root is the company; it can't be deleted.")
    if await store.occupied(work.tx, work.org, row.id):
        raise Conflict("team_not_empty", "It has members or teams below it; move them elsewhere before.")
    await store.remove_team(work.tx, work.org, row.id)
    return _state(row), None


async def _place(work: Work, change: PlaceMembers) -> Result:
    await _team(work, change.team)
    before = await store.teams_of(work.tx, work.org, change.staff)
    await store.place(work.tx, work.org, change.team, sorted(set(change.staff)))
    after = dict.fromkeys(sorted(set(change.staff)), change.team)
    return {str(staff): before[staff] for staff in after}, {str(staff): team for staff, team in after.items()}


RULES: Rules = {
    # An empty team has no rows yet: nobody gets anything by it.
    AddTeam: Rule(_gate_add, _added, _add, judged=False),
    RenameTeam: Rule(_gate_rename, nobody, _rename, _whole, renames=_members),
    MoveTeam: Rule(_gate_move, _moved, _move, _whole),
    DeleteTeam: Rule(_gate_delete, _deleted, _delete, _whole, judged=False),
    PlaceMembers: Rule(_gate_place, _placed, _place, _whole, renames=_placed),
}
