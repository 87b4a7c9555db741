"""Sound requests: organisations."""

from __future__ import annotations

from tests.service.bad_input.sound import Sound
from tests.service.identity.conftest import register
from tests.service.identity.sound.world import Ground

# Jane may do nothing: these answer her 403, and what is about one person 404.
FORBIDDEN = frozenset(["select_organisation_username"])
HIDDEN = frozenset()
FOR_PRODUCTS = frozenset()
FOR_ENROLLING = frozenset()


class Organisations(Ground):
    async def register_organisation(self) -> Sound:
        owner = {"name": "Ray", "email": "ray@acme.example", "username": "Ray", "mobile": "+61 491 570 006"}
        return Sound(body={"name": "ACME Crates", "owner": owner})

    async def show_organisation(self) -> Sound:
        return Sound(token=self.acme.ray)

    async def select_organisation_username(self) -> Sound:
        other = await register(self.identity, "Other Crates")
        return Sound(body={"username": f"OtherCrates{other.org.hex[-8:]}"}, token=other.ray)
