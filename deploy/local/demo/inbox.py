"""The SMS inbox of `examples/` as a process of its own beside the suite, as any product service is."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp

from deploy.local.databases import with_database, with_login
from deploy.local.demo.world import Astray
from deploy.local.keys import Keys
from deploy.local.options import ROOT
from deploy.local.ports import HOST, free_port
from deploy.local.process import Process
from deploy.local.thread import in_thread

_START = 30.0
_PROGRAM = ROOT / "examples" / "sms_inbox.py"


@asynccontextmanager
async def running(urls: Mapping[str, str], keys: Keys, session: aiohttp.ClientSession) -> AsyncIterator[str]:
    """Its address. It ends with the telling; what it says is in the suite's logs."""
    port = free_port()
    log = keys.folder / "log" / "sms-inbox.log"
    process = Process(
        "sms-inbox", [sys.executable, str(_PROGRAM)], log=log, env=environment(urls, keys, port), cwd=ROOT
    )
    process.spawn()
    try:
        await _ready(process, f"http://{HOST}:{port}", session)
        yield f"http://{HOST}:{port}"
    finally:
        await in_thread(process.stop)


def environment(urls: Mapping[str, str], keys: Keys, port: int) -> dict[str, str]:
    """Without `amqp` it follows authz's event stream."""
    database = with_login(with_database(urls["postgres"], "sms"), "sms_owner", keys.password("sms_owner"))
    inherited = {name: value for name, value in os.environ.items() if name != "AMQP_URL"}
    return inherited | {
        "IDENTITY_URL": urls["identity"],
        "AUTHZ_URL": urls["authz"],
        "CLIENT_SECRET": keys.client_secret("sms"),
        "DATABASE_URL": database,
        "PORT": str(port),
        **({"AMQP_URL": urls["amqp"]} if "amqp" in urls else {}),
    }


async def _ready(process: Process, url: str, session: aiohttp.ClientSession) -> None:
    try:
        async with asyncio.timeout(_START):
            while not await _answers(url, session):
                if not process.alive:
                    raise Astray(f"the SMS inbox does not start; the end of {process.log}:\n{process.tail()}")
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise Astray(f"the SMS inbox does not answer after {_START:g} s; see {process.log}") from None


async def _answers(url: str, session: aiohttp.ClientSession) -> bool:
    try:
        async with session.get(f"{url}/metrics") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
