"""What messages look like."""

from __future__ import annotations

from services.notify.service import Notify
from shared.http.operation import Api
from staffgate.contracts import notify as contract
from staffgate.contracts.caller import Person

api = Api()


@api.get("/v1/templates")
async def list_templates(notify: Notify, caller: Person) -> contract.TemplateList:
    """The messages that there are, and the languages that they are written in; for administrators."""
    return notify.previews.templates(caller)


@api.post("/v1/previews")
async def show_preview(notify: Notify, caller: Person, body: contract.AskPreview) -> contract.Preview:
    """What a message looks like to a person who is made up, in a language and with branding that need not be saved yet; for
    administrators. Nothing is sent, and no code or link of a preview works."""
    return await notify.previews.show(caller, body)
