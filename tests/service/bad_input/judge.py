"""Sends what is wrong and says what is wrong with the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import asyncpg
import msgspec
from yarl import URL

from staffgate.contracts.stream import CONTENT_TYPE as EVENTS
from tests.service.bad_input.forged import Forger
from tests.service.bad_input.sound import Operation, Request, Sound, request
from tests.service.bad_input.spoilt import Case, cases

Snapshot = dict[str, tuple[int, str]]
# Words of our libraries and our database: what an answer never shows.
_INTERNAL = ("Traceback", "asyncpg", "SELECT ", "INSERT ", 'File "', "0x00", "psql")
_LATER = ("problem:revision_not_reached",)  # a 503 that was asked for: what was demanded is not there yet

# That something was refused is written down or counted, and is not a change.
_COUNTED = {
    "audit_entry": " WHERE refusal IS NULL",
    "audit": " WHERE body::jsonb ->> 'result' = 'success'",
    "audit_head": " WHERE false",
    "throttle": " WHERE false",
    "password_failure": " WHERE false",
    "reset_request": " WHERE false",
}


class Judge:
    """One service's. `owner` is a connection that sees every row."""

    def __init__(self, url: str, session: aiohttp.ClientSession, owner: Any) -> None:
        self.url = url
        self._session = session
        self._owner = owner
        self._tables: list[str] = []
        self._seen: tuple[str, Snapshot] = ("", {})

    async def document(self) -> Any:
        async with self._session.get(f"{self.url}/openapi.json") as response:
            return msgspec.json.decode(await response.read())

    async def faults(self, operation: Operation, sound: Callable[[], Awaitable[Sound]]) -> list[str]:
        """Everything that is wrong with the answers to what is wrong."""
        found: list[str] = []
        good = await sound()
        made = list(cases(operation, good))
        for number in range(len(made)):
            status, said = await self.fault(operation, made[number])
            found += [f"{made[number].name}: {said}"] if said else []
            if status < 400:  # it was taken: what it used up is gone
                used, good = good, await sound()
                made = made if good == used else list(cases(operation, good))
        status, said = await self.fault(operation, Case("the sound request itself", request(operation, good), False))
        if status == 429:  # tries that failed were counted, and there were many
            good = await sound()
            status, said = await self.fault(operation, Case("a sound request", request(operation, good), False))
        return found + ([f"the sound request was not taken ({status})"] if status >= 400 else [])

    async def token_faults(
        self, operation: Operation, sound: Sound, forger: Forger, *, every: bool = False
    ) -> list[str]:  # fmt: skip
        whole = request(operation, sound)
        wrong = [("no token", whole.without("Authorization"))]
        wrong += [
            (f"Authorization: {one}", whole.having(Authorization=one))
            for one in ("Bearer", "Bearer ", "Basic YTpi", "x")
        ]
        forged = forger.tokens() if every else forger.few()
        wrong += [(f"a token {name}", whole.having(Authorization=f"Bearer {token}")) for name, token in forged]
        return [fault async for fault in self._refused(operation, wrong, 401)]

    async def forged_faults(self, operation: Operation, sound: Sound, forger: Forger) -> list[str]:
        """Every kind of token that is none, after one of the same maker that is good: else they prove nothing."""
        assert len({name for name, _ in forger.tokens()}) >= 70
        good = request(operation, sound).having(Authorization=f"Bearer {forger.good()}")
        status, _, text, _ = await self._send(good)
        assert status == 200, text
        return await self.token_faults(operation, sound, forger, every=True)

    async def caller_faults(
        self, operation: Operation, sound: Sound, callers: Iterable[tuple[str, str]], want: int = 403
    ) -> list[str]:
        whole = request(operation, sound)
        wrong = [(f"asked by {who}", whole.having(Authorization=f"Bearer {token}")) for who, token in callers]
        return [fault async for fault in self._refused(operation, wrong, want)]

    async def _refused(
        self, operation: Operation, wrong: Iterable[tuple[str, Request]], want: int
    ) -> AsyncIterator[str]:
        for name, spoilt in wrong:
            status, said = await self.fault(operation, Case(name, spoilt))
            if said or status != want:
                yield f"{name}: {said or f'answered {status} and not {want}'}"

    async def fault(self, operation: Operation, case: Case) -> tuple[int, str]:
        """The status, and what is wrong with the answer, or nothing."""
        before = await self.snapshot()
        status, content_type, text, headers = await self._send(case.request)
        if status >= 500 and not any(word in text for word in _LATER):
            return status, f"answered {status}: {text[:200]}"
        if status < 400:
            return status, f"was taken ({status}): {text[:200]}" if case.refused else ""
        if (after := await self.snapshot()) != before:
            return status, f"answered {status}, and yet something changed: {_difference(before, after)}"
        return status, _wrong_answer(operation, case, status, content_type, text, headers)

    async def _send(self, spoilt: Request) -> tuple[int, str, str, Any]:
        headers = {"Accept": "*/*", **spoilt.headers}
        skip = () if "Content-Type" in headers else ("Content-Type",)
        async with self._session.request(
            spoilt.method, URL(self.url + spoilt.path, encoded=True), headers=headers, data=spoilt.content,
            skip_auto_headers=skip, allow_redirects=False,
        ) as response:  # fmt: skip
            if response.content_type == EVENTS:  # never all there
                return response.status, response.content_type, "", response.headers
            return response.status, response.content_type, (await response.read()).decode(), response.headers

    async def snapshot(self) -> Snapshot:
        """Counted anew only when a transaction has written since, or was still at it: of the server's clock of
        transactions one look is a twentieth of the work."""
        now = await self._owner.fetchval("SELECT pg_current_snapshot()::text")
        if self._seen[0] != now:
            self._seen = now, await self._counted()
        return self._seen[1]

    async def _counted(self) -> Snapshot:
        """Of every table how many rows there are, and the newest transaction that wrote one: whatever is inserted, changed
        or deleted moves one of them, and nothing has to be read but headers. (Digests of all rows took ten times as long.)
        Of the outbox the number alone, for the relay marks what it has carried."""
        if not self._tables:
            rows = await self._owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            self._tables = sorted({row["tablename"] for row in rows} - {"migration", "outbox"})
        parts = [
            f"SELECT '{table}', count(*), coalesce(max(xmin::text::bigint), 0)::text FROM {table}"
            + _COUNTED.get(table, "")
            for table in self._tables
        ]
        rows = await self._owner.fetch(" UNION ALL ".join([*parts, "SELECT 'outbox', count(*), '' FROM outbox"]))
        return {row[0]: (row[1], row[2]) for row in rows}


