"""One whole suite for the tests that need all of it; they share it one after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from deploy.local.demo.stage import staged
from deploy.local.demo.story import Story
from tests.system.platform import Platform, running


@pytest_asyncio.fixture(scope="package")  # ten processes that would go on beside all tests that come after
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    folder = tmp_path_factory.mktemp("platform")
    folder.chmod(0o711)
    async with running(folder) as platform:
        yield platform


@pytest_asyncio.fixture
async def story(platform: Platform) -> AsyncIterator[Story]:
    """A telling of its own: another organisation, other addresses."""
    async with staged(platform.urls, platform.keys, print) as story:
        yield story
