"""What the links of e-mails lead to, and their pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from uuid import UUID

from aiohttp import web

from services.identity import pages
from services.identity.password.links import ACTIVATING, Invitation
from services.identity.service import Identity
from shared.errors import Refusal
from shared.http.operation import Api
from staffgate.contracts import identity as contract
from staffgate.contracts.caller import Person
from staffgate.contracts.identity import LinkPurpose

api = Api()
_RESETTING = (LinkPurpose.RESET,)
_CONFIRMING = (LinkPurpose.EMAIL,)


@api.post("/v1/activations")
async def activate(identity: Identity, body: contract.Activate) -> contract.Activated:
    """Use the link of an e-mail: confirm the address and set the password. Does not log in."""
    return await identity.links.activate(body.token, body.password)


@api.get("/activate")
async def activation_page(identity: Identity, query: pages.Token) -> web.Response:
    """The page behind the link. Opening it uses nothing up."""
    return await _opened(identity, query.token, ACTIVATING, pages.activation)


@api.post("/activate")
async def submit_activation_page(identity: Identity, form: pages.Submitted) -> web.Response:
    """The page's form, for people whose browser runs no script."""
    return await _submitted(identity, form, ACTIVATING, identity.links.activate, pages.activated, pages.activation)


@api.post("/v1/password-resets", status=202)
async def ask_for_password_reset(identity: Identity, body: contract.AskForReset) -> contract.ResetAsked:
    """Ask for a link that sets a new password. The answer is the same whether there is such an account or not."""
    return await identity.resets.ask(body.login)


@api.post("/v1/password-resets/finish")
async def finish_password_reset(identity: Identity, body: contract.FinishReset) -> contract.PasswordSet:
    """Use the link: set the new password. Does not log in; everything that the person was signed in with ends."""
    return await identity.resets.finish(body.token, body.password)


@api.post("/v1/staff/{staff}/password-link", status=202)
async def send_password_link(identity: Identity, caller: Person, staff: UUID) -> contract.PasswordLinkSent:
    """Send a person a link that sets a new password; before they are activated, the activation link. Nobody but the
    person ever sees or sets a password."""
    return await identity.resets.send_link(caller, staff)


@api.get("/set-password")
async def password_page(identity: Identity, query: pages.Token) -> web.Response:
    """The page behind the link. Opening it uses nothing up."""
    return await _opened(identity, query.token, _RESETTING, pages.new_password)


@api.post("/set-password")
async def submit_password_page(identity: Identity, form: pages.Submitted) -> web.Response:
    """The page's form."""
    return await _submitted(identity, form, _RESETTING, identity.resets.finish, pages.password_set, pages.new_password)


@api.post("/v1/email-confirmations")
async def confirm_email(identity: Identity, body: contract.ConfirmEmail) -> contract.EmailConfirmed:
    """Use the link that went to a new address: it takes the place of the old one, which is told."""
    return await identity.contacts.confirm_email(body.token)


@api.get("/confirm-email")
async def email_page(identity: Identity, query: pages.Token) -> web.Response:
    """The page behind the link. Opening it uses nothing up."""
    return await _opened(identity, query.token, _CONFIRMING, pages.new_email)


@api.post("/confirm-email")
async def submit_email_page(identity: Identity, form: pages.Token) -> web.Response:
    """The page's form."""
    try:
        return pages.email_confirmed(await identity.contacts.confirm_email(form.token))
    except Refusal as refusal:
        return pages.dead(refusal.detail)


# --- pages with a link behind them ----------------------------------------------------------------------------

Use = TypeVar("Use")


async def _opened(
    identity: Identity, token: str, purposes: Sequence[contract.LinkPurpose],
    page: Callable[[str, Invitation], web.Response],
) -> web.Response:  # fmt: skip
    """The page while the link is good."""
    try:
        return page(token, await identity.links.read(token, purposes))
    except Refusal as refusal:
        return pages.dead(refusal.detail)


async def _submitted(
    identity: Identity, form: pages.Submitted, purposes: Sequence[contract.LinkPurpose],
    use: Callable[[str, str], Awaitable[Use]], done: Callable[[Use], web.Response],
    again: Callable[[str, Invitation, str], web.Response],
) -> web.Response:  # fmt: skip
    """Use the link; or show the page again with what is wrong."""
    try:
        invitation = await identity.links.read(form.token, purposes)
    except Refusal as refusal:
        return pages.dead(refusal.detail)
    try:
        return done(await use(form.token, form.password))
    except Refusal as refusal:
        return again(form.token, invitation, refusal.detail)
