"""A headless Chromium, told what to do over the DevTools protocol (a WebSocket on the loopback)."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

from deploy.local.process import die_with_parent
from tests.pictures.fetching import Program

_PATIENCE = 30.0
_OPTIONS = [
    "--headless",
    "--no-sandbox",  # it needs root or a kernel's leave, and all that is shown here is ours
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--font-render-hinting=none",
    "--force-color-profile=srgb",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-address=127.0.0.1",
    "--remote-debugging-port=0",
]


class Browser:
    """One page, filled anew for each picture. `asked_for` are the addresses that it wanted something from."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._session = ""
        self._frame = ""
        self.asked_for: list[str] = []

    async def call(self, method: str, **parameters: Any) -> Any:
        number = next(self._numbers)
        said = {"id": number, "method": method, "params": parameters}
        await self._socket.send_json(said | ({"sessionId": self._session} if self._session else {}))
        async with asyncio.timeout(_PATIENCE):
            while True:
                heard = await self._socket.receive_json()
                if heard.get("method") == "Network.requestWillBeSent":
                    self.asked_for.append(heard["params"]["request"]["url"])
                if heard.get("id") == number:
                    if "error" in heard:
                        raise RuntimeError(f"{method}: {heard['error']['message']}")
                    return heard["result"]

    async def begin(self) -> None:
        target = (await self.call("Target.createTarget", url="about:blank"))["targetId"]
        self._session = (await self.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        self._frame = (await self.call("Page.getFrameTree"))["frameTree"]["frame"]["id"]
        await self.call("Network.enable")

    async def show(self, html: str, *, width: int, dark: bool, sharp: int = 1) -> None:
        """`sharp` is how many of the screen's dots one of CSS takes."""
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.asked_for.clear()
        await self.call("Emulation.setEmulatedMedia", features=scheme)
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=480, deviceScaleFactor=sharp, mobile=width < 480
        )
        await self.call("Page.setDocumentContent", frameId=self._frame, html=html)
        await self.evaluate("document.fonts.ready.then(() => 0)")

    async def evaluate(self, script: str) -> Any:
        said = await self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in said:
            raise RuntimeError(said["exceptionDetails"].get("exception", {}).get("description", "script failed"))
        return said["result"].get("value")

    async def picture(self) -> bytes:
        """All of the page, as PNG."""
        size = (await self.call("Page.getLayoutMetrics"))["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = await self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        return base64.b64decode(shot["data"])


@asynccontextmanager
async def opened(program: Program, folder: Path) -> AsyncIterator[Browser]:
    """With a home of its own in this folder."""
    home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_CACHE_HOME": str(folder), "LANG": "C.UTF-8"}
    process = await asyncio.create_subprocess_exec(
        program.path, *_OPTIONS, f"--user-data-dir={folder / 'profile'}", "about:blank",
        env=os.environ | program.environment | home, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True,
        preexec_fn=die_with_parent(signal.SIGKILL),
    )  # fmt: skip
    assert process.stderr is not None
    try:
        url = await _address(process.stderr)
        draining = asyncio.create_task(_drained(process.stderr))
        async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as socket:
            browser = Browser(socket)
            await browser.begin()
            yield browser
        draining.cancel()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _address(said: asyncio.StreamReader) -> str:
    heard: list[str] = []
    async with asyncio.timeout(_PATIENCE):
        while line := (await said.readline()).decode(errors="replace"):
            heard.append(line)
            if "DevTools listening on " in line:
                return line.partition("DevTools listening on ")[2].strip()
    raise RuntimeError(f"the browser ended: {''.join(heard)[-1000:]}")


async def _drained(said: asyncio.StreamReader) -> None:
    while await said.read(65536):
        pass
