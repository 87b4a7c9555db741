"""Sound requests: products."""

from __future__ import annotations

from tests.service.bad_input.sound import Sound
from tests.service.identity.sound.world import Ground

# Jane may do nothing: these answer her 403, and what is about one person 404.
FORBIDDEN = frozenset[str]()
HIDDEN = frozenset[str]()
FOR_PRODUCTS = frozenset(["list_revocations"])
FOR_ENROLLING = frozenset[str]()


class Products(Ground):
    async def list_keys(self) -> Sound:
        return Sound()

    async def show_server_metadata(self) -> Sound:
        return Sound()

    async def list_revocations(self) -> Sound:
        return Sound(token=self.product)
