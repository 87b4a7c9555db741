"""Two servers of the same service, one of them with the express in front."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.unit.http.connection import Both, Listening


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both() -> AsyncIterator[Both]:
    fast, slow = Listening(express=True), Listening(express=False)
    await fast.runner.setup()
    await slow.runner.setup()
    yield Both(fast, slow)
    await fast.runner.cleanup()
    await slow.runner.cleanup()
