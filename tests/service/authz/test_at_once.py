"""What is answered at once, out of memory and in front of the HTTP parser, is what the long way answers: the same status,
headers and body for every request, whoever asks, and after every change."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from deploy.local.databases import Urls
from services.authz.at_once import AtOnce
from services.authz.reading import _staff
from shared.http.express import Express, Form, Usual
from staffgate.contracts.identity import SessionsEnded, StaffSuspended
from staffgate.mirror import Mirror
from tests.conftest import FrozenClock
from tests.service.authz.conftest import NOBODY, Answer, Authz, Organisation, Replica, Someone, registered, surroundings

ONE, MANY = "/access/v1/evaluation", "/access/v1/evaluations"


class Counted:
    """How many were answered in front of the parser, and how many at once behind it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.express = self.at_once = 0
        self.off = False
        answer, one, many = Express.answer, AtOnce.evaluate, AtOnce.evaluate_all

        def express(this: Express, data: bytes, now: bool, usual: Usual) -> tuple[Form, bytes | None]:
            form, said = answer(this, data, now, usual)
            self.express += said is not None
            return form, said

        def counting(ask: Any) -> Any:
            def at_once(this: AtOnce, caller: Any, content: bytes) -> bytes | None:
                said: bytes | None = None if self.off else ask(this, caller, content)
                self.at_once += said is not None
                return said

            return at_once

        patch.setattr(Express, "answer", express)
        patch.setattr(AtOnce, "evaluate", counting(one))
        patch.setattr(AtOnce, "evaluate_all", counting(many))

    @contextmanager
    def the_long_way(self) -> Iterator[None]:
        self.off = True
        yield
        self.off = False


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


@pytest_asyncio.fixture(scope="module")
async def authz(database: Urls) -> AsyncIterator[Authz]:
    async with surroundings(database, FrozenClock()) as authz:
        authz.first = await authz.replica()
        yield authz


@pytest_asyncio.fixture(scope="module")
async def acme(authz: Authz) -> Organisation:
    return await registered(authz)


@pytest_asyncio.fixture(scope="module")
async def jane(acme: Organisation) -> Someone:
    await acme.register("inbox:sales", "inbox:management")
    jane = await acme.add()
    await acme.granted(jane, ("read", {}), ("use", {"item": "inbox:sales"}), ("deny", {"item": "inbox:management"}))
    return jane


def question(who: object, action: str = "sms.send", id: str = "sales", **more: Any) -> dict[str, Any]:
    return {
        "subject": {"type": "staff", "id": str(who)},
        "action": {"name": action},
        "resource": {"type": "inbox", "id": id},
    } | more


async def asked(replica: Replica, path: str, body: Any, token: str) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "X-Request-ID": "jane-1"}
    return await replica.ask("POST", path, token=token, data=data, headers=headers)


async def same(authz: Authz, counted: Counted, path: str, body: Any, token: str) -> tuple[Answer, bool]:
    """The answer, the same each way; and whether it came at once in the end."""
    assert authz.first is not None
    with counted.the_long_way():
        right = await asked(authz.first, path, body, token)
    await asked(authz.first, path, body, token)  # by now the token is known, and all that there is to load
    before = counted.express
    quick = await asked(authz.first, path, body, token)
    assert (quick.status, quick.text) == (right.status, right.text), body
    drop = {"Date"}
    assert [(n, v) for n, v in quick.headers.items() if n not in drop] == [
        (n, v) for n, v in right.headers.items() if n not in drop
    ]
    return quick, counted.express > before


AT_ONCE: dict[str, dict[str, Any]] = {
    "allowed": {},
    "denied": {"action": {"name": "sms.delete"}},
    "an item's own grant": {"resource": {"type": "inbox", "id": "management"}},
    "an item that is not registered": {"resource": {"type": "inbox", "id": "other"}},
    "explained": {"context": {"explain": True}},
    "explained and denied": {"context": {"explain": True}, "action": {"name": "sms.delete"}},
    "not explained": {"context": {"explain": False}},
    "a context of the product's own": {"context": {"ip": "203.0.113.7", "n": [1, {"a": None}]}},
    "a row": {"resource": {"type": "contact", "id": "7", "properties": {"owner": NOBODY.hex}}, "action": {"name": "contacts.view"}},
    "a row, explained": {"resource": {"type": "contact", "id": "7", "properties": {"team": "x"}}, "action": {"name": "contacts.view"}, "context": {"explain": True}},
    "a section": {"resource": {"type": "section", "id": "sms"}, "action": {"name": "sms.view"}, "context": {"explain": True}},
    "a product": {"resource": {"type": "product", "id": "sms"}, "action": {"name": "product.use"}, "context": {"explain": True}},
    "an action's properties": {"action": {"name": "sms.send", "properties": {"channel": "sms"}}, "context": {"explain": True}},
    "properties of another kind": {"resource": {"type": "inbox", "id": "sales", "properties": {"owner": 7}}, "context": {"explain": True}},
    "a route": {"action": {"name": "call.route", "properties": {"destination": {"type": "ivr", "id": "a"}}}, "resource": {"type": "ivr", "id": "b"}, "context": {"explain": True}},
    "an unknown action": {"action": {"name": "nobody.knows"}, "context": {"explain": True}},
    "an unknown type": {"resource": {"type": "spaceship", "id": "falcon"}, "context": {"explain": True}},
    "what nobody asked to say": {"extra": {"a": 1}, "subject": {"type": "staff", "properties": {"role": "admin"}}},
}  # fmt: skip


