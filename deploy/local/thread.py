"""Blocking work beside the event loop, in threads that do not hold the program back when it wants to end."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable


async def in_thread(work: Callable[[], None]) -> None:
    """Like asyncio.to_thread, but a daemon: its pool would wait minutes for a download that nobody wants any more."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error:
            done.set_exception(error)
        else:
            done.set_result(None)

    def work_and_tell() -> None:
        error: BaseException | None = None
        try:
            work()
        except BaseException as raised:
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop has closed meanwhile
            loop.call_soon_threadsafe(settle, error)

    threading.Thread(target=work_and_tell, daemon=True).start()
    await done
