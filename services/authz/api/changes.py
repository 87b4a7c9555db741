"""Many changes at once, what they would come to, and the log of all that were made, over HTTP."""

from __future__ import annotations

from services.authz import audit
from services.authz.service import Authz
from shared.http.operation import Api, Source
from staffgate.contracts import administration as contract
from staffgate.contracts.caller import Person

api = Api()


@api.post("/v1/changes")
async def make_changes(authz: Authz, caller: Person, source: Source, body: contract.ChangeList) -> contract.Made:
    """Make many changes in one step: all of them, or none where one is refused. They share one revision."""
    made, _ = await authz.changes.make(caller, source.ip, body.changes)
    return made


@api.post("/v1/changes/preview")
async def preview_changes(authz: Authz, caller: Person, body: contract.ChangeList) -> contract.Preview:
    """What these changes would come to: who gains and loses what. Nothing is changed, and nothing recorded."""
    return await authz.changes.preview(caller, body.changes)


@api.get("/v1/audit")
async def list_audit(authz: Authz, caller: Person, query: contract.AuditQuery) -> contract.AuditPage:
    """The log of all changes to permissions, and of those that were refused, the newest first."""
    return await authz.views.show(caller, lambda work: audit.page(work, query))
