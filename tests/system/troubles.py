"""Everything that can go wrong with a message, in a suite at work: refused, dead, bounced, suppressed, not admitted."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import aiohttp
import asyncpg

from deploy.local.databases import with_database
from deploy.local.demo.story import Story
from deploy.local.demo.world import eventually
from services.notify.receipt.signatures import signed_form
from tests.system.platform import Platform

RAYS, ELSEWHERE = "+61 491 570 157", "+41 79 555 01 23"
NUMBERS = [number for spaced in ("+61 491 570 006", RAYS, ELSEWHERE) for number in (spaced, spaced.replace(" ", ""))]


class Troubles:
    """Each e-mail is to somebody with an address of their own."""

    def __init__(self, story: Story, platform: Platform) -> None:
        self.story = story
        self.platform = platform
        self.addresses: list[str] = []

    async def all(self) -> None:
        await self.taken()
        await self.refused()
        await self.dead()
        await self.waiting()
        await self.bounced()
        await self.suppressed()
        await self.not_admitted()

    async def taken(self) -> None:
        """Whoever asks for a name that is somebody's already."""
        body = {"type": "standard", "name": "Luke", "username": "Jane", "email": self.story.jane_mail}
        answer = await self.story.world.identity.ask("POST", "/v1/staff", token=self.story.ray.access, json=body)
        assert answer.status in (409, 422), answer.text

    async def refused(self) -> None:
        """The server will never take it."""
        await self._weather(smtp="550")
        await self._reaches(await self._invite("refused"), "failed")

    async def dead(self) -> None:
        """The server would not take it for as long as it was tried; it keeps what it says, sealed."""
        await self._weather(smtp="451")
        staff = await self._invite("dead")
        await self._reaches(staff, "queued")
        await self._sql("UPDATE delivery SET last_attempt = 1 WHERE staff = $1::uuid", staff)
        await self._reaches(staff, "dead")

    async def waiting(self) -> None:
        """A code by SMS while the gateway is down, and when it is back."""
        await self._weather(sms=500)
        await self._send_code(RAYS)
        await self._reaches(str(self.story.ray_id), "queued", channel="sms")
        await self._weather()
        await self._reaches(str(self.story.ray_id), "sent", "delivered", channel="sms")

    async def bounced(self) -> None:
        """There is no such number, as the gateway tells afterwards: it is suppressed."""
        query = "SELECT id FROM delivery WHERE staff = $1::uuid AND channel = 'sms' ORDER BY created_at DESC"
        delivery = await self._sql(query, str(self.story.ray_id))
        form = {"MessageSid": "SM1", "MessageStatus": "undelivered", "ErrorCode": "30005", "To": RAYS}
        url = f"{self.platform.urls['notify']}/v1/receipts/mailbox-sms?delivery={delivery}"
        token = self.platform.keys.sms_account()[1].encode()
        signature = signed_form(token, url + "".join(name + value for name, value in sorted(form.items())))
        headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
        async with aiohttp.ClientSession() as http, http.post(url, data=urlencode(form), headers=headers) as answer:
            assert answer.status < 300, await answer.text()
        await self._reaches(str(self.story.ray_id), "bounced", channel="sms")

    async def suppressed(self) -> None:
        """An address that an administrator has blocked."""
        body = {"channel": "email", "address": self._address("suppressed")}
        await self.story.world.notify.post("/v1/suppressions", body, token=self.story.ray.access, want=201)
        await self._reaches(await self._invite("suppressed"), "failed")

    async def not_admitted(self) -> None:
        """A country that nothing is sent to."""
        await self._send_code(ELSEWHERE)
        await self._reaches(str(self.story.ray_id), "failed", channel="sms")

    # --- how --------------------------------------------------------------------------------------------------

    async def _send_code(self, number: str) -> None:
        ray = self.story.ray.access
        answer = await self.story.world.identity.ask("PUT", "/v1/me/mobile", token=ray, json={"mobile": number})
        assert answer.status == 202, answer.text

    def _address(self, name: str) -> str:
        return f"{name}-{self.story.tag}@acme.example"

    async def _invite(self, name: str) -> str:
        address = self._address(name)
        self.addresses.append(address)
        body = {"type": "standard", "name": name.title(), "username": name, "email": address}
        identity, ray = self.story.world.identity, self.story.ray.access
        staff = str((await identity.post("/v1/staff", body, token=ray, want=201))["id"])
        await identity.post(f"/v1/staff/{staff}/activation-email", token=ray, want=202)
        return staff

    async def _weather(self, **faults: Any) -> None:
        await self.story.world.mailbox.put("/faults", {"smtp": None, "sms": None} | faults)

    async def _reaches(self, staff: str, *states: str, channel: str = "email") -> None:
        """A message to this person was tried, and is in one of these states then."""
        query = (
            "SELECT 1 FROM delivery WHERE staff = $1::uuid AND state = ANY($2) AND channel = $3"
            " AND last_answer IS NOT NULL"
        )

        async def there() -> bool:
            return bool(await self._sql(query, staff, list(states), channel))

        await eventually(there, 30, f"no message to {staff} is {states}")

    async def _sql(self, sql: str, *args: object) -> Any:
        connection = await asyncpg.connect(with_database(self.platform.postgres.url, "notify"))
        try:
            return await connection.fetchval(sql, *args)
        finally:
            await connection.close()
