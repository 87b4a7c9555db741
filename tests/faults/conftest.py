"""A suite of its own: here things get killed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.notify_world import World, opened
from tests.system.conftest import platform, story

__all__ = ["platform", "story"]


@pytest_asyncio.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with opened(tmp_path_factory.mktemp("notify")) as world:
        yield world
