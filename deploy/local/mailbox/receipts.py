"""What a gateway tells afterwards: that an SMS has arrived, posted to the address that came with it, signed."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Mapping

import aiohttp

_TRIES = 5
_PAUSE = 1.0  # seconds; whoever sent it may not have written down yet that it was taken, or may be starting again


class Receipts:
    """Signed as Twilio signs: HMAC-SHA1 over the address and the sorted fields, with the account's token."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self._telling: set[asyncio.Task[None]] = set()

    def tell(self, url: str, fields: Mapping[str, str]) -> None:
        task = asyncio.create_task(self._tell(url, fields))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(self, url: str, fields: Mapping[str, str]) -> None:
        headers = {"X-Twilio-Signature": self.signature(url, fields)}
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            for _ in range(_TRIES):
                try:
                    async with session.post(url, data=fields, headers=headers, allow_redirects=False) as answer:
                        if answer.status < 500:
                            return
                except (aiohttp.ClientError, OSError):
                    pass
                await asyncio.sleep(_PAUSE)

    def signature(self, url: str, fields: Mapping[str, str]) -> str:
        text = url + "".join(name + fields[name] for name in sorted(fields))
        return base64.b64encode(hmac.new(self._token, text.encode(), hashlib.sha1).digest()).decode()
