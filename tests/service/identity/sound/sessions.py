"""Sound requests: sessions."""

from __future__ import annotations

from tests.service.bad_input.sound import Sound
from tests.service.identity.conftest import log_in
from tests.service.identity.sound.world import Ground

# Jane may do nothing: these answer her 403, and what is about one person 404.
FORBIDDEN = frozenset[str]()
HIDDEN = frozenset(["end_session_of_staff", "list_sessions_of_staff"])
FOR_PRODUCTS = frozenset[str]()
FOR_ENROLLING = frozenset[str]()


class Sessions(Ground):
    async def list_my_sessions(self) -> Sound:
        return Sound(token=self.acme.ray)

    async def end_my_session(self) -> Sound:
        _, login = await self.active()
        token, other = [(await log_in(self.identity, login)).json["access_token"] for _ in range(2)]
        return Sound(path={"session": await self._present(other)}, token=token)

    async def end_my_other_sessions(self) -> Sound:
        return Sound(token=await self.token())

    async def list_sessions_of_staff(self) -> Sound:
        staff, login = await self.active()
        await log_in(self.identity, login)
        return Sound(path={"staff": str(staff)}, token=self.acme.ray)

    async def end_session_of_staff(self) -> Sound:
        staff, login = await self.active()
        session = await self._present((await log_in(self.identity, login)).json["access_token"])
        return Sound(path={"staff": str(staff), "session": session}, token=self.acme.ray)

    async def _present(self, token: str) -> str:
        sessions = (await self.identity.ask("GET", "/v1/me/sessions", token=token)).json["sessions"]
        return str(next(one["id"] for one in sessions if one["present"]))
