"""Decisions over HTTP: OpenID AuthZEN Authorization API 1.0. What is not acceptable is 400 here (10.1.1)."""

from __future__ import annotations

from services.authz.service import Authz
from shared.http.operation import Api
from staffgate.contracts import decisions as contract
from staffgate.contracts.caller import Person, Product

api = Api()


@api.post("/access/v1/evaluation", invalid=400, at_once=lambda authz: authz.at_once.evaluate)
async def evaluate(authz: Authz, caller: Person | Product, body: contract.Evaluation) -> contract.Decision:
    """May this member of staff do that? (AuthZEN 1.0, section 6)

    Product services ask about everybody, people about themselves. What is not known is denied. The context may hold
    `min_revision`, which the answer must not be older than, and `explain`.
    """
    return await authz.decisions.evaluate(caller, body)


@api.post("/access/v1/evaluations", invalid=400, at_once=lambda authz: authz.at_once.evaluate_all)
async def evaluate_all(authz: Authz, caller: Person | Product, body: contract.Evaluations) -> contract.Decisions:
    """Many questions at once, up to 1,000, answered in their order. (AuthZEN 1.0, section 7)

    What a question leaves out, the top level gives. One that can't be asked is denied with `context.error`, and the
    others are answered.
    """
    return await authz.decisions.evaluate_all(caller, body)


@api.post("/access/v1/search/subject", invalid=400)
async def search_subjects(
    authz: Authz, caller: Person | Product, body: contract.SubjectSearch
) -> contract.SubjectsFound:
    """The active members of staff of one organisation who may do that. (AuthZEN 1.0, section 8.4)

    Product services name the organisation in `context.organisation`. People search in their own, if they may view
    permissions, among those whose permissions they may view.
    """
    return await authz.holders.subjects(caller, body)


@api.post("/access/v1/search/resource", invalid=400)
async def search_resources(
    authz: Authz, caller: Person | Product, body: contract.ResourceSearch
) -> contract.ResourcesFound:
    """The registered items of a type on which this member of staff may do that. (AuthZEN 1.0, section 8.5)"""
    return await authz.searches.resources(caller, body)


@api.post("/access/v1/search/action", invalid=400)
async def search_actions(authz: Authz, caller: Person | Product, body: contract.ActionSearch) -> contract.ActionsFound:
    """The actions that this member of staff may do there. (AuthZEN 1.0, section 8.6)"""
    return await authz.searches.actions(caller, body)


@api.get("/.well-known/authzen-configuration")
async def show_metadata(authz: Authz) -> contract.Metadata:
    """Where decisions are made. (AuthZEN 1.0, section 9)"""
    return authz.metadata
