"""Weblinks and QR codes: where visitors reach a person."""

from __future__ import annotations

from uuid import UUID

from aiohttp import web

from services.identity import pages
from services.identity.service import Identity
from shared.errors import NotFound
from shared.http.operation import Api
from staffgate.contracts import identity as contract
from staffgate.contracts.caller import Person, Product

api = Api()


@api.get("/v1/staff/{staff}/weblink")
async def show_weblink(identity: Identity, caller: Person, staff: UUID) -> contract.Weblink:
    """A person's weblink, and its QR code."""
    return await identity.weblinks.show(caller, staff)


@api.post("/v1/staff/{staff}/weblink")
async def renew_weblink(identity: Identity, caller: Person, staff: UUID) -> contract.Weblink:
    """Give the person another weblink. The one before it leads nowhere from now on, printed or not."""
    return await identity.weblinks.renew(caller, staff)


@api.get("/v1/weblinks/{weblink}")
async def resolve_weblink(identity: Identity, caller: Product, weblink: str) -> contract.WeblinkAddressee:
    """Whom a weblink leads to, while that person's account is active."""
    return await identity.weblinks.resolve(weblink)


@api.get("/w/{weblink}")
async def weblink_page(identity: Identity, weblink: str) -> web.Response:
    """What a visitor is shown: the person's name, organisation and availability."""
    try:
        return pages.card(await identity.weblinks.card(weblink))
    except NotFound as refusal:
        return pages.no_card(refusal.detail)
