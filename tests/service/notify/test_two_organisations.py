"""Two organisations beside each other: to the one, nothing of the other's is there.

The matrix comes out of the OpenAPI document: every operation, and in it every place where an id of the other
organisation can be put. It is run once as it is, and once with row-level security as the only wall.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from services.notify.api import api
from shared.db.pool import Tx
from shared.http.openapi import document
from tests.service.bad_input.judge import Judge
from tests.service.bad_input.sound import Operation, Sound, operations, request
from tests.service.notify.conftest import Running, link_issued, until
from tests.service.notify.sound import World
from tests.service.notify.sound.world import LAYA, REBELS
from tests.service.notify.test_looking import ready

OPERATIONS = {one.id: one for one in operations(document("notify", "0", api.operations))}
WITH_A_PERSON = [one for one in OPERATIONS.values() if one.needs_token]
_OWN_FILTER = re.compile(r"(?<![\w.])((?:\w+\.)?org) = \$1(?!\d)")


@pytest_asyncio.fixture
async def world(notify: Running) -> AsyncIterator[World]:
    """Somebody of the Rebels has had a message, too."""
    await until(lambda: ready(notify))
    link = link_issued(notify.clock, staff=LAYA, org=REBELS)
    await notify.publish(link)
    await notify.row(link.link, "sent")
    async with aiohttp.ClientSession() as session:
        yield World(notify, Judge(notify.url, session, notify.owner))


@pytest.fixture(params=["both walls", "row-level security only"])
def walls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the first wall no statement of an organisation's own transaction asks for it any more."""
    if request.param != "both walls":
        for name in ("one", "all"):
            monkeypatch.setattr(Tx, name, _unfiltered(getattr(Tx, name), rows=True))
        for name in ("value", "column", "run"):
            monkeypatch.setattr(Tx, name, _unfiltered(getattr(Tx, name), rows=False))


def _unfiltered(method: Any, *, rows: bool) -> Any:
    async def ask(self: Tx, *args: Any) -> Any:
        place = 1 if rows else 0
        return await method(self, *args[:place], _without_filter(args[place]), *args[place + 1 :])

    return ask


def _without_filter(sql: str) -> str:
    return _OWN_FILTER.sub("($1::uuid IS NOT NULL)", sql)


def test_the_filter_is_found_in_the_statements() -> None:
    assert _without_filter("WHERE org = $1 AND id = $2 OR new.org = $11") == (
        "WHERE ($1::uuid IS NOT NULL) AND id = $2 OR new.org = $11"
    )


@pytest.mark.usefixtures("walls")
@pytest.mark.checklist("H02", "H01")
@pytest.mark.parametrize("operation", [one for one in WITH_A_PERSON if "{" in one.path], ids=lambda one: one.id)
async def test_what_is_anothers_is_not_there(world: World, operation: Operation) -> None:
    """Laya asks with an id of ACME's: 404, the same as for an id that nobody has, and nothing has happened."""
    sound = await _sound(world, operation)
    faults = []
    for name in sound.path:
        hers = replace(sound, token=world.laya)
        nobodys = replace(hers, path={**hers.path, name: str(uuid4())})
        faults += await _faults(world, operation, {"an id of ACME's": hers, "an id of nobody's": nobodys})
    assert not faults, "\n".join(faults)


@pytest.mark.usefixtures("walls")
@pytest.mark.checklist("H02")
@pytest.mark.parametrize("operation", WITH_A_PERSON, ids=lambda one: one.id)
async def test_nobody_of_another_organisation_can_be_named(world: World, operation: Operation) -> None:
    """Ray names Laya wherever an id can stand in his request: the answer is that for nobody's, whole."""
    sound = await _sound(world, operation)
    for place, named in _named(sound):
        answers = {who: await _answer(world, operation, named(str(who))) for who in (LAYA, uuid4())}
        assert len(set(answers.values())) == 1, (place, answers)


@pytest.mark.usefixtures("walls")
@pytest.mark.checklist("H02")
@pytest.mark.parametrize(
    "operation", [one for one in WITH_A_PERSON if one.method == "GET" and "{" not in one.path], ids=lambda one: one.id
)
async def test_a_list_shows_what_is_ones_own(world: World, operation: Operation) -> None:
    """Asked by Laya, before and after anything of ACME's is there: the same."""
    sound = replace(await _sound(world, operation), query={}, token=world.laya)
    before = await _answer(world, operation, sound)
    await world.sent()
    for other in OPERATIONS.values():
        if other.needs_token and other.method in ("PUT", "POST"):
            await _answer(world, other, await _sound(world, other))
    assert await _answer(world, operation, sound) == before


# --- making the requests --------------------------------------------------------------------------------------


async def _sound(world: World, operation: Operation) -> Sound:
    maker: Callable[[], Awaitable[Sound]] = getattr(world, operation.id)
    return await maker()


async def _answer(world: World, operation: Operation, sound: Sound) -> tuple[int, str]:
    whole = request(operation, sound)
    url = URL(world.notify.url + whole.path, encoded=True)
    async with (
        aiohttp.ClientSession() as session,
        session.request(whole.method, url, headers=dict(whole.headers), data=whole.content) as response,
    ):
        return response.status, (await response.read()).decode(errors="replace")


async def _faults(world: World, operation: Operation, asked: dict[str, Sound]) -> list[str]:
    """All of them are answered 404 alike, and change nothing."""
    faults = []
    for name, sound in asked.items():
        before = await world.judge.snapshot()
        status, said = await _answer(world, operation, sound)
        if status != 404:
            faults.append(f"{name}: answered {status}: {said[:200]}")
        if await world.judge.snapshot() != before:
            faults.append(f"{name}: answered {status}, and something changed or was told")
    return faults


def _named(sound: Sound) -> Iterator[tuple[str, Callable[[str], Sound]]]:
    """Every place in the query and the body where a UUID stands."""
    for name, value in sound.query.items():
        if _is_uuid(value):
            yield f"?{name}", lambda id, name=name: replace(sound, query={**sound.query, name: id})  # type: ignore[misc]
    for name, value in sound.body.items() if isinstance(sound.body, dict) else ():
        if isinstance(value, str | UUID) and _is_uuid(str(value)):
            yield f"$.{name}", lambda id, name=name: replace(sound, body={**sound.body, name: id})  # type: ignore[misc]


def _is_uuid(value: str) -> bool:
    try:
        UUID(value)
    except ValueError:
        return False
    return True
