"""One HTTP connection in memory: bytes go in in the pieces that a test says, and what is written comes out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec
from aiohttp import web

from shared.errors import Forbidden, Invalid, Unauthenticated
from shared.http.express import Express, Form, Lane, Usual, lanes
from shared.http.middleware import telling
from shared.http.operation import Api
from staffgate.contracts.caller import Caller, Person, Product

ROUNDS = 40  # of the loop in which nothing is written: then nothing will be


class Asked(msgspec.Struct):
    """`slow` is how many turns of the loop the handler takes; at once it is answered only without."""

    text: str = ""
    slow: int = 0
    refused: bool = False


class Said(msgspec.Struct):
    text: str
    by: str


class Desk:
    """A service with one operation that may be answered at once."""

    def at_once(self, caller: Caller, content: bytes) -> bytes | None:
        try:
            asked = msgspec.json.decode(content, type=Asked)
        except (msgspec.MsgspecError, ValueError):
            return None
        if asked.slow or asked.refused:
            return None
        return msgspec.json.encode(Said(asked.text, caller.name if isinstance(caller, Product) else "person"))


api = Api()


@api.post("/say", invalid=400, at_once=lambda desk: desk.at_once)
async def say(desk: Desk, caller: Person | Product, body: Asked) -> Said:
    """What was asked, said again."""
    for _ in range(min(body.slow, 20)):
        await asyncio.sleep(0)
    if body.refused:
        raise Invalid("refused", "As you wish.")
    return Said(body.text, caller.name if isinstance(caller, Product) else "person")


@api.post("/other")
async def other(_desk: Desk, body: Asked) -> Said:
    """Nobody hurries."""
    return Said(body.text, "")


TOKENS = {"good": Product(name="sms-inbox"), "known": Product(name="chatbots")}


async def authenticate(token: str) -> Caller:
    if token == "nobodys":
        raise Forbidden("wrong_caller", "Nobody's.")
    if token not in TOKENS:
        raise Unauthenticated("token_refused", "This access token is not accepted.")
    return TOKENS[token]


class Pipe(asyncio.Transport):
    """The network's end of a connection."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.written = bytearray()
        self.closing = False
        self.protocol: Any = None

    def write(self, data: Any) -> None:
        assert not self.closing, "written to what is closed"
        self.written += data

    def writelines(self, data: Iterable[Any]) -> None:
        self.write(b"".join(data))

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        if not self.closing:
            self.closing = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def is_reading(self) -> bool:
        return not self.closing

    def get_write_buffer_size(self) -> int:
        return 0

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol  # type: ignore[no-any-return]


class Listening:
    """A server without a port."""

    def __init__(self, express: bool) -> None:
        self.desk = Desk()
        app = web.Application(middlewares=[telling(0)], client_max_size=1 << 20)
        app.add_routes(api.routes(self.desk, authenticate))
        self.runner = web.AppRunner(app, access_log=None)
        self.lanes: list[Lane] = lanes(api, self.desk) if express else []
        self.express = Express(self.lanes, TOKENS.get) if express else None
        self.count = 0
        if self.express is not None:
            self._counting(self.express)

    def _counting(self, express: Express) -> None:
        answer = express.answer

        def counted(data: bytes, now: bool, usual: Usual) -> tuple[Form, bytes | None]:
            form, said = answer(data, now, usual)
            self.count += said is not None
            return form, said

        express.answer = counted  # type: ignore[method-assign]

    def speaking(self) -> asyncio.Protocol:
        server = self.runner.server
        assert server is not None
        return server() if self.express is None else self.express.speaking(server)

    async def said(self, pieces: Iterable[bytes], between: Callable[[], Awaitable[None]] | None = None) -> bytes:
        """All that is answered to these pieces, each given when nothing goes on any more, or after `between`."""
        pipe = Pipe()
        pipe.protocol = self.speaking()
        pipe.protocol.connection_made(pipe)
        for piece in pieces:
            if pipe.closing:
                break
            pipe.protocol.data_received(piece)
            await (settled(pipe) if between is None else between())
        await settled(pipe)
        if getattr(pipe.protocol, "_held", []):
            pipe.protocol._let_go()  # as after half a second
            await settled(pipe)
        closed = pipe.closing
        if not closed:
            pipe.close()
            await settled(pipe)
        return bytes(pipe.written) + (b"|closed" if closed else b"|open")


async def settled(pipe: Pipe) -> None:
    quiet, size = 0, len(pipe.written)
    while quiet < ROUNDS:
        await asyncio.sleep(0)
        quiet = quiet + 1 if len(pipe.written) == size else 0
        size = len(pipe.written)


def comparable(answers: bytes) -> bytes:
    """Without the time, and the ids that are another each time."""
    answers = re.sub(rb"\r\nDate: [^\r]+", b"", answers)
    return re.sub(rb"X-Request-ID: [0-9a-f]{32}\r", b"X-Request-ID: new\r", answers)


HEAD = {
    "Host": "authz.test:8080",
    "Authorization": "Bearer good",
    "Content-Type": "application/json",
    "X-Request-ID": "jane-1",
}


class Both:
    def __init__(self, fast: Listening, slow: Listening) -> None:
        self.fast = fast
        self.slow = slow

    async def same(self, *pieces: bytes, at_once: int | None = None) -> bytes:
        """The one answer of both; and how many of its parts came at once."""
        before = self.fast.count
        quick, right = await self.fast.said(pieces), await self.slow.said(pieces)
        assert comparable(quick) == comparable(right), pieces
        if at_once is not None:
            assert self.fast.count - before == at_once, pieces
        return quick


def request(body: bytes = b'{"text":"hello"}', line: str = "POST /say HTTP/1.1", **more: Any) -> bytes:
    head = HEAD | {name.replace("_", "-"): value for name, value in more.items()}
    head = {"Content-Length": str(len(body))} | head
    lines = [line, *(f"{name}: {value}" for name, value in head.items() if value is not None)]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
