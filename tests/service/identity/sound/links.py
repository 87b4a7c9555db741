"""Sound requests: links."""

from __future__ import annotations

from staffgate.contracts import identity as contract
from tests.service.bad_input.sound import Sound
from tests.service.identity.conftest import PASSWORD
from tests.service.identity.sound.world import Ground

# Jane may do nothing: these answer her 403, and what is about one person 404.
FORBIDDEN = frozenset[str]()
HIDDEN = frozenset(["send_password_link"])
FOR_PRODUCTS = frozenset[str]()
FOR_ENROLLING = frozenset[str]()


class Links(Ground):
    async def activate(self) -> Sound:
        return Sound(body={"token": await self.link(), "password": PASSWORD})

    async def activation_page(self) -> Sound:
        return Sound(query={"token": await self.link()})

    async def submit_activation_page(self) -> Sound:
        return Sound(form={"token": await self.link(), "password": PASSWORD})

    async def ask_for_password_reset(self) -> Sound:
        """Of somebody who is not there: the link of somebody who is would be sent while answers are compared."""
        return Sound(body={"login": "NoSuchPlace\\Jane"})

    async def send_password_link(self) -> Sound:
        staff, _ = await self.active()
        return Sound(path={"staff": str(staff)}, token=self.acme.ray)

    async def finish_password_reset(self) -> Sound:
        return Sound(body={"token": await self._reset_link(), "password": PASSWORD + " and one more"})

    async def password_page(self) -> Sound:
        return Sound(query={"token": await self._reset_link()})

    async def submit_password_page(self) -> Sound:
        return Sound(form={"token": await self._reset_link(), "password": PASSWORD + " and one more"})

    async def confirm_email(self) -> Sound:
        return Sound(body={"token": await self._email_link()})

    async def email_page(self) -> Sound:
        return Sound(query={"token": await self._email_link()})

    async def submit_email_page(self) -> Sound:
        return Sound(form={"token": await self._email_link()})

    async def _reset_link(self) -> str:
        sound = await self.send_password_link()
        before = len(self.identity.heard.of(contract.LinkIssued))
        await self.identity.post(f"/v1/staff/{sound.path['staff']}/password-link", token=self.acme.ray)
        await self.identity.told(contract.LinkIssued, before + 1)
        return self.identity.heard.link()

    async def _email_link(self) -> str:
        token = await self.token()
        before = len(self.identity.heard.of(contract.LinkIssued))
        await self.identity.ask("PUT", "/v1/me/email", json={"email": "laya@acme.example"}, token=token)
        await self.identity.told(contract.LinkIssued, before + 1)
        return self.identity.heard.link()
