"""Logging in, and staying in."""

from __future__ import annotations

from services.identity.service import Identity
from shared.http.operation import Api
from staffgate.contracts import identity as contract

api = Api()


@api.post("/v1/login")
async def start_login(identity: Identity, body: contract.Login) -> contract.LoginStarted:
    """Organisation and username with the password: `AcmeCrates\\Jane`. A second factor is always to follow."""
    return await identity.logins.start(body.login, body.password)


@api.post("/v1/login/codes", status=202)
async def send_login_code(identity: Identity, body: contract.SendCode) -> contract.CodeSent:
    """Send a code by e-mail or SMS. Codes sent before are dead."""
    return await identity.logins.send_code(body.transaction, body.factor)


@api.post("/v1/login/finish")
async def finish_login(identity: Identity, body: contract.FinishLogin) -> contract.Tokens:
    """The second factor's code, for an access token (five minutes) and a refresh token."""
    return await identity.logins.finish(body)


@api.post("/oauth/token")
async def issue_token(
    identity: Identity, form: contract.RefreshGrant | contract.ClientCredentialsGrant
) -> contract.Tokens:
    """RFC 6749: `refresh_token` for people, `client_credentials` for product services."""
    if isinstance(form, contract.RefreshGrant):
        return await identity.sessions.refresh(form.refresh_token)
    return identity.products.sign_in(form.client_id, form.client_secret)
