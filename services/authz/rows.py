"""Which rows of a product's own tables somebody may see, as a filter for the product's query (permission model, section 3).

All of it is read in one transaction: who is in the teams is of the same revision as the permissions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

import msgspec

from services.authz import registry
from services.authz.arrivals import Arrivals, NotArrived
from services.authz.catalogue import Catalogues
from services.authz.facts import facts_of
from services.authz.questions import Demands, about, demands
from services.authz.store import subjects as subject_store
from services.authz.store import teams as team_store
from services.authz.verdicts import REVISION_WAIT, require_reached
from shared.db import Database, Tx
from shared.errors import Unavailable
from staffgate.contracts.caller import Caller
from staffgate.contracts.decisions import RowsAsked
from staffgate.contracts.level import DataAccess
from staffgate.decision import Question, RowFilter, Snapshot, resolve, row_filter


class Rows:
    def __init__(self, db: Database, catalogues: Catalogues, arrivals: Arrivals) -> None:
        self._db = db
        self._catalogues = catalogues
        self._arrivals = arrivals

    async def filter(self, caller: Caller, asked: RowsAsked) -> RowFilter:
        """Of somebody who is not known no row is anything."""
        staff, wanted = about(caller, asked.subject), demands(asked.context)
        question = Question(asked.action.name, asked.resource.type, "", asked.resource.properties)
        if staff is None:
            return RowFilter()
        seconds = None if wanted.await_subject else REVISION_WAIT
        return await self._arrivals.until_here([staff], lambda: self._filter(staff, question, wanted), seconds=seconds)

    async def _filter(self, staff: UUID, question: Question, wanted: Demands) -> RowFilter:
        async with self._db.begin_anywhere() as tx:
            org = await subject_store.organisation_of_anywhere(tx, staff)
        if org is None:
            return _unknown(wanted)
        catalogue = self._catalogues.current
        async with self._db.begin(org, snapshot=True) as tx:
            facts = await facts_of(tx, org, staff, self._db.clock.now())
            if facts is None:
                return _unknown(wanted)
            require_reached(facts.revision, wanted.min_revision)
            snapshot = resolve(facts, catalogue)
            if snapshot.closed is not None:
                return _unknown(wanted, facts.revision)
            items = await registry.items_of(tx, org, catalogue, question.type)
            asked = await self._routed(tx, org, question)
            rows = row_filter(snapshot, catalogue, asked, items)
            members = await _members(tx, org, _teams(rows, snapshot))
        return msgspec.structs.replace(rows, members=members)

    async def _routed(self, tx: Tx, org: UUID, question: Question) -> Question:
        """With what the registry says of a route's destination, and the team of its owner."""
        match question.properties.get("destination"):
            case {"type": str(kind), "id": str(id), **rest}:
                own = rest.get("properties", {})
            case _:
                return question
        if not isinstance(own, dict):
            return question
        there = Question(question.action, kind, id, own)
        there = there.about(await registry.item(tx, org, self._catalogues.current, kind, id))
        there = there.completed(await _team_of(tx, org, there.properties.get("owner")))
        destination = {"type": kind, "id": id, "properties": dict(there.properties)}
        return Question(question.action, question.type, "", {**question.properties, "destination": destination})


def _unknown(wanted: Demands, revision: int = 0) -> RowFilter:
    if wanted.await_subject:
        raise NotArrived(Unavailable("account_unknown", "This account is not known here yet; try again."))
    return RowFilter(revision=revision)


def _teams(rows: RowFilter, snapshot: Snapshot) -> Collection[UUID]:
    """Those whose members make a difference."""
    reaches = {rows.reach, *(item.reach for item in rows.items)}
    if DataAccess.DEPARTMENT in reaches:
        return [UUID(team) for team in rows.teams]
    return [UUID(snapshot.team)] if DataAccess.TEAM in reaches and snapshot.team else []


async def _members(tx: Tx, org: UUID, teams: Collection[UUID]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for row in await team_store.members_of(tx, org, teams) if teams else ():
        found.setdefault(str(row.team), []).append(str(row.staff))
    return {team: tuple(people) for team, people in found.items()}


async def _team_of(tx: Tx, org: UUID, owner: Any) -> Mapping[str, str]:
    try:
        staff = UUID(owner)
    except (TypeError, ValueError, AttributeError):
        return {}
    team = (await team_store.teams_of(tx, org, [staff])).get(staff)
    return {} if team is None else {owner: str(team)}