@pytest.mark.parametrize("name", AT_ONCE)
async def test_a_question_that_can_be_answered_at_once_is(
    authz: Authz, jane: Someone, counted: Counted, name: str
) -> None:
    body = question(jane.id) | AT_ONCE[name]
    body["subject"] = body["subject"] | {"id": str(jane.id)}
    _, at_once = await same(authz, counted, ONE, body, authz.product)
    assert at_once
    many = {"evaluations": [body, question(jane.id), body], "context": {"explain": True}}
    _, at_once = await same(authz, counted, MANY, many, authz.product)
    assert at_once


LONG: dict[str, Any] = {
    "a revision": {"context": {"min_revision": 1}},
    "a revision that is none": {"context": {"min_revision": "x"}},
    "a revision that never comes": {"context": {"min_revision": -1}},
    "an explanation that is none": {"context": {"explain": "yes"}},
    "to be waited for": {"context": {"await_subject": True}},
    "nobody": {"subject": {"type": "staff", "id": str(NOBODY)}},
    "not a person": {"subject": {"type": "robot", "id": "r2"}},
    "no id": {"subject": {"type": "staff", "id": "jane"}},
    "no subject": {"subject": None},
    "a name that is a number": {"action": {"name": 7}},
    "properties that are a list": {"resource": {"type": "inbox", "id": "sales", "properties": []}},
    "a context that is a list": {"context": []},
}


@pytest.mark.parametrize("name", LONG)
async def test_what_has_to_be_waited_for_or_refused_goes_the_long_way(
    authz: Authz, jane: Someone, counted: Counted, name: str
) -> None:
    body = question(jane.id) | LONG[name]
    _, at_once = await same(authz, counted, ONE, body, authz.product)
    assert not at_once
    many = {"evaluations": [question(jane.id), body]}
    _, at_once = await same(authz, counted, MANY, many, authz.product)
    assert not at_once


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 3000, b'{"subject":1}'], ids=repr)
@pytest.mark.parametrize("path", [ONE, MANY])
async def test_what_can_not_be_read_is_refused_as_ever(authz: Authz, counted: Counted, path: str, body: bytes) -> None:
    answer, at_once = await same(authz, counted, path, body, authz.product)
    assert answer.status == 400
    assert not at_once


MANY_AT_ONCE: dict[str, Any] = {
    "defaults for all": {"action": {"name": "sms.send"}, "evaluations": [{"resource": {"type": "inbox", "id": n}} for n in "abc"]},
    "an end at the first denial": {"options": {"evaluations_semantic": "deny_on_first_deny"}},
    "an end at the first permit": {"options": {"evaluations_semantic": "permit_on_first_permit"}},
    "everything": {"options": {"evaluations_semantic": "execute_all"}},
    "an end, explained": {"options": {"evaluations_semantic": "deny_on_first_deny"}, "context": {"explain": True}},
}  # fmt: skip


@pytest.mark.parametrize("name", MANY_AT_ONCE)
async def test_many_at_once(authz: Authz, jane: Someone, counted: Counted, name: str) -> None:
    mixed = [question(jane.id, action) for action in ("sms.send", "sms.delete", "sms.read", "sms.edit")]
    body = {"subject": {"type": "staff", "id": str(jane.id)}, "evaluations": mixed} | MANY_AT_ONCE[name]
    _, at_once = await same(authz, counted, MANY, body, authz.product)
    assert at_once


@pytest.mark.parametrize(
    "more",
    [{"evaluations": []}, {}, {"evaluations": [{}]}, {"evaluations": [7]}, {"options": {"evaluations_semantic": "x"}}],
    ids=str,
)
async def test_many_that_are_not_all_well(authz: Authz, jane: Someone, counted: Counted, more: Any) -> None:
    body = {"evaluations": [question(jane.id), question(jane.id)]} | more
    if not more:
        body = question(jane.id)
    _, at_once = await same(authz, counted, MANY, body, authz.product)
    assert not at_once


async def test_a_thousand_and_no_more(authz: Authz, jane: Someone, counted: Counted) -> None:
    for count in (1000, 1001):
        body = {"evaluations": [question(jane.id, id=f"box-{n}") for n in range(count)]}
        answer, _ = await same(authz, counted, MANY, body, authz.product)
        assert answer.status == (200 if count == 1000 else 400)


# --- who asks -------------------------------------------------------------------------------------------------


async def test_people_ask_about_themselves_only(
    authz: Authz, acme: Organisation, jane: Someone, counted: Counted
) -> None:
    _, at_once = await same(authz, counted, ONE, question(jane.id), jane.token)
    assert at_once
    answer, at_once = await same(authz, counted, ONE, question(acme.ray.id), jane.token)
    assert (answer.status, at_once) == (403, False)
    both = {"evaluations": [question(jane.id), question(acme.ray.id)]}
    answer, at_once = await same(authz, counted, MANY, both, jane.token)
    assert (answer.status, at_once) == (200, False)


