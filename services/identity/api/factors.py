"""Second factors: having them, losing them, showing one again, and logging in with a passkey alone."""

from __future__ import annotations

from uuid import UUID

from services.identity.service import Identity
from shared.http.operation import Api
from staffgate.contracts import identity as contract
from staffgate.contracts.caller import Enrolling, Person

api = Api()


@api.get("/v1/me/factors")
async def list_my_factors(identity: Identity, caller: Person | Enrolling) -> contract.FactorList:
    """What the caller has enrolled, and what the organisation allows."""
    return await identity.factors.enrolments.show(caller)


@api.get("/v1/staff/{staff}/factors")
async def list_factors(identity: Identity, caller: Person, staff: UUID) -> contract.FactorList:
    """What a person has enrolled, for those who administer the account."""
    return await identity.factors.enrolments.show_of(caller, staff)


@api.post("/v1/staff/{staff}/factors/reset")
async def reset_factors(identity: Identity, caller: Person, staff: UUID) -> None:
    """Take away every factor of somebody who has lost theirs, and end their sessions.

    They log in by e-mail then, and can do nothing before they have enrolled anew. Takes a fresh session.
    """
    await identity.factors.enrolments.reset(caller, staff)


# --- the authenticator app ----------------------------------------------------------------------------------------


@api.post("/v1/me/factors/totp", status=201)
async def enrol_totp(identity: Identity, caller: Person | Enrolling) -> contract.TotpEnrolment:
    """Begin to enrol an authenticator app. The secret is shown this once, and counts when a code confirms it.

    Takes a fresh session. An app that is enrolled already counts until then.
    """
    return await identity.factors.totp.enrol(caller)


@api.post("/v1/me/factors/totp/confirm")
async def confirm_totp(
    identity: Identity, caller: Person | Enrolling, body: contract.ConfirmTotp
) -> contract.FactorAdded:
    """Confirm the authenticator app with a code that it shows. The answer takes the place of the session's tokens."""
    return await identity.factors.totp.confirm(caller, body.code)


@api.delete("/v1/me/factors/totp")
async def remove_totp(identity: Identity, caller: Person) -> None:
    """Remove the authenticator app, unless it is the last factor that is required. Takes a fresh session."""
    await identity.factors.enrolments.remove_totp(caller)


# --- recovery codes -----------------------------------------------------------------------------------------------


@api.post("/v1/me/factors/recovery-codes", status=201)
async def make_recovery_codes(identity: Identity, caller: Person) -> contract.RecoveryCodes:
    """Ten new recovery codes, shown this once. Those made before are dead. Takes a fresh session."""
    return await identity.factors.recovery.regenerate(caller)


# --- passkeys -----------------------------------------------------------------------------------------------------


@api.post("/v1/me/factors/passkeys/options")
async def offer_passkey(identity: Identity, caller: Person | Enrolling) -> contract.PasskeyOptions:
    """What a browser needs to make a passkey. Takes a fresh session."""
    return await identity.factors.passkeys.offer(caller)


@api.post("/v1/me/factors/passkeys", status=201)
async def add_passkey(
    identity: Identity, caller: Person | Enrolling, body: contract.AddPasskey
) -> contract.FactorAdded:
    """Add the passkey that the browser has made. The answer takes the place of the session's tokens."""
    return await identity.factors.passkeys.add(caller, body)


@api.put("/v1/me/factors/passkeys/{passkey}")
async def rename_passkey(
    identity: Identity, caller: Person, passkey: UUID, body: contract.RenamePasskey
) -> contract.Passkey:
    """Give a passkey another name."""
    return await identity.factors.passkeys.rename(caller, passkey, body.name)


@api.delete("/v1/me/factors/passkeys/{passkey}")
async def remove_passkey(identity: Identity, caller: Person, passkey: UUID) -> None:
    """Remove a passkey, unless it is the last factor that is required. Takes a fresh session."""
    await identity.factors.passkeys.remove(caller, passkey)


@api.post("/v1/login/passkey-options")
async def ask_passkey(identity: Identity, body: contract.AskPasskey) -> contract.PasskeyOptions:
    """What a browser needs to show a passkey as the second factor of a login or a step-up."""
    return await identity.logins.ask_passkey(body.transaction)


@api.post("/v1/login/passkey")
async def start_passkey_login(identity: Identity, body: contract.BeginPasskeyLogin) -> contract.PasskeyLoginStarted:
    """Begin to log in with a passkey and nothing else."""
    return await identity.passwordless.begin(body.login)


@api.post("/v1/login/passkey/finish")
async def finish_passkey_login(identity: Identity, body: contract.FinishPasskeyLogin) -> contract.Tokens:
    """The passkey's answer, for an access token and a refresh token."""
    return await identity.passwordless.finish(body)


# --- showing one again --------------------------------------------------------------------------------------------


@api.post("/v1/me/step-up", status=201)
async def start_step_up(identity: Identity, caller: Person) -> contract.StepUpStarted:
    """Begin to show a factor again, for operations that take a fresh session.

    Codes are sent by `POST /v1/login/codes`, and a passkey is asked by `POST /v1/login/passkey-options`.
    """
    return await identity.factors.step_up.begin(caller)


@api.post("/v1/me/step-up/finish")
async def finish_step_up(identity: Identity, caller: Person, body: contract.FinishStepUp) -> contract.Tokens:
    """The factor, for tokens that take the place of the session's and are fresh for five minutes."""
    return await identity.factors.step_up.finish(caller, body)
