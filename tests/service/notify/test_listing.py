"""GET /v1/deliveries by filter and by page. Who sees which is in test_looking."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from services.notify.delivery import places
from shared.errors import Invalid
from staffgate.contracts.caller import StaffType
from tests.service.notify.conftest import ACME, IDS, JANE, RAY, Running, code_issued, link_issued, until
from tests.service.notify.test_looking import get, ready

COUNT = 23


@pytest_asyncio.fixture
async def many(surroundings: Running) -> Running:
    """So many to Jane and to Ray in turn, three at each moment; the last has failed."""
    await surroundings.start()
    await until(lambda: ready(surroundings))
    for n in range(COUNT):
        if n % 3 == 0:
            surroundings.clock.advance(minutes=1)
        await put(surroundings, JANE if n % 2 else RAY, "activate" if n % 5 else "reset")
    surroundings.clock.advance(minutes=1)  # of two links of one moment either may be the newer
    link = link_issued(surroundings.clock, to="nobody at all")
    await surroundings.publish(link)
    await surroundings.row(link.link, "failed")
    return surroundings


async def put(notify: Running, staff: UUID, template: str) -> None:
    now = notify.clock.now()
    await notify.owner.execute(
        "INSERT INTO delivery (org, id, staff, channel, template, priority, state, next_attempt_at, issued_at, created_at,"
        " deadline, finished_at, traceparent) VALUES ($1, $2, $3, 'email', $4, 10, 'sent', $5, $5, $5, $6, $5, '')",
        ACME, IDS.uuid(), staff, template, now, now + timedelta(hours=1),
    )  # fmt: skip


async def pages(notify: Running, token: str, **query: Any) -> list[list[dict[str, Any]]]:
    found, after = [], None
    while True:
        status, said = await get(notify, token, **query, **({"after": after} if after else {}))
        assert status == 200
        found.append(said["deliveries"])
        if not (after := said["next"]):
            return found


@pytest.mark.parametrize("limit", [1, 2, 7, COUNT + 1, 200])
async def test_page_after_page_everything_comes_once_and_the_newest_first(many: Running, limit: int) -> None:
    ray = many.token(RAY, StaffType.OWNER)
    found = await pages(many, ray, limit=limit)
    whole = [one for page in found for one in page]
    assert len({one["id"] for one in whole}) == len(whole) == COUNT + 1
    assert whole == sorted(whole, key=lambda one: (one["created_at"], one["id"]), reverse=True)
    assert all(len(page) == limit for page in found[:-1])
    assert 0 < len(found[-1]) <= limit


async def test_what_is_added_meanwhile_shifts_no_page(many: Running) -> None:
    ray = many.token(RAY, StaffType.OWNER)
    _, first = await get(many, ray, limit=10)
    many.clock.advance(minutes=1)
    await put(many, JANE, "activate")
    _, second = await get(many, ray, limit=10, after=first["next"])
    ids = [one["id"] for one in first["deliveries"] + second["deliveries"]]
    assert len(set(ids)) == 20


async def test_each_filter_and_all_together(many: Running) -> None:
    ray = many.token(RAY, StaffType.OWNER)
    whole = (await pages(many, ray, limit=200))[0]
    code = code_issued(many.clock)
    await many.publish(code)
    await many.row(code.code, "sent")
    since = sorted(one["created_at"] for one in whole)[12]
    for query, expected in (
        ({"state": "failed"}, [one for one in whole if one["state"] == "failed"]),
        ({"state": "dead"}, []),
        ({"template": "reset"}, [one for one in whole if one["template"] == "reset"]),
        ({"staff": JANE}, [one for one in whole if one["staff"] == str(JANE)]),
        ({"since": since}, [one for one in whole if one["created_at"] >= since]),
        (
            {"since": since, "staff": RAY, "template": "activate", "state": "sent"},
            [
                one
                for one in whole
                if one["created_at"] >= since
                and (one["staff"], one["template"], one["state"]) == (str(RAY), "activate", "sent")
            ],
        ),
    ):
        found = [one for page in await pages(many, ray, **query, channel="email", limit=3) for one in page]
        assert found == expected, query
    for query in ({"channel": "sms"}, {"provider": "sms"}):
        ((only,),) = await pages(many, ray, **query)
        assert only["id"] == str(code.code)


async def test_a_filter_shows_nobody_more_than_their_own(many: Running) -> None:
    jane = many.token(JANE, StaffType.STANDARD)
    found = [one for page in await pages(many, jane, limit=3, template="activate") for one in page]
    assert found
    assert {one["staff"] for one in found} == {str(JANE)}


async def test_a_place_of_another_organisation_shows_nothing_of_it(many: Running) -> None:
    _, first = await get(many, many.token(RAY, StaffType.OWNER), limit=5)
    laya = many.token(IDS.uuid(), StaffType.OWNER, IDS.uuid())
    assert await get(many, laya, after=first["next"]) == (200, {"deliveries": [], "next": None})


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"after": "nonsense"}, "unknown_cursor"),
        ({"after": "a" * 101}, "invalid"),
        ({"after": places.written(datetime(2026, 11, 22, tzinfo=UTC), RAY)[:-4]}, "unknown_cursor"),
        ({"state": "lost"}, "invalid"),
        ({"channel": "pigeon"}, "invalid"),
        ({"template": "a b"}, "invalid"),
        ({"template": "reset\0"}, "invalid"),
        ({"since": "2026-11-22T09:00:00"}, "invalid"),  # of which clock?
        ({"since": "yesterday"}, "invalid"),
        ({"since": "-1"}, "invalid"),
        ({"since": "2026-13-22T09:00:00Z"}, "no_such_time"),
        ({"since": "0001-01-01T00:00:00+14:00"}, "no_such_time"),
        ({"limit": 0}, "invalid"),
        ({"limit": 201}, "invalid"),
        ({"colour": "blue"}, "invalid"),
    ],
)
async def test_what_can_not_be_asked_is_said(notify: Running, query: dict[str, Any], problem: str) -> None:
    await until(lambda: ready(notify))
    status, said = await get(notify, notify.token(RAY, StaffType.OWNER), **query)
    assert (status, said["type"]) == (422, f"urn:staffgate:problem:{problem}")


@given(st.datetimes(), st.uuids())
def test_a_place_is_read_as_it_was_written(at: datetime, id: UUID) -> None:
    at = at.replace(tzinfo=UTC)
    assert places.read(places.written(at, id)) == (at, id)


_packed = st.binary(min_size=24, max_size=24).map(lambda raw: base64.urlsafe_b64encode(raw).decode())


@given(st.text(max_size=100) | _packed)
def test_nothing_else_ever_comes_of_a_strangers_place(text: str) -> None:
    try:
        at, _ = places.read(text)
    except Invalid:
        return
    assert at.tzinfo is not None
