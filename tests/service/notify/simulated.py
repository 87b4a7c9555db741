"""Providers that go bad when they are told to: an SMS gateway and an SMTP server, real ones on real sockets, and one that
is asked without any. Each counts what it has accepted."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections import Counter, defaultdict
from contextlib import AsyncExitStack, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from aiohttp import web

from deploy.local.ports import free_port
from services.notify.channels.port import Accepted, Deferred, Down, Outgoing, Unsure
from services.notify.provider.settings import ProviderSettings, SmtpSettings, TwilioSettings
from tests.conftest import FrozenClock
from tests.service.notify.conftest import ACCOUNT, Mailbox, smtp_server

_CODE = re.compile(r"\d{8}")

# Nothing of what is tested with these is about limits.
NO_LIMITS = json.dumps(
    dict.fromkeys((
        "number_per_hour", "number_per_day", "prefix_per_hour", "address_per_hour", "address_per_day", "person_per_hour",
        "person_per_day", "ip_per_hour", "organisation_sms_per_day", "organisation_emails_per_day",
    ), 1_000_000)
    | {"countries": ["AU"]}
    | {"conversion": dict.fromkeys(("prefix_per_hour", "prefix_per_day", "others_per_hour", "others_per_day"), 1_000_000)}
)  # fmt: skip


class RunningClock(FrozenClock):
    """Goes on by itself, and can be put forward besides."""

    def __init__(self) -> None:
        super().__init__()
        self._began = time.monotonic()

    def now(self) -> datetime:
        return self.time + timedelta(seconds=time.monotonic() - self._began)


@dataclass
class Asked:
    """What a provider was asked for and has accepted, by what tells one message from another, and when it was first asked."""

    asked: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    first: float | None = None

    def note(self, text: str) -> None:
        self.asked[text] += 1
        self.first = self.first or time.monotonic()


class Gateway:
    """An SMS gateway that speaks as Twilio does. `seconds` is how long it takes to answer, `status` what it answers;
    `silent` takes the message and hangs up."""

    def __init__(self, name: str) -> None:
        self.name, self.port = name, free_port()
        self.seconds, self.status, self.silent = 0.0, 201, False
        self.hold: asyncio.Event | None = None
        self.seen = Asked()
        self._stack = AsyncExitStack()

    @property
    def settings(self) -> ProviderSettings:
        return TwilioSettings(name=self.name, url=f"http://{ACCOUNT}:token@127.0.0.1:{self.port}", sender="Staffgate")

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuse()

    async def open(self) -> None:
        app = web.Application()
        app.add_routes([web.post(f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json", self._take)])
        # Requests that are under way when it is closed lose their connection at once.
        runner = web.AppRunner(app, shutdown_timeout=0.01, handler_cancellation=True)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", self.port, reuse_address=True).start()

    async def refuse(self) -> None:
        """Nobody listens there any more."""
        await self._stack.aclose()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        text = _CODE.findall(str((await request.post())["Body"]))[0]
        self.seen.note(text)
        if self.hold:
            await self.hold.wait()
        await asyncio.sleep(self.seconds)
        if self.status >= 300:
            return web.json_response({"code": 20500, "message": "out of order"}, status=self.status)
        self.seen.accepted[text] += 1
        if self.silent:
            assert request.transport is not None
            request.transport.close()
        return web.json_response({"sid": f"SM{random.randrange(10**12)}"}, status=201)  # noqa: S311


class Server(Mailbox):
    """An SMTP server; beside what a Mailbox can do it takes `seconds` over each message, says of every recipient that it
    will be taken `later`, and can be closed. `tries` are all it was asked for, each with the time."""

    def __init__(self, name: str, clock: FrozenClock) -> None:
        super().__init__()
        self.name, self.port, self.seconds, self.later = name, free_port(), 0.0, False
        self.tries: dict[str, list[datetime]] = defaultdict(list)
        self.arrived: dict[str, list[datetime]] = defaultdict(list)
        self._clock = clock
        self.seen = Asked()
        self._stack = AsyncExitStack()

    @property
    def settings(self) -> ProviderSettings:
        url = f"smtp://127.0.0.1:{self.port}?tls=none"
        return SmtpSettings(name=self.name, url=url, sender="Staffgate <no-reply@staffgate.example>")

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuse()

    async def open(self) -> None:
        await self._stack.enter_async_context(smtp_server(self, port=self.port))

    async def refuse(self) -> None:
        await self._stack.aclose()

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        self.tries[address].append(self._clock.now())
        if self.later:
            return "451 4.7.1 Try again later"
        return await super().handle_RCPT(server, session, envelope, address, options)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        to = envelope.rcpt_tos[0]
        self.seen.note(to)
        await asyncio.sleep(self.seconds)
        answer = await super().handle_DATA(server, session, envelope)
        if answer.startswith("250"):
            self.seen.accepted[to] += 1
            self.arrived[to].append(self._clock.now())
        return answer


class Unreliable:
    """A provider without a socket: what it does with a message is drawn by lot, and it knows what it has accepted."""

    channel = "email"

    def __init__(self, name: str, dice: random.Random) -> None:
        self.name = name
        self.accepted: Counter[UUID] = Counter()
        self.asked: Counter[UUID] = Counter()
        self.faulty = True
        self._dice = dice

    def opened(self) -> Any:
        return nullcontext()

    async def send(self, message: Outgoing) -> Accepted:
        self.asked[message.id] += 1
        await asyncio.sleep(self._dice.random() / 200)
        match self._dice.randrange(16) if self.faulty else 15:
            case 0 | 1:
                raise Down("503")
            case 2:
                raise Deferred("451 later")
            case 3:
                raise Unsure("lost before it was taken")
            case 4:
                self.accepted[message.id] += 1
                raise Unsure("lost after it was taken")
            case 5:
                self.accepted[message.id] += 1
                raise RuntimeError("a fault of ours after it was taken")
            case 6:
                self.accepted[message.id] += 1
                raise asyncio.CancelledError  # as if we had died there
            case 7:
                await asyncio.sleep(0.2)  # slow
        self.accepted[message.id] += 1
        return Accepted(answer="250")
