"""What is read of a request for evaluations is the same the second time, when it is not read any more."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from services.authz import reading
from services.authz.reading import Reading

JANE, LUKE = UUID(int=1), UUID(int=2)
SEND = {"action": {"name": "sms.send"}, "resource": {"type": "inbox", "id": "sales"}}
WORDS = ("sms.send", "inbox", "sales")


def about(who: UUID) -> dict[str, Any]:
    return {"subject": {"type": "staff", "id": str(who)}}


def written(body: object) -> bytes:
    return json.dumps(body).encode()


def alone(found: Reading, body: object) -> tuple[UUID, tuple[str, str, str], dict[str, Any], bool] | None:
    asked = found.alone(written(body))
    return None if asked is None else (asked.staff, asked.words, asked.properties, asked.told)


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (about(JANE) | SEND, (JANE, WORDS, {}, False)),
        (about(LUKE) | SEND, (LUKE, WORDS, {}, False)),
        (about(JANE) | SEND | {"context": {"explain": True}}, (JANE, WORDS, {}, True)),
        (
            about(JANE)
            | {
                "action": {"name": "sms.send", "properties": {"b": "action"}},
                "resource": {"type": "inbox", "id": "sales", "properties": {"a": 1, "b": "item"}},
            },
            (JANE, WORDS, {"a": 1, "b": "action"}, False),
        ),
        (about(JANE) | SEND | {"context": {"min_revision": 1}}, None),
        (about(JANE) | SEND | {"context": {"explain": 1}}, None),
        (about(JANE) | {"action": {"name": "sms.send"}}, None),
        ({"subject": {"type": "product", "id": str(JANE)}} | SEND, None),
        ([], None),
    ],
)
def test_alone(body: object, read: object) -> None:
    found = Reading()
    assert [alone(found, body) for _ in range(3)] == [read] * 3


def test_one_of_many_says_for_itself_what_it_says_and_takes_the_rest_from_all() -> None:
    found = Reading()
    parts = [
        SEND,
        {},
        about(LUKE),
        {"context": {"explain": True}},
        {"resource": {"type": "inbox", "id": "sales", "properties": {"a": 1}}},
    ]
    content = written(
        about(JANE) | {"action": {"name": "sms.read"}, "resource": SEND["resource"], "evaluations": parts}
    )
    read = ("sms.read", "inbox", "sales")
    for _ in range(3):
        said = found.many(content)
        assert said is not None
        many, those = said
        assert [part.words for part in those] == [WORDS, None, None, None, None]
        whole = [part.said.after(many) for part in those]
        assert [one and (one.staff, one.words, one.properties, one.told) for one in whole] == [
            (JANE, WORDS, {}, False),
            (JANE, read, {}, False),
            (LUKE, read, {}, False),
            (JANE, read, {}, True),
            (JANE, read, {"a": 1}, False),
        ]


def test_the_same_part_under_another_head_is_another_question() -> None:
    found = Reading()
    for who in (JANE, LUKE):
        said = found.many(written(about(who) | SEND | {"evaluations": [{}, {"context": {"explain": True}}]}))
        assert said is not None
        whole = [part.said.after(said[0]) for part in said[1]]
        assert [one and (one.staff, one.told) for one in whole] == [(who, False), (who, True)]


@pytest.mark.parametrize(
    "last", [b"7", b'{"action": {"name": 7}}', b'{"action": {"name": "\xff"}}', b'{"subject": null}']
)
def test_where_one_of_many_can_not_be_read_none_is(last: bytes) -> None:
    found = Reading()
    for _ in range(2):
        assert found.many(b'{"evaluations": [%b, %b]}' % (written(SEND), last)) is None


@pytest.mark.parametrize("count", [0, 1001])
def test_none_and_too_many_are_for_the_long_way(count: int) -> None:
    assert Reading().many(written({"evaluations": [SEND] * count})) is None


def test_the_words_are_the_very_ones_of_the_last_time() -> None:
    found, content = Reading(), written(about(JANE) | SEND)
    first, again = found.alone(content), found.alone(bytes(bytearray(content)))
    assert first is not None
    assert again is first


def test_what_is_remembered_is_short_and_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_REMEMBERED", 10)
    found = Reading()
    for number in range(25):
        assert alone(found, about(UUID(int=number)) | SEND) == (UUID(int=number), WORDS, {}, False)
        many(found, SEND | {"resource": {"type": "inbox", "id": str(number)}})
    assert (len(found._alone), len(found._among)) == (5, 5)
    long = {"note": "x" * 600}
    assert alone(found, about(JANE) | SEND | {"context": long}) == (JANE, WORDS, {}, False)
    many(found, SEND | {"resource": {"type": "inbox", "id": "sales", "note": "x" * 600}})
    assert alone(found, about(JANE) | {"context": {"min_revision": 3}}) is None
    assert (len(found._alone), len(found._among)) == (5, 5)


def test_nothing_nested_is_kept() -> None:
    """Of 512 bytes there can be made 150 lists."""
    found, nested = Reading(), {"x": [[]] * 40}
    item = {"type": "inbox", "id": "sales", "properties": nested}
    assert alone(found, about(JANE) | SEND | {"resource": item}) == (JANE, WORDS, nested, False)
    for part in ({"context": nested}, {"resource": item}, about(JANE) | {"context": nested}):
        many(found, SEND | part)
    assert (len(found._alone), len(found._among)) == (0, 0)
    assert alone(found, about(JANE) | SEND | {"context": nested}) == (JANE, WORDS, {}, False)
    [kept] = found._alone.values()
    assert kept.properties == {}, "what stands in the context is not looked at again"


def many(found: Reading, part: object) -> None:
    assert found.many(written({"evaluations": [part]})) is not None
