"""Sound requests: lists of numbers and of visitors."""

from __future__ import annotations

from tests.service.bad_input.sound import Sound
from tests.service.identity.sound.world import Ground

# Jane may do nothing: these answer her 403, and what is about one person 404.
FORBIDDEN = frozenset(["allow_number", "block_visitor", "drop_number", "list_blocked_visitors", "unblock_visitor"])
HIDDEN = frozenset[str]()
FOR_PRODUCTS = frozenset(["check_number", "check_visitor"])
FOR_ENROLLING = frozenset[str]()


class Lists(Ground):
    async def list_numbers(self) -> Sound:
        return Sound(token=self.acme.ray)

    async def allow_number(self) -> Sound:
        body = {"label": "Sales", "purposes": ["caller_id"]}
        return Sound(path={"number": self._number()}, body=body, token=self.acme.ray)

    async def drop_number(self) -> Sound:
        number = self._number()
        body = {"purposes": ["sms_sender"]}
        await self.identity.ask("PUT", f"/v1/numbers/{number}", json=body, token=self.acme.ray)
        return Sound(path={"number": number}, token=self.acme.ray)

    async def check_number(self) -> Sound:
        body = {"org": str(self.acme.org), "number": "+61 491 570 006", "purpose": "caller_id"}
        return Sound(body=body, token=self.product)

    async def list_blocked_visitors(self) -> Sound:
        query = {"kind": "email", "q": "luke", "limit": "10"}
        return Sound(query=query, token=self.acme.ray)

    async def block_visitor(self) -> Sound:
        body = {"kind": "number", "value": self._number(), "reason": "Phishing"}
        return Sound(body=body, token=self.acme.ray)

    async def unblock_visitor(self) -> Sound:
        entry = (await self.identity.post("/v1/blocklist", (await self.block_visitor()).body, token=self.acme.ray)).json
        return Sound(path={"entry": entry["id"]}, token=self.acme.ray)

    async def check_visitor(self) -> Sound:
        known = {"number": "+61 491 570 006", "email": "luke@rebels.example", "ip": "203.0.113.7"}
        return Sound(body={"org": str(self.acme.org)} | known, token=self.product)

    def _number(self) -> str:
        return f"+6149157{self.fresh():04d}"
