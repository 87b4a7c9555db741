"""Two organisations beside each other: to the one, nothing of the other's is there.

The matrix comes out of the OpenAPI document: every operation, and in it every place where an id of the other
organisation can be put. It is run once as it is, and once with row-level security as the only wall.
"""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from services.identity.api import api
from shared.db.pool import Tx
from shared.http.openapi import document
from tests.service.bad_input.judge import judging
from tests.service.bad_input.sound import Operation, Sound, operations, request
from tests.service.identity.conftest import SMS_INBOX_SECRET, Acme, log_in, register
from tests.service.identity.sound import FOR_PRODUCTS, World

OPERATIONS = {one.id: one for one in operations(document("identity", "0", api.operations))}
# What names nothing that is there: under the same number everybody keeps an entry of their own.
NATURAL = {"allow_number"}
WITH_A_PERSON = [one for one in OPERATIONS.values() if one.needs_token and one.id not in FOR_PRODUCTS]
# What only carries a handle: the organisation stands in it, and is exchanged for the other's.
WITH_A_HANDLE = [one for one in OPERATIONS.values() if not one.needs_token]
_HANDLE = re.compile(r"^[\w-]{65}$")
_OWN_FILTER = re.compile(r"(?<![\w.])((?:\w+\.)?org) = \$1(?!\d)")


@dataclass
class Two:
    """ACME Crates, and the Rebels, whose owner Laya is. Each call of `fresh` signs Laya in anew, with her app."""

    world: World
    rebels: Acme
    luke: UUID  # a standard user of the Rebels

    def strangers(self) -> Iterator[tuple[str, UUID]]:
        yield "their owner", self.rebels.owner_id
        yield "somebody of theirs", self.luke


@pytest_asyncio.fixture
async def two(acme: Acme) -> AsyncIterator[Two]:
    form = {"grant_type": "client_credentials", "client_id": "sms-inbox", "client_secret": SMS_INBOX_SECRET}
    product = (await acme.identity.ask("POST", "/oauth/token", data=form)).json["access_token"]
    jane = (await log_in(acme.identity, await acme.activate(await acme.add()))).json["access_token"]
    rebels = await register(acme.identity, "Rebels")
    luke = await rebels.add("Luke")
    async with judging(acme.identity.url, acme.identity.session, acme.identity.owner_url) as judge:
        yield Two(World(acme, jane, product, judge), rebels, luke)


_BOTH, _ONE = "both walls", "row-level security only"


@pytest.fixture(params=[_BOTH, _ONE])
def walls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Without the first wall no statement asks for the organisation any more."""
    if request.param == _ONE:
        for name in ("one", "all"):
            monkeypatch.setattr(Tx, name, _unfiltered_rows(getattr(Tx, name)))
        for name in ("value", "column", "run"):
            monkeypatch.setattr(Tx, name, _unfiltered(getattr(Tx, name)))
    return str(request.param)


def _unfiltered(method: Any) -> Any:
    async def ask(self: Tx, sql: str, *args: object) -> Any:
        return await method(self, _without_filter(sql), *args)

    return ask


def _unfiltered_rows(method: Any) -> Any:
    async def ask(self: Tx, kind: Any, sql: str, *args: object) -> Any:
        return await method(self, kind, _without_filter(sql), *args)

    return ask


def _without_filter(sql: str) -> str:
    return _OWN_FILTER.sub("($1::uuid IS NOT NULL)", sql)


def test_the_filter_is_found_in_the_statements() -> None:
    assert _without_filter("WHERE s.org = $1 AND id = $2 OR org = $11") == (
        "WHERE ($1::uuid IS NOT NULL) AND id = $2 OR org = $11"
    )


@pytest.mark.checklist("H02", "H01", "A08")
@pytest.mark.parametrize(
    "operation", [one for one in WITH_A_PERSON if "{" in one.path and one.id not in NATURAL], ids=lambda one: one.id
)
async def test_what_is_anothers_is_not_there(two: Two, walls: str, operation: Operation) -> None:
    """Laya asks with an id of ACME's: 404, the same as for an id that nobody has, and nothing has happened."""
    sound = await _sound(two, operation)
    faults = []
    for name, value in sound.path.items():
        hers = replace(sound, token=two.rebels.ray)
        nobodys = replace(hers, path={**hers.path, name: _nobodys(value)})
        faults += await _faults(two, operation, {"an id of ACME's": hers, "an id of nobody's": nobodys}, {404})
    assert not faults, "\n".join(faults)


# The second wall alone: for ids in paths always; for the rest, which takes as long again, with `--long`.
each_wall = pytest.mark.parametrize("walls", [_BOTH, pytest.param(_ONE, marks=pytest.mark.long)], indirect=True)


