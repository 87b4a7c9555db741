"""What is answered in front of aiohttp's parser is what aiohttp would have answered: to the byte, whatever comes, and in
whatever pieces. Both are given the same, and compared."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from shared.http.express import _Handler
from shared.http.operation import HEAVY, MANY
from staffgate.contracts.caller import Caller
from tests.unit.http.connection import Both, Desk, Pipe, comparable, request, settled

pytestmark = pytest.mark.asyncio(loop_scope="module")


# --- what is answered at once ---------------------------------------------------------------------------------


async def test_it_is_answered_before_anything_else_goes_on(both: Both) -> None:
    said = await both.same(request(), at_once=1)
    assert said.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b'\r\n\r\n{"text":"hello","by":"sms-inbox"}|open' in said


async def test_one_after_the_other_on_one_connection(both: Both) -> None:
    await both.same(*[request(b'{"text":"%d"}' % n) for n in range(20)], at_once=20)


@pytest.mark.parametrize(
    "more",
    [
        {"X_Request_ID": None},
        {"X_Request_ID": None, "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"},
        {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"},
        {"X_Request_ID": None, "traceparent": f"00-{'0' * 32}-{'cd' * 8}-01"},
        {"X_Request_ID": None, "traceparent": "nonsense"},
        {"X_Request_ID": "a b  c%d%s"},
        {"Content_Type": "application/json; charset=utf-8"},
        {"Content_Type": "application/JSON"},
        {"User_Agent": "sms-inbox/1.0 (Luke's)", "Accept": "*/*", "Accept_Encoding": "gzip, deflate, br"},
        {"X_Forwarded_For": "203.0.113.7, 10.0.0.1", "X_Forwarded_Proto": "https", "Via": "1.1 gate"},
        {"Authorization": "Bearer known"},
    ],
    ids=str,
)
async def test_headers_that_every_client_sends_are_known(both: Both, more: Any) -> None:
    await both.same(request(**more), request(**more), at_once=2)


async def test_names_of_headers_are_in_any_case(both: Both) -> None:
    lower = request().replace(b"Content-Length", b"content-length").replace(b"Host", b"HOST")
    await both.same(lower, at_once=1)


async def test_what_can_not_be_answered_at_once_goes_the_long_way_and_the_next_one_not(both: Both) -> None:
    slow = request(b'{"text":"wait","slow":3}')
    await both.same(request(), slow, request(), slow, request(), at_once=3)


async def test_a_refusal_is_the_long_ways(both: Both) -> None:
    said = await both.same(request(b'{"refused":true}'), request(), at_once=1)
    assert b"application/problem+json" in said


async def test_head_and_body_may_come_apart(both: Both) -> None:
    whole = request()
    end = whole.index(b"\r\n\r\n") + 4
    await both.same(whole[:end], whole[end:], whole[:end], whole[end : end + 3], whole[end + 3 :], at_once=2)


async def test_what_is_not_asked_for_often_may_come_in_between(both: Both) -> None:
    other = request(line="POST /other HTTP/1.1", X_Something="7", Authorization=None)
    get = b"GET /nothing HTTP/1.1\r\nHost: authz.test\r\nAccept: */*\r\n\r\n"
    await both.same(request(), other, get, request(), at_once=2)


async def test_the_rest_of_a_body_is_waited_for_by_aiohttp_in_the_end(both: Both) -> None:
    handler, pipe = both.fast.speaking(), Pipe()
    assert isinstance(handler, _Handler)
    pipe.protocol = handler
    handler.connection_made(pipe)
    handler.data_received(request()[:-1])
    assert handler._timer is not None
    assert handler._timer.when() - asyncio.get_running_loop().time() == pytest.approx(0.5, abs=0.1)
    assert not handler._its_own
    handler._let_go()
    assert handler._its_own
    handler.data_received(request()[-1:])
    await settled(pipe)
    assert pipe.written.startswith(b"HTTP/1.1 200 OK")
    pipe.close()
    await settled(pipe)


@pytest.mark.parametrize("pieces", [16, 17])
async def test_many_small_pieces_are_not_held(both: Both, pieces: int) -> None:
    """Fifteen times the head would be read again, and no more."""
    whole = request()
    end = len(whole) - pieces + 1
    await both.same(whole[:end], *[whole[at : at + 1] for at in range(end, len(whole))], at_once=int(pieces == 16))


async def test_nothing_large_is_held(both: Both) -> None:
    large = request(b'{"text":"%s"}' % (b"x" * (1 << 18)))
    await both.same(large[:1000], large[1000:], request(), at_once=0)


# --- what is not ----------------------------------------------------------------------------------------------

BODY = b'{"text":"hello"}'
ODD: dict[str, bytes] = {
    "another path": request(line="POST /other HTTP/1.1"),
    "no such path": request(line="POST /said HTTP/1.1"),
    "a query": request(line="POST /say?x=1 HTTP/1.1"),
    "a fragment": request(line="POST /say#x HTTP/1.1"),
    "another method": request(line="PUT /say HTTP/1.1"),
    "lower case": request(line="post /say HTTP/1.1"),
    "HTTP/1.0": request(line="POST /say HTTP/1.0"),
    "HTTP/2.0": request(line="POST /say HTTP/2.0"),
    "two spaces": request(line="POST  /say HTTP/1.1"),
    "a whole address": request(line="POST http://authz.test/say HTTP/1.1"),
    "encoded": request(line="POST /%73ay HTTP/1.1"),
    "a dot": request(line="POST /./say HTTP/1.1"),
    "two slashes": request(line="POST //say HTTP/1.1"),
    "a blank line first": b"\r\n" + request(),
    "a space first": b" " + request(),
    "no host": request(Host=None),
    "an odd host": request(Host="a b"),
    "no token": request(Authorization=None),
    "another scheme": request(Authorization="Basic Z29vZA=="),
    "a lower scheme": request(Authorization="bearer good"),
    "two spaces before the token": request(Authorization="Bearer  good"),
    "a token that is not known": request(Authorization="Bearer bad"),
    "nobody's token": request(Authorization="Bearer nobodys"),
    "no type": request(Content_Type=None),
    "another type": request(Content_Type="text/plain"),
    "another charset": request(Content_Type="application/json; charset=latin-1"),
    "no length": request(Content_Length="").replace(b"Content-Length: \r\n", b""),
    "an empty length": request(Content_Length=""),
    "length 0": request(Content_Length="0"),
    "a length that is too short": request(Content_Length="5"),
    "a length that is too long": request(Content_Length="99"),
    "a length with a plus": request(Content_Length="+16"),
    "a length with a zero in front": request(Content_Length="016"),
    "a negative length": request(Content_Length="-16"),
    "a length in hex": request(Content_Length="0x10"),
    "a length with an underscore": request(Content_Length="1_6"),
    "a length in other digits": request(Content_Length="\xb9\xb6"),
    "two lengths": request().replace(b"\r\n\r\n", b"\r\nContent-Length: 16\r\n\r\n"),
    "two lengths in one": request(Content_Length="16, 16"),
    "two lengths that differ": request().replace(b"\r\n\r\n", b"\r\nContent-Length: 17\r\n\r\n"),
    "chunked": request(b"10\r\n" + BODY + b"\r\n0\r\n\r\n", Transfer_Encoding="chunked", Content_Length=None),
    "chunked and a length": request(Transfer_Encoding="chunked"),
    "chunked in a hidden way": request(Transfer_Encoding="xchunked"),
    "compressed": request(Content_Encoding="gzip"),
    "expected": request(Expect="100-continue"),
    "to be closed": request(Connection="close"),
    "kept alive": request(Connection="keep-alive"),
    "an upgrade": request(Connection="Upgrade", Upgrade="websocket"),
    "a cookie": request(Cookie="a=b"),
    "a key": request(Idempotency_Key="7"),
    "what nobody knows": request(X_Something="7"),
    "two tokens": request().replace(b"\r\n\r\n", b"\r\nAuthorization: Bearer good\r\n\r\n"),
    "two hosts": request().replace(b"\r\n\r\n", b"\r\nHost: b.test\r\n\r\n"),
    "two types": request().replace(b"\r\n\r\n", b"\r\nContent-Type: text/plain\r\n\r\n"),
    "two agents": request(User_Agent="a").replace(b"\r\n\r\n", b"\r\nUser-Agent: b\r\n\r\n"),
    "two ids": request().replace(b"\r\n\r\n", b"\r\nX-Request-ID: b\r\n\r\n"),
    "a line that goes on": request().replace(b"X-Request-ID: jane-1", b"X-Request-ID: jane\r\n 1"),
    "bare line feeds": request().replace(b"\r\n", b"\n"),
    "one bare line feed": request().replace(b"\r\nContent-Type", b"\nContent-Type"),
    "a bare return": request().replace(b"jane-1", b"jane\r1"),
    "a nothing": request().replace(b"jane-1", b"jane\x001"),
    "bytes above": request().replace(b"jane-1", b"jan\xc3\xa9"),
    "a tab": request().replace(b"X-Request-ID: ", b"X-Request-ID:\t"),
    "a space at the end": request().replace(b"jane-1", b"jane-1 "),
    "a space before the colon": request().replace(b"Host:", b"Host :"),
    "no colon": request().replace(b"Host: authz.test:8080", b"Host"),
    "no value": request().replace(b"jane-1", b""),
    "a name with an underscore": request().replace(b"Content-Type", b"Content_Type"),
    "a very long id": request(X_Request_ID="x" * 9000),
    "many headers": request(**dict[str, Any]((f"X_Number_{n}", "x") for n in range(200))),
    "not JSON": request(b"{"),
    "not an object": request(b"[1]"),
    "a field of another kind": request(b'{"text":7}'),
    "not UTF-8": request(b'{"text":"\xff"}'),
    "an end in the body": request(b'{"text":"\\r\\n\\r\\nPOST /say HTTP/1.1"}'),
    "a request in the body": request(request()),
    "no body and no end": request(b"").removesuffix(b"\r\n\r\n"),
    "no body and half of an end": request(b"").removesuffix(b"\r\n"),
    "nothing": b"\r\n\r\n",
    "rubbish": b"\x16\x03\x01\x02\x00\x01\x00",
    "another protocol": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
async def test_the_odd_is_aiohttps(both: Both, name: str) -> None:
    await both.same(ODD[name])
    await both.same(request(), ODD[name], request())
    await both.same(ODD[name] + request())
    await both.same(request() + ODD[name])
    cut = len(ODD[name]) // 2
    await both.same(ODD[name][:cut], ODD[name][cut:], request())


async def test_a_header_that_is_cut_does_not_smuggle_the_next_line(both: Both) -> None:
    """The second piece looks like a request of its own, and is a part of the first one's header."""
    first = b"GET /nothing HTTP/1.1\r\nHost: authz.test\r\nX-Note: a"
    await both.same(first, b"\r\n" + request(), at_once=0)
    await both.same(first + b"\r\nX-More: ", request(), at_once=0)
    await both.same(request(), first + b"\r\nX-More: ", request(), at_once=1)