async def test_who_was_put_out_is_refused_in_front_of_the_parser_too(
    authz: Authz, acme: Organisation, counted: Counted
) -> None:
    luke = await acme.add()
    token = luke.token
    _, at_once = await same(authz, counted, ONE, question(luke.id), token)
    assert at_once
    await authz.publish(SessionsEnded(org=acme.org, staff=luke.id, sessions=[luke.session]))
    assert authz.first is not None
    assert (await asked(authz.first, ONE, question(luke.id), token)).status == 401


async def test_a_token_is_good_until_it_expires(authz: Authz, acme: Organisation, counted: Counted) -> None:
    han = await acme.add()
    token = han.token
    assert (await same(authz, counted, ONE, question(han.id), token))[1]
    before = authz.clock.time
    authz.clock.advance(seconds=301)
    assert authz.first is not None
    assert (await asked(authz.first, ONE, question(han.id), token)).status == 401
    authz.clock.time = before


# --- what changes ---------------------------------------------------------------------------------------------


async def test_a_change_is_seen_at_once(authz: Authz, acme: Organisation, counted: Counted) -> None:
    laya = await acme.add()
    for level, decision in (("use", True), ("deny", False), ("use", True)):
        await acme.granted(laya, (level, {"item": "inbox:sales"}))
        answer, at_once = await same(authz, counted, ONE, question(laya.id), authz.product)
        assert (answer.json["decision"], at_once) == (decision, True)
    await laya.becomes(StaffSuspended, status="suspended")
    answer, at_once = await same(authz, counted, ONE, question(laya.id, context={"explain": True}), authz.product)
    assert (answer.json["decision"], answer.json["context"]["reason"], at_once) == (False, "account_suspended", True)


async def test_with_it_off_everything_is_the_same(authz: Authz, jane: Someone, counted: Counted) -> None:
    off = await authz.replica(express=False)
    for _ in range(3):
        answer = await asked(off, ONE, question(jane.id), authz.product)
        assert answer.json == {"decision": True}
    assert (counted.express, counted.at_once) == (0, 2), "the first had to be loaded"


async def test_what_nobody_has_to_wait_for_is_counted(authz: Authz, jane: Someone, counted: Counted) -> None:
    assert authz.first is not None

    async def count() -> float:
        text = (await authz.first.ask("GET", "/metrics")).text  # type: ignore[union-attr]
        wanted = 'http_request_seconds_count{operation="evaluate",status="200"} '
        return next(float(line.removeprefix(wanted)) for line in text.splitlines() if line.startswith(wanted))

    await same(authz, counted, ONE, question(jane.id), authz.product)
    before = await count()
    for _ in range(5):
        await asked(authz.first, ONE, question(jane.id), authz.product)
    assert await count() == before + 5


async def test_ids_of_requests_that_bring_none_are_new(authz: Authz, jane: Someone) -> None:
    assert authz.first is not None
    ids = set()
    for _ in range(3):
        answer = await authz.first.ask("POST", ONE, token=authz.product, json=question(jane.id))
        ids.add(answer.headers["X-Request-ID"])
    trace = f"00-{uuid4().hex}-{'cd' * 8}-01"
    answer = await authz.first.ask(
        "POST", ONE, token=authz.product, json=question(jane.id), headers={"traceparent": trace}
    )
    assert len(ids) == 3
    assert answer.headers["X-Request-ID"] == trace.split("-")[1]


async def test_what_is_no_uuid_at_all_is_not_kept(authz: Authz, jane: Someone) -> None:
    """Whoever may not ask fills nobody's memory."""
    _staff.cache_clear()
    assert authz.first is not None
    for id in ("x" * 100_000, "y" * 65):
        assert (await asked(authz.first, ONE, question(id), jane.token)).status == 403
    assert _staff.cache_info().currsize == 0


async def test_one_answer_serves_for_all_items_of_a_batch_that_nothing_tells_apart(
    authz: Authz, acme: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the first one on, though nobody has asked about any of them before."""
    han = await acme.add()
    await acme.granted(han, ("use", {}))
    assert authz.first is not None
    parts = [{"action": {"name": "sms.send"}, "resource": {"type": "inbox", "id": f"new-{n}"}} for n in range(50)]
    await asked(authz.first, ONE, question(han.id, id="other"), authz.product)  # loaded, and nothing else
    decided, real = list[str](), Mirror.decide_anew

    def deciding(self: Mirror, staff: Any, question: Any, *more: Any, **others: Any) -> Any:
        decided.append(question.id)
        return real(self, staff, question, *more, **others)

    monkeypatch.setattr(Mirror, "decide_anew", deciding)
    body = {"subject": {"type": "staff", "id": str(han.id)}, "evaluations": parts}
    answer = await asked(authz.first, MANY, body, authz.product)
    assert answer.json == {"evaluations": [{"decision": True}] * 50}
    assert decided == ["new-0"]
