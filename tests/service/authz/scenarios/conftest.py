"""One authz for the scenarios of a text: each has a company of its own, and companies know nothing of one another."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from deploy.local.databases import Urls
from tests.conftest import FrozenClock
from tests.service.authz.conftest import Authz, surroundings


@pytest_asyncio.fixture(scope="module")
async def authz(database: Urls) -> AsyncIterator[Authz]:
    async with surroundings(database, FrozenClock()) as authz:
        authz.first = await authz.replica()
        yield authz
