"""Providers that tell what became of messages, and what notify made of it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import aiohttp
import msgspec
import pytest_asyncio

from services.notify.provider.settings import SmtpSettings, TwilioSettings
from services.notify.receipt.signatures import signed, signed_form
from tests.service.notify.conftest import RECEIPTS_SECRET, TOKEN, Running, providers

MAIL_SECRET, OTHER_SECRET = RECEIPTS_SECRET, "the-other-provider's-secret"
PUBLIC_URL = "https://notify.acme.example"


async def with_receipts(surroundings: Running) -> Running:
    """notify at work, with two mail providers and an SMS gateway that tell."""
    surroundings.settings = msgspec.structs.replace(
        surroundings.settings,
        public_url=PUBLIC_URL,
        providers=providers(
            SmtpSettings(
                name="mail",
                url=surroundings.mailbox.url,
                sender="Staffgate <no-reply@staffgate.example>",
                receipts_secret=MAIL_SECRET,
            ),
            SmtpSettings(
                name="other",
                url=surroundings.mailbox.url,
                sender="Staffgate <no-reply@staffgate.example>",
                receipts_secret=OTHER_SECRET,
            ),
            TwilioSettings(name="sms", url=surroundings.gateway.url, sender="+61400111111"),
        ),
    )
    await surroundings.start()
    return surroundings


@pytest_asyncio.fixture
async def telling(surroundings: Running) -> Running:
    return await with_receipts(surroundings)


async def post(notify: Running, path: str, content: bytes, **headers: str) -> tuple[int, Any]:
    url, named = f"{notify.url}{path}", {name.replace("_", "-"): value for name, value in headers.items()}
    async with aiohttp.ClientSession() as session, session.post(url, data=content, headers=named) as response:
        said = await response.read()
        return response.status, json.loads(said) if said else None


async def tell(
    notify: Running, content: bytes, *, provider: str = "mail", secret: str = MAIL_SECRET, age: float = 0,
    type: str = "application/json",
) -> tuple[int, Any]:  # fmt: skip
    time = str(int(notify.clock.now().timestamp() - age))
    signature = f"t={time},v1={signed(secret.encode(), time, content)}"
    return await post(notify, f"/v1/receipts/{provider}", content, Content_Type=type, Receipt_Signature=signature)


async def says(notify: Running, status: str, id: UUID | None = None, *, provider: str = "mail", secret: str = MAIL_SECRET, **more: Any) -> int:  # fmt: skip
    """The provider's word, in our JSON; the status of the answer."""
    named = {"delivery": str(id)} if id else {}
    content = json.dumps({"status": status, **named, **more}).encode()
    return (await tell(notify, content, provider=provider, secret=secret))[0]


async def twilio_says(
    notify: Running, id: UUID | None, *, token: str = TOKEN, provider: str = "sms", **fields: str
) -> int:
    path = f"/v1/receipts/{provider}" + (f"?delivery={id}" if id else "")
    text = f"{PUBLIC_URL}{path}" + "".join(name + fields[name] for name in sorted(fields))
    headers = {"Content_Type": "application/x-www-form-urlencoded"}
    headers |= {"X_Twilio_Signature": signed_form(token.encode(), text)}
    return (await post(notify, path, urlencode(fields).encode(), **headers))[0]


async def state(notify: Running, id: UUID) -> tuple[str, str | None]:
    row: Any = await notify.owner.fetchrow("SELECT state, reason FROM delivery WHERE id = $1", id)
    return row["state"], row["reason"]


async def events(notify: Running, id: UUID) -> list[tuple[str, dict[str, Any]]]:
    """What was told of this message, in order: the short name of the type, and the data."""
    rows = await notify.owner.fetch("SELECT type, body FROM outbox ORDER BY id")
    told = [(row["type"].split(".")[2], json.loads(row["body"])["data"]) for row in rows]
    return [(type, data) for type, data in told if data.get("message") == str(id)]


async def suppressions(notify: Running) -> list[Any]:
    return list(await notify.owner.fetch("SELECT * FROM suppression ORDER BY id"))
