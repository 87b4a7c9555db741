"""What the story touches: the services, the mailbox, and the product service's own door."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import aiohttp
import msgspec

T = TypeVar("T")


class Astray(Exception):
    """The story did not go as it should."""


class Answer(msgspec.Struct):
    status: int
    body: Any
    text: str


class Door:
    """One HTTP address."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self.url = url

    async def ask(self, method: str, path: str, *, token: str = "", **options: Any) -> Answer:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with self._session.request(method, self.url + path, headers=headers, **options) as response:
            text = await response.text()
            body = msgspec.json.decode(text) if "json" in response.content_type and text else None
            return Answer(response.status, body, text)

    async def get(self, path: str, *, token: str = "", want: int = 200) -> Any:
        return _wanted(await self.ask("GET", path, token=token), want, f"GET {path}")

    async def post(self, path: str, body: object = None, *, token: str = "", want: int = 200) -> Any:
        options = {} if body is None else {"json": body}
        return _wanted(await self.ask("POST", path, token=token, **options), want, f"POST {path}")

    async def put(self, path: str, body: object, *, token: str = "", want: int = 200) -> Any:
        return _wanted(await self.ask("PUT", path, token=token, json=body), want, f"PUT {path}")


class World(msgspec.Struct, kw_only=True):
    identity: Door
    authz: list[Door]  # every replica
    notify: Door
    mailbox: Door
    inbox: Door
    product: Any  # the SMS inbox's IdentityClient


def _wanted(answer: Answer, want: int, what: str) -> Any:
    if answer.status != want:
        raise Astray(f"{what} answered {answer.status} where {want} was expected: {answer.text[:300]}")
    return answer.body


def require(condition: object, otherwise: str) -> None:
    if not condition:
        raise Astray(otherwise)


async def eventually(ask: Callable[[], Awaitable[T | None]], within: float, otherwise: str) -> tuple[T, float]:
    """Ask again until there is an answer; it, and how many milliseconds that took."""
    started = time.perf_counter()
    while True:
        found = await ask()
        took = time.perf_counter() - started
        if found:
            require(took <= within, f"{otherwise}: it took {took:.2f} s where {within:g} s are allowed")
            return found, took * 1000
        require(took <= within, f"{otherwise} (waited {within:g} s)")
        await asyncio.sleep(0.01)


async def found_in_message(world: World, to: str, kind: str, wanted: re.Pattern[str], since: int) -> str:
    """The first group in the newest message to somebody that holds it and is newer than `since`; waits for it. Others may
    come meanwhile, of what happened before."""

    async def look() -> str | None:
        come = await world.mailbox.ask("GET", "/messages", params={"to": to, "kind": kind, "since": str(since)})
        matching = [found[1] for one in come.body if (found := wanted.search(one["text"]))]
        return matching[-1] if matching else None

    found, _ = await eventually(look, 15, f"no {kind} with {wanted.pattern!r} came for {to}")
    return found


async def newest_message(world: World) -> int:
    """The id of the newest message in the mailbox: what comes later is an answer to what we do now."""
    found = await world.mailbox.get("/messages")
    return max((int(one["id"]) for one in found), default=0)
