"""Asking with the suite's manners: typed answers, problems as exceptions, time-outs, and again what may be asked again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping
from functools import cache, lru_cache
from typing import Any, Generic, Protocol, TypeVar, cast, runtime_checkable
from urllib.parse import urlencode

import msgspec

from staffgate import trace
from staffgate.client.answer import Answer
from staffgate.client.faults import Refused, ServiceAway, fault_of
from staffgate.client.line import Patience, Session, line_to

T = TypeVar("T")
Token = Callable[[], Awaitable[str]]

_SAFE = frozenset({"GET", "PUT", "DELETE"})  # RFC 9110, section 9.2.2: idempotent
_LATER = (409, 425, 429)  # with a Retry-After: not now
_FIRST_PAUSE = 0.05  # seconds; four times as long each time
_encode = msgspec.json.Encoder().encode


@runtime_checkable
class Renewing(Protocol):
    """A token that can be another one the next time it is asked for."""

    def refused(self, token: str) -> None: ...


class Asked(msgspec.Struct, kw_only=True):
    """One request. `safe` says of a POST that it changes nothing, `key` is its Idempotency-Key, where the service honours
    one. `token` shows who asks. `decides`: somebody waits for a decision, and for all of it no longer than for one."""

    method: str
    path: str
    token: Token | None = None
    body: object = None
    form: Mapping[str, str] | None = None
    content: bytes | None = None
    content_type: str = "application/json"
    params: Mapping[str, str] | None = None
    safe: bool = False
    key: str = ""
    if_match: str = ""
    decides: bool = False

    @property
    def repeatable(self) -> bool:
        return self.safe or bool(self.key) or self.method in _SAFE

    @property
    def target(self) -> str:
        return f"{self.path}?{urlencode(self.params)}" if self.params else self.path

    def written(self) -> tuple[dict[str, str], bytes]:
        """Its headers, but for who asks, and its body."""
        headers, body = {"traceparent": trace.traceparent()}, b""
        if self.body is not None:
            headers["Content-Type"], body = self.content_type, _encode(self.body)
        elif self.form is not None:
            headers["Content-Type"], body = "application/x-www-form-urlencoded", urlencode(self.form).encode()
        elif self.content is not None:
            headers["Content-Type"], body = self.content_type, self.content
        if self.key:
            headers["Idempotency-Key"] = self.key
        if self.if_match:
            headers["If-Match"] = self.if_match
        return headers, body


class Versioned(msgspec.Struct, Generic[T], frozen=True):
    """What is there, and the etag of this state of it, for `if_match`."""

    view: T
    etag: str


class Transport:
    """One service's address."""

    def __init__(self, session: Session, url: str, patience: Patience | None = None) -> None:
        self._line = line_to(session, url)
        self._url = url.rstrip("/")
        self._patience = patience or Patience()

    async def ask(self, method: str, path: str, kind: type[T], **options: Any) -> T:
        """Raise Refused or ServiceAway. What may be repeated is, while the service is away or says "later"; the options
        are those of Asked."""
        return self.read(await self.answer(Asked(method=method, path=path, **options)), kind)

    async def ask_versioned(self, method: str, path: str, kind: type[T], **options: Any) -> Versioned[T]:
        answer = await self.answer(Asked(method=method, path=path, **options))
        return Versioned(self.read(answer, kind), answer.field("etag"))

    async def answer(self, asked: Asked) -> Answer:
        """As it came; 2xx."""
        headers, body = asked.written()
        repeatable, target = asked.repeatable, asked.target
        tries, shown, renewed = _Tries(self._patience, repeatable, asked.decides), "", False
        if asked.token is not None:
            shown = await self._authorized(headers, asked.token, tries)
        while True:
            try:
                answer = await self._line.send(
                    asked.method, target, headers, body, repeatable, self._patience.connect, tries.within()
                )
                if answer.status < 300:
                    return answer
                fault: Refused | ServiceAway = fault_of(answer, self._url)
            except ServiceAway as away:
                fault = away
            if not renewed and _says_token_refused(fault) and isinstance(asked.token, Renewing):
                renewed, former = True, shown
                asked.token.refused(shown)
                shown = await self._authorized(headers, asked.token, tries)
                if shown != former:
                    continue
            pause = tries.pause(fault)
            if pause is None:
                raise fault
            await asyncio.sleep(pause)

    def doubt(self) -> None:
        self._line.doubt()

    async def _authorized(self, headers: dict[str, str], token: Token, tries: _Tries) -> str:
        known = _at_hand(token)
        if known is not None:
            shown = known
        elif not tries.decides:
            shown = await token()
        else:
            try:
                async with asyncio.timeout(tries.left()):
                    shown = await token()
            except TimeoutError as fault:
                raise ServiceAway(f"no access token in time to ask {self._url} with", unsent=True) from fault
        if shown:
            headers["Authorization"] = _bearer(shown)
        return shown

    def read(self, answer: Answer, kind: type[T]) -> T:
        try:
            found: T = _decoder(cast(Hashable, kind)).decode(answer.body or b"null")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
            raise ServiceAway(f"{self._url} gave an answer that is none: {fault}") from fault
        return found


class _Tries:
    """How often, and when again."""

    __slots__ = ("_answer", "_began", "_made", "_patience", "_repeatable", "_total", "decides")

    def __init__(self, patience: Patience, repeatable: bool, decides: bool) -> None:
        self._patience = patience
        self._repeatable = repeatable
        self.decides = decides
        self._answer, self._total = patience.answer, patience.total
        if decides:
            self._answer, self._total = min(self._answer, patience.decision / 2), min(self._total, patience.decision)
        self._began = time.monotonic()
        self._made = 0

    def within(self) -> float:
        """Seconds for the try that is made now."""
        return min(self._answer, self.left())

    def left(self) -> float:
        return max(0.001, self._total - self._passed)

    def pause(self, fault: Refused | ServiceAway) -> float | None:
        """Before the next try; None where there is none. In the upper half of its length, lest all come at once."""
        self._made += 1
        if self._made >= self._patience.tries or not self._may_be_repeated(fault):
            return None
        growing = _FIRST_PAUSE * 4.0 ** (self._made - 1) * random.uniform(0.5, 1.0)  # noqa: S311  # no secret
        pause = max(growing, fault.retry_after or 0.0)
        return pause if self._passed + pause < self._total else None

    def _may_be_repeated(self, fault: Refused | ServiceAway) -> bool:
        if isinstance(fault, ServiceAway):
            return self._repeatable or fault.unsent
        return self._repeatable and fault.retry_after is not None and fault.status in _LATER

    @property
    def _passed(self) -> float:
        return time.monotonic() - self._began


def _at_hand(token: Token) -> str | None:
    """What a ServiceToken has without waiting: a time-out for nothing takes a fifth of a request."""
    ask: Callable[[], str | None] | None = getattr(token, "at_hand", None)
    return None if ask is None else ask()


@lru_cache(256)
def _bearer(token: str) -> str:
    if not token.isascii() or not token.isprintable() or " " in token:
        # What came from somewhere else could end the header, and begin another.
        raise Refused(401, "token_refused", "This is no access token: it holds what can't stand in a header.")
    return f"Bearer {token}"


def _says_token_refused(fault: Refused | ServiceAway) -> bool:
    return isinstance(fault, Refused) and fault.status == 401 and fault.code == "token_refused"


@cache
def _decoder(kind: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)
