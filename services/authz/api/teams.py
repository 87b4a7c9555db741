"""The team tree over HTTP."""

from __future__ import annotations

from uuid import UUID

from services.authz import teams
from services.authz.service import Authz
from shared.http.operation import Api, Source, Tagged
from staffgate.contracts import administration as contract
from staffgate.contracts import changes
from staffgate.contracts.authz import Revised
from staffgate.contracts.caller import Person

api = Api()


@api.get("/v1/teams")
async def show_teams(authz: Authz, caller: Person) -> Tagged[contract.TeamTree]:
    """The team tree with its members, as far as you may see it."""
    return Tagged(*await authz.views.tagged(caller, teams.tree))


@api.post("/v1/teams", status=201)
async def add_team(authz: Authz, caller: Person, source: Source, body: contract.NewTeam) -> contract.TeamSet:
    """Add a sub-team."""
    one = await authz.changes.one(caller, source.ip, changes.AddTeam(name=body.name, parent=body.parent))
    return contract.TeamSet(team=one.after, revision=one.revision)


@api.put("/v1/teams/{team}/name")
async def rename_team(
    authz: Authz, caller: Person, source: Source, team: UUID, body: contract.NewName, if_match: str | None
) -> Tagged[contract.TeamSet]:
    """Rename a team."""
    one = await authz.changes.one(caller, source.ip, changes.RenameTeam(team=team, name=body.name), if_match)
    return Tagged(contract.TeamSet(team=one.after, revision=one.revision), one.etag)


@api.put("/v1/teams/{team}/parent")
async def move_team(
    authz: Authz, caller: Person, source: Source, team: UUID, body: contract.NewParent, if_match: str | None
) -> Tagged[contract.TeamSet]:
    """Move a team, and everything below it, to another place in the tree."""
    one = await authz.changes.one(caller, source.ip, changes.MoveTeam(team=team, parent=body.parent), if_match)
    return Tagged(contract.TeamSet(team=one.after, revision=one.revision), one.etag)


@api.put("/v1/teams/{team}/members")
async def place_members(
    authz: Authz, caller: Person, source: Source, team: UUID, body: contract.Members, if_match: str | None
) -> Tagged[Revised]:
    """Place these people in the team; they leave the one that they are in. Who is in it stays."""
    one = await authz.changes.one(caller, source.ip, changes.PlaceMembers(team=team, staff=body.staff), if_match)
    return Tagged(Revised(revision=one.revision), one.etag)


@api.delete("/v1/teams/{team}")
async def delete_team(
    authz: Authz, caller: Person, source: Source, team: UUID, if_match: str | None
) -> Tagged[Revised]:
    """Delete a team that has neither members nor teams below it."""
    one = await authz.changes.one(caller, source.ip, changes.DeleteTeam(team=team), if_match)
    return Tagged(Revised(revision=one.revision), one.etag)
