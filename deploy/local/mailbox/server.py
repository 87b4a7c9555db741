"""The mailbox at work: two doors, one store, until a signal asks to stop."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import msgspec
from aiohttp import web

from deploy.local.mailbox.app import Mailbox, application
from deploy.local.mailbox.faults import Faults
from deploy.local.mailbox.mail import protocol
from deploy.local.mailbox.sms import Gateway
from deploy.local.mailbox.store import Store


class Place(msgspec.Struct, frozen=True):
    """Where it listens, and the account of its SMS gateway."""

    host: str
    http_port: int
    smtp_port: int
    sms_sid: str
    sms_token: str


async def serve(folder: Path, place: Place) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    store, faults = Store(folder), Faults()
    gateway = Gateway(store, faults, place.sms_sid, place.sms_token)
    smtp = await loop.create_server(lambda: protocol(store, faults), place.host, place.smtp_port)
    app = application(Mailbox(store, faults, place.smtp_port), gateway)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, place.host, place.http_port).start()
    doors = f"page on port {place.http_port}, SMTP on port {place.smtp_port}"
    print(f"mailbox: {doors}, {len(store.find())} messages", flush=True)
    await stop.wait()
    smtp.close()
    await runner.cleanup()
    store.close()
