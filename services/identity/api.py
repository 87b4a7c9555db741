"""identity over HTTP. Each operation translates; what happens is decided in the noun's own module."""

from __future__ import annotations

from uuid import UUID

from aiohttp import web

from services.identity import pages
from services.identity.service import Identity
from shared.errors import Refusal
from shared.http.operation import Api, Source
from staffgate.contracts import identity as contract
from staffgate.contracts.caller import Person, Product

api = Api()


# --- organisations --------------------------------------------------------------------------------------------


@api.post("/v1/organisations", status=201)
async def register_organisation(identity: Identity, body: contract.RegisterOrganisation) -> contract.Registration:
    """Register an organisation and its owner.

    The owner gets a link by e-mail that confirms the address and sets the password.
    """
    return await identity.organisations.register(body)


@api.get("/v1/organisation")
async def show_organisation(identity: Identity, caller: Person) -> contract.Organisation:
    """The caller's organisation."""
    return await identity.organisations.show(caller)


@api.post("/v1/organisation/username")
async def select_organisation_username(
    identity: Identity, caller: Person, body: contract.SelectUsername
) -> contract.Organisation:
    """Select the organisation's username: the owner's, once, never changed, never given to anybody else."""
    return await identity.organisations.select_username(caller, body.username)


# --- staff ----------------------------------------------------------------------------------------------------


@api.post("/v1/staff", status=201)
async def add_staff(identity: Identity, caller: Person, body: contract.AddStaff) -> contract.Staff:
    """Add a member of staff, not activated yet. Nothing is sent until it is asked for."""
    return await identity.staff.add(caller, body)


@api.get("/v1/staff")
async def list_staff(identity: Identity, caller: Person) -> contract.StaffList:
    """Everybody in the caller's organisation."""
    return await identity.staff.list(caller)


@api.get("/v1/staff/{staff}")
async def show_staff(identity: Identity, caller: Person, staff: UUID) -> contract.Staff:
    """One account."""
    return await identity.staff.show(caller, staff)


@api.post("/v1/staff/{staff}/activation-email", status=202)
async def send_activation_email(identity: Identity, caller: Person, staff: UUID) -> contract.ActivationSent:
    """Send the activation e-mail, or send it again. The links sent before are dead."""
    return await identity.staff.send_activation(caller, staff)


@api.post("/v1/staff/{staff}/suspend")
async def suspend_staff(identity: Identity, caller: Person, staff: UUID) -> contract.Staff:
    """Put a person out everywhere, within a second, unexpired access tokens included."""
    return await identity.staff.suspend(caller, staff)


@api.post("/v1/staff/{staff}/reactivate")
async def reactivate_staff(identity: Identity, caller: Person, staff: UUID) -> contract.Staff:
    """Let a suspended person log in again."""
    return await identity.staff.reactivate(caller, staff)


# --- links ----------------------------------------------------------------------------------------------------


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


# --- logging in -----------------------------------------------------------------------------------------------


@api.post("/v1/login")
async def start_login(identity: Identity, body: contract.Login) -> contract.LoginStarted:
    """Organisation and username with the password: `AcmeCrates\\Jane`. A second factor is always to follow."""
    return await identity.logins.start(body.login, body.password)


@api.post("/v1/login/codes", status=202)
async def send_login_code(identity: Identity, body: contract.SendCode) -> contract.CodeSent:
    """Send a code by e-mail or SMS. Codes sent before are dead."""
    return await identity.logins.send_code(body.transaction, body.factor)


@api.post("/v1/login/finish")
async def finish_login(identity: Identity, body: contract.FinishLogin, source: Source) -> contract.Tokens:
    """The second factor's code, for an access token (five minutes) and a refresh token."""
    return await identity.logins.finish(body, source.ip, source.agent)


@api.post("/oauth/token")
async def issue_token(
    identity: Identity, form: contract.RefreshGrant | contract.ClientCredentialsGrant
) -> contract.Tokens:
    """RFC 6749: `refresh_token` for people, `client_credentials` for product services."""
    if isinstance(form, contract.RefreshGrant):
        return await identity.sessions.refresh(form.refresh_token)
    return identity.products.sign_in(form.client_id, form.client_secret)


# --- the caller's own -----------------------------------------------------------------------------------------


@api.get("/v1/me")
async def show_me(identity: Identity, caller: Person) -> contract.Staff:
    """The caller's account."""
    return await identity.staff.show(caller, caller.staff)


@api.post("/v1/me/logout")
async def log_out(identity: Identity, caller: Person) -> None:
    """End this session everywhere."""
    await identity.sessions.log_out(caller)


@api.post("/v1/me/factors/totp", status=201)
async def enrol_totp(identity: Identity, caller: Person) -> contract.TotpEnrolment:
    """Begin to enrol an authenticator app. The secret is shown this once, and counts when a code confirms it."""
    return await identity.factors.enrol_totp(caller)


@api.post("/v1/me/factors/totp/confirm")
async def confirm_totp(identity: Identity, caller: Person, body: contract.ConfirmTotp) -> None:
    """Confirm the authenticator app with a code that it shows."""
    await identity.factors.confirm_totp(caller, body.code)


# --- for the other services -----------------------------------------------------------------------------------


@api.get("/.well-known/jwks.json")
async def list_keys(identity: Identity) -> contract.KeySet:
    """The public keys that access tokens are signed with (RFC 7517)."""
    return identity.signer.public()


@api.get("/v1/revocations")
async def list_revocations(identity: Identity, caller: Product) -> contract.Revocations:
    """Sessions that ended while one of their access tokens may be unexpired."""
    return await identity.sessions.ended()
