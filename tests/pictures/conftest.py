"""The browser, started once. Where none can be had the tests say so; where everything has to be tested, they fail."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.pictures import fetching
from tests.pictures.browser import Browser, opened
from tests.pictures.fetching import NoBrowser, Program


@pytest.fixture(scope="session")
def program() -> Program:
    return looked_for()


def looked_for() -> Program:
    try:
        return fetching.found()
    except NoBrowser as fault:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"NO E-MAIL WAS LOOKED AT. {fault}")


@pytest_asyncio.fixture(scope="session")
async def browser(program: Program, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    async with opened(program, tmp_path_factory.mktemp("browser")) as browser:
        yield browser
