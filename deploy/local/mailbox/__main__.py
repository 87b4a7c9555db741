"""`python -m deploy.local.mailbox --folder DIR`, with its ports and the SMS account in MAILBOX_* variables."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from pathlib import Path

from aiohttp import web

from deploy.local.mailbox.app import Mailbox, application
from deploy.local.mailbox.faults import Faults
from deploy.local.mailbox.mail import protocol
from deploy.local.mailbox.sms import Gateway
from deploy.local.mailbox.store import Store
from deploy.local.ports import HOST


async def serve(folder: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    http_port, smtp_port = int(os.environ["MAILBOX_HTTP_PORT"]), int(os.environ["MAILBOX_SMTP_PORT"])
    store, faults = Store(folder), Faults()
    gateway = Gateway(store, faults, os.environ["MAILBOX_SMS_SID"], os.environ["MAILBOX_SMS_TOKEN"])
    smtp = await loop.create_server(lambda: protocol(store, faults), HOST, smtp_port)
    app = application(Mailbox(store, faults, smtp_port), gateway)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, HOST, http_port).start()
    print(f"mailbox: page on port {http_port}, SMTP on port {smtp_port}, {len(store.find())} messages", flush=True)
    await stop.wait()
    smtp.close()
    await runner.cleanup()
    store.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.local.mailbox", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    asyncio.run(serve(parser.parse_args().folder))


if __name__ == "__main__":
    main()
