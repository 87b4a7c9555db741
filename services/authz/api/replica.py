"""What product services fill their replicas with, and filter their rows by."""

from __future__ import annotations

from uuid import UUID

from services.authz.service import Authz
from shared.http.operation import Api
from staffgate.client import parts
from staffgate.contracts import authz as contract
from staffgate.contracts.caller import Person, Product
from staffgate.contracts.decisions import RowsAsked
from staffgate.decision import RowFilter

api = Api()


@api.get("/v1/replica/standings/{staff}")
async def show_standing(authz: Authz, caller: Product, staff: UUID) -> parts.PersonFacts:
    """All that decides about one person, at the organisation's present revision."""
    return await authz.replicas.standing(staff)


@api.get("/v1/replica/organisations/{org}/standings")
async def list_standings(authz: Authz, caller: Product, org: UUID, query: parts.StandingsQuery) -> parts.Standings:
    """All that decides about everybody in an organisation, a page at a time, each of one moment."""
    return await authz.replicas.standings(org, query)


@api.post("/v1/replica/organisations/{org}/standings")
async def show_some_standings(authz: Authz, caller: Product, org: UUID, body: parts.StandingsAsked) -> parts.Standings:
    """All that decides about these people, of one moment; who is not there is left out."""
    return await authz.replicas.standings_of(org, body.staff)


@api.get("/v1/replica/organisations/{org}/items/{type}")
async def show_registry(authz: Authz, caller: Product, org: UUID, type: contract.Name) -> parts.RegisteredItems:
    """Every registered item of a type, at the organisation's present revision."""
    return await authz.replicas.registry(org, type)


@api.post("/v1/replica/organisations/{org}/items")
async def show_registries(authz: Authz, caller: Product, org: UUID, body: parts.ItemsAsked) -> parts.ItemsByType:
    """Every registered item of each of these types, at the organisation's present revision."""
    return await authz.replicas.registries(org, body.types)


@api.get("/v1/replica/organisations/{org}/changed")
async def show_changed(authz: Authz, caller: Product, org: UUID, query: parts.ChangedQuery) -> parts.ChangedSince:
    """What is not as it was at a revision, for whoever could hear no announcements since."""
    return await authz.replicas.changed(org, query)


@api.post("/access/v1/rows", invalid=400)
async def filter_rows(authz: Authz, caller: Person | Product, body: RowsAsked) -> RowFilter:
    """Which rows of a type this member of staff may do that to, for the product to filter its query by.

    Product services ask about everybody, people about themselves. The context may hold `min_revision`.
    """
    return await authz.rows.filter(caller, body)