@asynccontextmanager
async def judging(url: str, session: aiohttp.ClientSession, owner_url: str) -> AsyncIterator[Judge]:
    owner = await asyncpg.connect(owner_url)
    yield Judge(url, session, owner)
    await owner.close()


def _wrong_answer(operation: Operation, case: Case, status: int, content_type: str, text: str, headers: Any) -> str:
    if any(word in text for word in _INTERNAL):
        return f"answered with what is inside: {text[:200]}"
    if "X-Request-ID" not in headers or headers.get("X-Content-Type-Options") != "nosniff":
        return f"answered {status} without the headers that every answer has: {text[:100]}"
    if operation.is_page and content_type == "text/html":
        return "" if "<h1" in text else "answered a page that says nothing"
    if content_type not in operation.described["responses"]["4XX"]["content"]:
        return f"answered {status} as {content_type}: {text[:100]}"
    problem = msgspec.json.decode(text)
    path = URL(case.request.path, encoded=True).path
    wanted = {"status": status, "instance": path}
    if {name: problem.get(name) for name in wanted} != wanted:
        return f"answered a problem that says {problem.get('status')} at {problem.get('instance')}"
    if (
        not problem.get("type", "").startswith("urn:staffgate:problem:")
        or not problem.get("title")
        or len(problem.get("detail", "")) < 10
    ):
        return f"answered a problem that says nothing: {text}"
    return ""


def _difference(before: Snapshot, after: Snapshot) -> str:
    return ", ".join(f"{name} {before[name][0]} -> {one[0]} rows" for name, one in after.items() if before[name] != one)
