"""Sound requests: second factors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyotp

from tests.service.bad_input.sound import Sound
from tests.service.identity.authenticator import Authenticator
from tests.service.identity.conftest import PASSWORD, log_in
from tests.service.identity.sound.world import Ground

# Jane may do nothing: these answer her 403, and what is about one person 404.
FORBIDDEN = frozenset[str]()
HIDDEN = frozenset(["list_factors", "reset_factors"])
FOR_PRODUCTS = frozenset[str]()
FOR_ENROLLING = frozenset(["add_passkey", "confirm_totp", "enrol_totp", "list_my_factors", "offer_passkey"])
# Refused when the session's factor was shown too long ago.
FRESH = frozenset(
    ["enrol_totp", "make_recovery_codes", "offer_passkey", "remove_passkey", "remove_totp", "reset_factors"]
)


@dataclass
class Holder:
    """Somebody with a passkey."""

    login: str
    token: str
    authenticator: Authenticator


class Factors(Ground):
    async def list_my_factors(self) -> Sound:
        return Sound(token=self.acme.ray)

    async def list_factors(self) -> Sound:
        staff, _ = await self.active()
        return Sound(path={"staff": str(staff)}, token=self.acme.ray)

    async def reset_factors(self) -> Sound:
        return await self.list_factors()

    async def enrol_totp(self) -> Sound:
        return Sound(token=await self.token())

    async def confirm_totp(self) -> Sound:
        token = await self.token()
        secret = (await self.identity.post("/v1/me/factors/totp", token=token)).json["secret"]
        return Sound(body={"code": pyotp.TOTP(secret).at(self.identity.clock.now())}, token=token)

    async def remove_totp(self) -> Sound:
        sound = await self.confirm_totp()
        added = await self.identity.post("/v1/me/factors/totp/confirm", sound.body, token=sound.token)
        return Sound(token=added.json["access_token"])

    async def make_recovery_codes(self) -> Sound:
        return await self.remove_totp()

    async def offer_passkey(self) -> Sound:
        return Sound(token=await self.token())

    async def add_passkey(self) -> Sound:
        token = await self.token()
        options = (await self.identity.post("/v1/me/factors/passkeys/options", token=token)).json["options"]
        return Sound(body={"credential": Authenticator().create(options), "name": "Telephone"}, token=token)

    async def holder(self) -> Holder:
        _, login = await self.active()
        token, authenticator = (await log_in(self.identity, login)).json["access_token"], Authenticator()
        options = (await self.identity.post("/v1/me/factors/passkeys/options", token=token)).json["options"]
        body = {"credential": authenticator.create(options)}
        added = await self.identity.post("/v1/me/factors/passkeys", body, token=token)
        return Holder(login, added.json["access_token"], authenticator)

    async def rename_passkey(self) -> Sound:
        sound = await self.remove_passkey()
        return Sound(path=sound.path, body={"name": "Security key"}, token=sound.token)

    async def remove_passkey(self) -> Sound:
        holder = await self.holder()
        listed: Any = (await self.identity.ask("GET", "/v1/me/factors", token=holder.token)).json
        return Sound(path={"passkey": listed["passkeys"][0]["id"]}, token=holder.token)

    async def ask_passkey(self) -> Sound:
        holder = await self.holder()
        started = await self.identity.post("/v1/login", {"login": holder.login, "password": PASSWORD})
        return Sound(body={"transaction": started.json["transaction"]})

    async def start_passkey_login(self) -> Sound:
        return Sound(body={"login": (await self.holder()).login})

    async def finish_passkey_login(self) -> Sound:
        holder = await self.holder()
        begun = (await self.identity.post("/v1/login/passkey", {"login": None})).json
        credential = holder.authenticator.get(begun["options"])
        return Sound(body={"transaction": begun["transaction"], "credential": credential})

    async def start_step_up(self) -> Sound:
        return Sound(token=await self.token())

    async def finish_step_up(self) -> Sound:
        token = await self.token()
        transaction = (await self.identity.post("/v1/me/step-up", token=token)).json["transaction"]
        return Sound(body=await self.by_email(transaction), token=token)
