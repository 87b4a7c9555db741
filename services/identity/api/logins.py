"""Logging in, and staying in."""

from __future__ import annotations

from services.identity.service import Identity
from shared.errors import Malformed
from shared.http.oauth import Basic
from shared.http.operation import Api
from staffgate.contracts import identity as contract

api = Api()


@api.post("/v1/login")
async def start_login(identity: Identity, body: contract.Login) -> contract.LoginStarted:
    """Organisation and username with the password: `AcmeCrates\\Jane`. A second factor is always to follow."""
    return await identity.logins.start(body)


@api.post("/v1/login/organisation")
async def remember_organisation(identity: Identity, body: contract.RememberedDevice) -> contract.RememberedOrganisation:
    """What to type before the backslash on a device that is known; and nothing else of it."""
    return await identity.logins.remembered_organisation(body.device)


@api.post("/v1/login/codes", status=202)
async def send_login_code(identity: Identity, body: contract.SendCode) -> contract.CodeSent:
    """Send a code by e-mail or SMS. Codes sent before are dead."""
    return await identity.logins.send_code(body.transaction, body.factor)


@api.post("/v1/login/finish")
async def finish_login(identity: Identity, body: contract.FinishLogin) -> contract.Tokens:
    """The second factor's code, for an access token (five minutes) and a refresh token."""
    return await identity.logins.finish(body)


@api.post("/oauth/token", oauth_errors=True)
async def issue_token(
    identity: Identity, form: contract.RefreshGrant | contract.ClientCredentialsGrant, basic: Basic | None
) -> contract.Tokens:
    """RFC 6749: `refresh_token` for people, `client_credentials` for product services."""
    if isinstance(form, contract.RefreshGrant):
        return await identity.sessions.refresh(form.refresh_token)
    return identity.products.sign_in(*_credentials(form, basic))


def _credentials(form: contract.ClientCredentialsGrant, basic: Basic | None) -> tuple[str, str]:
    """From the header or from the form."""
    if basic is None:
        return form.client_id or "", form.client_secret or ""
    if form.client_secret is not None or form.client_id not in (None, basic.client_id):
        raise Malformed("credentials_twice", "Send the credentials in the header or in the form, and not in both.")
    return basic.client_id, basic.client_secret
