"""What the links of e-mails lead to, and their pages."""

from __future__ import annotations

from aiohttp import web

from services.identity import pages
from services.identity.service import Identity
from shared.errors import Refusal
from shared.http.operation import Api
from staffgate.contracts import identity as contract

api = Api()


@api.post("/v1/activations")
async def activate(identity: Identity, body: contract.Activate) -> contract.Activated:
    """Use the link of an e-mail: confirm the address and set the password. Does not log in."""
    return await identity.links.activate(body.token, body.password)


@api.get("/activate")
async def activation_page(identity: Identity, query: pages.Token) -> web.Response:
    """The page behind the link. Opening it uses nothing up."""
    try:
        return pages.form(query.token, await identity.links.read(query.token))
    except Refusal as refusal:
        return pages.dead(refusal.detail)


@api.post("/activate")
async def submit_activation_page(identity: Identity, form: pages.Submitted) -> web.Response:
    """The page's form, for people whose browser runs no script."""
    try:
        invitation = await identity.links.read(form.token)
    except Refusal as refusal:
        return pages.dead(refusal.detail)
    try:
        return pages.done(await identity.links.activate(form.token, form.password))
    except Refusal as refusal:
        return pages.form(form.token, invitation, refusal.detail)