async def test_a_body_that_is_cut_does_not_smuggle_a_request(both: Both) -> None:
    inner = request(b'{"text":"smuggled"}')
    outer = request(inner, line="POST /other HTTP/1.1")
    cut = len(outer) - len(inner)
    await both.same(outer[:cut], outer[cut:], at_once=0)
    slow = request(inner)
    await both.same(slow[: len(slow) - len(inner)], inner, at_once=0)


async def test_what_comes_while_one_is_answered_waits_for_its_turn(both: Both) -> None:
    """And so does all that comes later: only aiohttp's parser knows where that begins."""

    async def at_once() -> None: ...

    pieces = [request(b'{"text":"first","slow":5}'), request(b'{"text":"second"}')]
    for server in (both.fast, both.slow):
        said = await server.said(pieces, between=at_once)
        assert said.index(b"first") < said.index(b"second"), said


async def test_whoever_asks_on_before_the_answer_keeps_the_express(both: Both) -> None:
    """aiohttp's parser has had whole requests only, so that it is known where the next one begins."""
    turn = 0

    async def slowly() -> None:
        nonlocal turn
        turn += 1
        if turn > 1:
            await settled(Pipe())

    pieces = [request(b'{"text":"first","slow":5}'), request(b'{"text":"second"}'), request(b'{"text":"third"}')]
    before = both.fast.count
    quick = await both.fast.said(pieces, between=slowly)
    turn = 0
    assert comparable(quick) == comparable(await both.slow.said(pieces, between=slowly))
    assert both.fast.count == before + 1, "the third, when all before it had been answered"


