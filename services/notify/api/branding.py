"""How an organisation's e-mails look."""

from __future__ import annotations

from typing import Annotated

from services.notify.brand import images
from services.notify.service import Notify
from shared.http.files import Content
from shared.http.operation import Api, Tagged
from staffgate.contracts import notify as contract
from staffgate.contracts.caller import Person

api = Api()


@api.get("/v1/branding")
async def show_branding(notify: Notify, caller: Person) -> Tagged[contract.Branding]:
    """Name, colour, logo, where answers go, and the language of who chose none; for administrators."""
    return Tagged(*await notify.branding.show(caller))


@api.put("/v1/branding")
async def set_branding(
    notify: Notify, caller: Person, body: contract.SetBranding, if_match: str | None
) -> Tagged[contract.Branding]:
    """Set all of it but the logo. With If-Match, 412 where somebody was faster.

    Another `reply_to` takes a factor shown in the last five minutes. E-mails have it within five seconds.
    """
    return Tagged(*await notify.branding.save(caller, body, if_match))


@api.put("/v1/branding/logo")
async def set_logo(
    notify: Notify,
    caller: Person,
    content: Annotated[bytes, Content("image/png", images.LARGEST, also=("image/jpeg",))],
    if_match: str | None,
) -> Tagged[contract.Branding]:
    """Set the logo: PNG or JPEG, at most 64 KiB, 16 to 1200 pixels a side. What is not the picture (dates, places) is left out."""
    return Tagged(*await notify.branding.set_logo(caller, content, if_match))


@api.delete("/v1/branding/logo")
async def remove_logo(notify: Notify, caller: Person, if_match: str | None) -> Tagged[contract.Branding]:
    """E-mails have the organisation's name instead."""
    return Tagged(*await notify.branding.remove_logo(caller, if_match))
