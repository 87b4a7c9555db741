"""HTTP with the suite's manners: typed answers, problems as exceptions, time-outs, retries where they are safe."""

from __future__ import annotations

import asyncio
import time
from typing import Any, TypeVar

import aiohttp
import msgspec

from staffgate.contracts.problem import code_of

T = TypeVar("T")

_TRIES = 3
_SAFE = frozenset({"GET", "PUT", "DELETE"})  # RFC 9110 section 9.2.2: idempotent
_PATIENCE = 5.0  # seconds; after so many nothing is begun again
_TIMEOUT = aiohttp.ClientTimeout(total=_PATIENCE, connect=2)


class Refused(Exception):
    """The service turned the request down (RFC 9457). `code` is stable: branch on it, show `detail`."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail


class ServiceAway(Exception):
    """The service can't be reached, or says that it can't answer now."""


class _Problem(msgspec.Struct):
    type: str = ""
    detail: str = ""


class Transport:
    """One service's address, over a session that belongs to the caller."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url.rstrip("/")

    async def ask(
        self,
        method: str,
        path: str,
        kind: type[T],
        *,
        token: str = "",
        body: object = None,
        safe: bool = False,
        **options: Any,
    ) -> T:
        """Raise Refused or ServiceAway. While the service is away, a request that changes nothing (`safe`), or the same
        when it is made twice, is made again."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if body is not None:
            options["data"] = msgspec.json.encode(body)
            headers["Content-Type"] = "application/json"
        tries, began = _TRIES if safe or method in _SAFE else 1, time.monotonic()
        for attempt in range(tries):
            try:
                return await self._once(method, path, kind, headers, options)
            except ServiceAway:
                if attempt + 1 == tries or time.monotonic() - began >= _PATIENCE:
                    raise
                await asyncio.sleep(0.05 * 4**attempt)
        raise AssertionError("unreachable")

    async def _once(self, method: str, path: str, kind: type[T], headers: dict[str, str], options: Any) -> T:
        try:
            async with self._session.request(
                method, self._url + path, headers=headers, timeout=_TIMEOUT, **options
            ) as response:
                content = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as fault:
            raise ServiceAway(f"{self._url} can't be reached: {fault!r}") from fault
        if response.status >= 500:
            raise ServiceAway(f"{self._url} can't answer now: {response.status} {_problem(content).detail}")
        if response.status >= 400:
            problem = _problem(content)
            raise Refused(response.status, code_of(problem.type), problem.detail)
        try:
            return msgspec.json.decode(content or b"null", type=kind)
        except msgspec.DecodeError as fault:
            raise ServiceAway(f"{self._url} gave an answer that is none: {fault}") from fault


def _problem(content: bytes) -> _Problem:
    try:
        return msgspec.json.decode(content, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Problem(detail=content[:200].decode(errors="replace"))
