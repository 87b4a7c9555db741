"""The audit log: what happened to accounts and settings, and whether the log is whole."""

from __future__ import annotations

from services.identity.service import Identity
from shared.http.files import Csv, JsonLines
from shared.http.operation import Api
from staffgate.contracts import identity as contract
from staffgate.contracts.caller import Person

api = Api()


@api.get("/v1/audit")
async def list_account_log(identity: Identity, caller: Person, query: contract.AuditQuery) -> contract.AuditPage:
    """What happened in the caller's organisation, the newest first: who, to whom, from where, with what result."""
    return await identity.trail.page(caller, query)


@api.get("/v1/audit/export")
async def export_account_log(identity: Identity, caller: Person, query: contract.AuditFilter) -> Csv:
    """The log as a table. That it was exported is in the log too."""
    return Csv("audit.csv", await identity.trail.export_table(caller, query))


@api.get("/v1/audit/export.jsonl")
async def export_account_log_lines(identity: Identity, caller: Person, query: contract.AuditFilter) -> JsonLines:
    """The log an entry a line, as it is hashed: enough to follow the chain with a program of one's own."""
    return JsonLines("audit.jsonl", await identity.trail.export_lines(caller, query))


@api.get("/v1/audit/verify")
async def verify_account_log(identity: Identity, caller: Person, query: contract.AuditAnchor) -> contract.AuditVerdict:
    """Follow the chain of the organisation's log from its first entry to its last, and name the first that was changed.

    The answer's `entries` and `hash` are an anchor: whoever keeps them outside can give them later as `number` and
    `hash`, and finds out even whether the whole log was made anew.
    """
    return await identity.trail.verify(caller, query)


@api.get("/v1/me/activity")
async def list_my_activity(identity: Identity, caller: Person, query: contract.ActivityQuery) -> contract.ActivityPage:
    """What happened to the caller's account, the newest first."""
    return await identity.trail.activity(caller, query)
