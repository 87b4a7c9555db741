"""The development mailbox in a container: its account comes in files, and the other containers can reach it."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from aiohttp import web

from deploy.local.mailbox.app import Mailbox, application
from deploy.local.mailbox.faults import Faults
from deploy.local.mailbox.mail import protocol
from deploy.local.mailbox.sms import Gateway
from deploy.local.mailbox.store import Store

_EVERYWHERE = "0.0.0.0"  # noqa: S104 - of this container
_HTTP, _SMTP = 8080, 2525


async def serve(folder: Path, account: Path) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    store, faults = Store(folder), Faults()
    gateway = Gateway(store, faults, (account / "sms_sid").read_text(), (account / "sms_token").read_text())
    smtp = await loop.create_server(lambda: protocol(store, faults), _EVERYWHERE, _SMTP)
    runner = web.AppRunner(application(Mailbox(store, faults, _SMTP), gateway), access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, _EVERYWHERE, _HTTP).start()
    await stop.wait()
    smtp.close()
    await runner.cleanup()
    store.close()


if __name__ == "__main__":
    asyncio.run(serve(Path("/data"), Path("/secrets/mailbox")))
