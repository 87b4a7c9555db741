"""Sound requests: logins."""

from __future__ import annotations

from staffgate.contracts import identity as contract
from tests.service.bad_input.sound import Sound
from tests.service.identity.conftest import PASSWORD, SMS_INBOX_SECRET, log_in
from tests.service.identity.sound.world import Ground

# Jane may do nothing: these answer her 403, and what is about one person 404.
FORBIDDEN = frozenset[str]()
HIDDEN = frozenset[str]()
FOR_PRODUCTS = frozenset[str]()
FOR_ENROLLING = frozenset[str]()


class Logins(Ground):
    async def start_login(self) -> Sound:
        _, login = await self.active()
        return Sound(body={"login": login, "password": PASSWORD})

    async def remember_organisation(self) -> Sound:
        _, login = await self.active()
        return Sound(body={"device": (await log_in(self.identity, login)).json["device"]})

    async def send_login_code(self) -> Sound:
        return Sound(body={"transaction": await self.transaction(), "factor": "email"})

    async def finish_login(self) -> Sound:
        transaction, before = await self.transaction(), len(self.identity.heard.of(contract.CodeIssued))
        await self.identity.post("/v1/login/codes", {"transaction": transaction, "factor": "email"})
        await self.identity.told(contract.CodeIssued, before + 1)
        return Sound(body={"transaction": transaction, "factor": "email", "code": self.identity.heard.code()})

    async def issue_token(self) -> Sound:
        _, login = await self.active()
        tokens = (await log_in(self.identity, login)).json
        return Sound(form={"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]})

    async def issue_token_to_product(self) -> Sound:
        form = {"grant_type": "client_credentials", "client_id": "sms-inbox", "client_secret": SMS_INBOX_SECRET}
        return Sound(form=form)
