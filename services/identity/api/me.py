"""The caller's own account."""

from __future__ import annotations

from services.identity.service import Identity
from shared.http.operation import Api
from staffgate.contracts import identity as contract
from staffgate.contracts.caller import Enrolling, Person

api = Api()


@api.get("/v1/me")
async def show_me(identity: Identity, caller: Person) -> contract.Staff:
    """The caller's account."""
    return await identity.staff.show(caller, caller.staff)


@api.post("/v1/me/logout")
async def log_out(identity: Identity, caller: Person | Enrolling) -> None:
    """End this session everywhere."""
    await identity.sessions.log_out(caller)


@api.post("/v1/me/password")
async def change_password(
    identity: Identity, caller: Person | Enrolling, body: contract.ChangePassword
) -> contract.Tokens:
    """Change the password; the present one is needed. The answer takes the place of the session's tokens: every other
    session ends. An expired password is changed in the session that its login leads to."""
    return await identity.own_password.change(caller, body.current, body.password)


@api.put("/v1/me/email", status=202)
async def change_email(identity: Identity, caller: Person, body: contract.ChangeEmail) -> contract.EmailProposed:
    """Send a link to a new address. Until it is used the old one stays; then the old one is told."""
    return await identity.contacts.change_email(caller, body.email)


@api.put("/v1/me/mobile", status=202)
async def change_mobile(identity: Identity, caller: Person, body: contract.ChangeMobile) -> contract.MobileProposed:
    """Send a code to a new number. Until it is shown the old one stays."""
    return await identity.contacts.change_mobile(caller, body.mobile)


@api.post("/v1/me/mobile/code", status=202)
async def send_mobile_code(identity: Identity, caller: Person) -> contract.MobileProposed:
    """Send a code to the number that is there, and is not confirmed yet."""
    return await identity.contacts.send_mobile_code(caller)


@api.post("/v1/me/mobile/confirm")
async def confirm_mobile(identity: Identity, caller: Person, body: contract.ConfirmMobile) -> None:
    """Show the code that was sent: the number counts from now on, also for second factors by SMS."""
    await identity.contacts.confirm_mobile(caller, body.transaction, body.code)


@api.delete("/v1/me/mobile")
async def remove_mobile(identity: Identity, caller: Person) -> None:
    """Remove the mobile number. No second factor goes by SMS any more."""
    await identity.contacts.remove_mobile(caller)


@api.put("/v1/me/locale")
async def change_locale(identity: Identity, caller: Person, body: contract.ChangeLocale) -> None:
    """Choose the language that messages are written in. One that there are no messages in is kept, and the organisation's
    is used."""
    await identity.contacts.choose_locale(caller, body.locale)


@api.post("/v1/me/test-message", status=202)
async def send_test_message(identity: Identity, caller: Person) -> contract.TestSent:
    """Send a message to the caller's own e-mail address, to see whether messages arrive; one a minute."""
    return await identity.contacts.send_test(caller)