@each_wall
@pytest.mark.checklist("H02")
@pytest.mark.parametrize("operation", WITH_A_PERSON, ids=lambda one: one.id)
async def test_nobody_of_another_organisation_can_be_named(two: Two, walls: str, operation: Operation) -> None:
    """Ray names somebody of the Rebels wherever an id can stand in his request: the answer is that for nobody's."""
    sound = await _sound(two, operation)
    faults = []
    for place, changed in _named(sound):
        for who, stranger in two.strangers():
            asked = {f"{who} as {place}": changed(str(stranger)), f"nobody as {place}": changed(str(uuid4()))}
            if operation.method == "GET":  # a filter: what is found is nothing, and exporting nothing is logged too
                faults += await _differences(two, operation, asked)
            else:
                faults += await _faults(two, operation, asked, {400, 403, 404, 409, 422})
    assert not faults, "\n".join(faults)


@each_wall
@pytest.mark.checklist("A08", "F06")
@pytest.mark.parametrize("operation", WITH_A_HANDLE, ids=lambda one: one.id)
async def test_a_handle_is_good_in_its_own_organisation_only(two: Two, walls: str, operation: Operation) -> None:
    """A link, a login or a refresh token of ACME's, with the Rebels' id in the place of ACME's."""
    sound = await _sound(two, operation)
    theirs = base64.urlsafe_b64encode(two.rebels.org.bytes).rstrip(b"=").decode()
    faults = []
    for place, changed in _handles(sound, theirs):
        faults += await _faults(two, operation, {f"{place} moved": changed}, {400, 401, 404, 410, 422})
    assert not faults, "\n".join(faults)


# --- making the requests --------------------------------------------------------------------------------------


async def _sound(two: Two, operation: Operation) -> Sound:
    maker: Callable[[], Awaitable[Sound]] = getattr(two.world, operation.id)
    return await maker()


async def _faults(two: Two, operation: Operation, asked: dict[str, Sound], wanted: set[int]) -> list[str]:
    """All of them are answered alike, with one of these statuses, and change nothing."""
    answers, faults = set(), []
    for name, sound in asked.items():
        before = await two.world.judge.snapshot()
        whole = request(operation, sound)
        method, path, headers, content = whole.method, whole.path, dict(whole.headers), whole.content
        answer = await two.world.identity.ask(method, path, headers=headers, data=content)
        answers.add((answer.status, answer.json.get("type", "") if isinstance(answer.json, dict) else ""))
        if answer.status not in wanted:
            faults.append(f"{name}: answered {answer.status}: {answer.text[:200]}")
        if await two.world.judge.snapshot() != before:
            faults.append(f"{name}: answered {answer.status}, and something changed or was told")
    return faults + ([f"answers that differ: {sorted(answers)}"] if len(answers) > 1 else [])


async def _differences(two: Two, operation: Operation, asked: dict[str, Sound]) -> list[str]:
    """All of them get the same answer, whole."""
    texts = set()
    for sound in asked.values():
        whole = request(operation, sound)
        answer = await two.world.identity.ask(whole.method, whole.path, headers=dict(whole.headers))
        texts.add((answer.status, answer.text))
    return [f"{' and '.join(asked)} are answered differently: {sorted(texts)}"] if len(texts) > 1 else []


def _named(sound: Sound) -> Iterator[tuple[str, Callable[[str], Sound]]]:
    """Every place in the query and the body where a UUID stands."""
    for name, value in sound.query.items():
        if _is_uuid(value):
            yield f"?{name}", lambda id, name=name: replace(sound, query={**sound.query, name: id})  # type: ignore[misc]
    for place, changed in _leaves(sound.body):
        yield place, lambda id, changed=changed: replace(sound, body=changed(id))  # type: ignore[misc]


def _leaves(body: Any, place: str = "$") -> Iterator[tuple[str, Callable[[str], Any]]]:
    if isinstance(body, dict):
        for name, value in body.items():
            for where, changed in _leaves(value, f"{place}.{name}"):
                yield where, lambda id, name=name, changed=changed: {**body, name: changed(id)}  # type: ignore[misc]
    elif isinstance(body, list):
        for n, value in enumerate(body):
            for where, changed in _leaves(value, f"{place}[{n}]"):
                yield where, lambda id, n=n, changed=changed: [*body[:n], changed(id), *body[n + 1 :]]  # type: ignore[misc]
    elif isinstance(body, str | UUID) and _is_uuid(str(body)):
        yield place, lambda id: id


def _handles(sound: Sound, prefix: str) -> Iterator[tuple[str, Sound]]:
    moved = {name: prefix + value[22:] for name, value in sound.query.items() if _HANDLE.match(value)}
    if moved:
        yield "the query's handle", replace(sound, query={**sound.query, **moved})
    for where in ("body", "form"):
        fields = getattr(sound, where)
        if isinstance(fields, dict):
            for name, value in fields.items():
                if isinstance(value, str) and _HANDLE.match(value):
                    yield f"{where}.{name}", replace(sound, **{where: {**fields, name: prefix + value[22:]}})  # type: ignore[arg-type]


def _is_uuid(value: str) -> bool:
    try:
        UUID(value)
    except ValueError:
        return False
    return True


def _nobodys(value: str) -> str:
    """Of the same kind, and nobody's."""
    if value.startswith("+"):
        return "+61491570158"
    return str(uuid4()) if _is_uuid(value) else value[::-1]