# --- what takes long ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["large", "in many parts"])
async def test_of_what_is_heavy_there_is_one_a_turn_of_the_loop(
    both: Both, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """And the light pass by."""
    turn, heavy, light = 0, list[int](), list[int]()
    plain = Desk.at_once

    def at_once(desk: Desk, caller: Caller, content: bytes) -> bytes | None:
        (heavy if content == body else light).append(turn)
        return plain(desk, caller, content)

    async def count() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(Desk, "at_once", at_once)
    counting = asyncio.create_task(count())
    body = (
        b'{"text":"%s"}' % (b"x" * HEAVY) if how == "large" else b'{"text":"","more":[%s]}' % b",".join([b"{}"] * MANY)
    )
    long, short = request(body), request()
    said = await asyncio.gather(*(both.slow.said([one]) for one in [long] * 8 + [short] * 8))
    counting.cancel()
    assert [answer[:12] for answer in said] == [b"HTTP/1.1 200"] * 16
    assert len({*heavy}) == len(heavy) == 8
    assert len({*light}) < len(light) == 8
    before = both.fast.count
    await both.same(long, short, at_once=1)
    assert both.fast.count == before + 1


# --- the connection -------------------------------------------------------------------------------------------


async def test_whoever_takes_nothing_is_not_written_to_for_ever(both: Both) -> None:
    """Past the transport's own limit the answer is aiohttp's, which waits."""
    handler = both.fast.speaking()
    assert isinstance(handler, _Handler)
    handler.pause_writing()
    assert not handler._is_idle()
    handler.resume_writing()
    assert handler._is_idle()


async def test_a_server_that_stops_answers_nothing_more(both: Both) -> None:
    handler = both.fast.speaking()
    assert isinstance(handler, _Handler)
    handler.close()
    assert not handler._is_idle()


async def test_an_express_connection_is_not_taken_for_an_idle_one(both: Both) -> None:
    handler = both.fast.speaking()
    assert isinstance(handler, _Handler)
    pipe = Pipe()
    pipe.protocol = handler
    handler.connection_made(pipe)
    await asyncio.sleep(0)
    handler._next_keepalive_close_time = 0.0
    handler.data_received(request())
    assert handler._next_keepalive_close_time > asyncio.get_running_loop().time()
    pipe.close()
    await asyncio.sleep(0)


async def test_a_connection_is_not_closed_as_idle_while_a_part_of_a_request_is_held(both: Both) -> None:
    handler, pipe = both.fast.speaking(), Pipe()
    assert isinstance(handler, _Handler)
    pipe.protocol = handler
    handler.connection_made(pipe)
    await asyncio.sleep(0)
    handler._next_keepalive_close_time = 0.0
    handler.data_received(request()[:-1])
    handler._process_keepalive()
    assert not pipe.closing
    pipe.close()
    await asyncio.sleep(0)
