"""Sound requests: links."""

from __future__ import annotations

from tests.service.bad_input.sound import Sound
from tests.service.identity.conftest import PASSWORD
from tests.service.identity.sound.world import Ground

# Jane may do nothing: these answer her 403, and what is about one person 404.
FORBIDDEN = frozenset()
HIDDEN = frozenset()
FOR_PRODUCTS = frozenset()
FOR_ENROLLING = frozenset()


class Links(Ground):
    async def activate(self) -> Sound:
        return Sound(body={"token": await self.link(), "password": PASSWORD})

    async def activation_page(self) -> Sound:
        return Sound(query={"token": await self.link()})

    async def submit_activation_page(self) -> Sound:
        return Sound(form={"token": await self.link(), "password": PASSWORD})
