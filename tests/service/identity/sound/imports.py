"""Sound requests: imports."""

from __future__ import annotations

from tests.service.bad_input.sound import Sound
from tests.service.identity.imports import finished, sent, settled, table
from tests.service.identity.sound.world import Ground

# Jane may do nothing: these answer her 403, and what is about one person 404.
FORBIDDEN = frozenset(
    [
        "download_import_errors",
        "download_import_template",
        "export_staff",
        "import_staff",
        "list_imports",
        "show_import",
    ]
)
HIDDEN = frozenset[str]()
FOR_PRODUCTS = frozenset[str]()
FOR_ENROLLING = frozenset[str]()
FRESH = frozenset(["export_staff"])


class Imports(Ground):
    async def download_import_template(self) -> Sound:
        return Sound(token=self.acme.ray)

    async def import_staff(self) -> Sound:
        await settled(self.acme)  # what was taken before is to leave the database still
        content = table({"username": f"Luke{self.fresh()}"})
        return Sound(query={"mode": "good", "key": f"k{self.fresh()}"}, content=content, token=self.acme.ray)

    async def list_imports(self) -> Sound:
        return Sound(token=self.acme.ray)

    async def show_import(self) -> Sound:
        return Sound(path={"id": await self._imported()}, token=self.acme.ray)

    async def download_import_errors(self) -> Sound:
        return Sound(path={"id": await self._imported()}, query={"rows": "bad"}, token=self.acme.ray)

    async def _imported(self) -> str:
        answer = await sent(self.acme, table({"email": "nonsense"}), key=f"k{self.fresh()}")
        return str((await finished(self.acme, answer.json["id"]))["id"])

    async def export_staff(self) -> Sound:
        return Sound(token=self.acme.ray)
