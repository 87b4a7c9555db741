"""Connections of our own: an answer belongs to its request and to no other, whatever a server does."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import uvloop
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from staffgate.client import ServiceAway, Wire
from staffgate.client.answer import Answer
from tests.unit.sdk.servers import BODY, Visit, again_and_again, answer, raw, served

chance = random.Random(7)  # noqa: S311  # no secret


@pytest_asyncio.fixture
async def wire() -> AsyncIterator[Wire]:
    async with Wire(connections=4) as wire:
        yield wire


async def ask(
    wire: Wire, url: str, path: str = "/", *, method: str = "POST", body: bytes = b"{}", repeatable: bool = False,
    within: float = 5.0, connect: float = 5.0, **headers: str,
) -> Answer:  # fmt: skip
    return await wire.to(url).send(method, path, headers, body, repeatable, connect, within)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.001)


# --- what is asked and answered -------------------------------------------------------------------------------


async def test_a_request_arrives_as_it_was_made(wire: Wire) -> None:
    seen = []

    async def script(visit: Visit) -> None:
        while True:
            seen.append(await visit.request())
            await visit.say(answer())

    async with raw(script) as server:
        for method, body in (("POST", b'{"a":1}'), ("GET", b""), ("PUT", b""), ("DELETE", b"")):
            found = await ask(
                wire, f"{server.url}/under/", "/x?y=%20", method=method, body=body, Authorization="Bearer t"
            )
            assert (found.status, found.body) == (200, BODY)
    always = {"host": server.url.partition("//")[2], "user-agent": "staffgate", "accept": "application/json",
              "authorization": "Bearer t"}  # fmt: skip
    assert seen == [
        ("POST /under/x?y=%20 HTTP/1.1", always | {"content-length": "7"}, b'{"a":1}'),
        ("GET /under/x?y=%20 HTTP/1.1", always, b""),
        ("PUT /under/x?y=%20 HTTP/1.1", always | {"content-length": "0"}, b""),
        ("DELETE /under/x?y=%20 HTTP/1.1", always, b""),
    ]
    assert server.visits == 1, "one after the other they go over one connection"


async def test_many_at_once_get_each_their_own_answer(wire: Wire) -> None:
    """Of a real server, with pauses by chance and bodies of all sizes."""

    async def echo(request: web.Request) -> web.Response:
        content = await request.read()
        await asyncio.sleep(chance.choice([0, 0, 0.001, 0.005]))
        return web.Response(body=content)

    async with served(echo) as url:

        async def one(number: int) -> None:
            body = b"%d." % number * chance.choice([1, 10, 30_000])
            assert (await ask(wire, url, body=body)).body == body

        await asyncio.gather(*(one(number) for number in range(200)))


@pytest.mark.parametrize("size", [0, 1, 65_536, 5_000_000])
async def test_answers_of_any_size_come_whole(wire: Wire, size: int) -> None:
    async def give(_request: web.Request) -> web.Response:
        return web.Response(body=b"x" * size)

    async with served(give) as url:
        assert (await ask(wire, url)).body == b"x" * size


async def test_there_are_never_more_connections_than_allowed(wire: Wire) -> None:
    waiting, most = asyncio.Event(), 0

    async def script(visit: Visit) -> None:
        nonlocal most
        most = max(most, server.open)
        while True:
            await visit.request()
            await waiting.wait()
            await visit.say(answer())

    async with raw(script) as server:
        asked = [asyncio.create_task(ask(wire, server.url)) for _ in range(20)]
        await until(lambda: server.visits == 4)
        waiting.set()
        assert all(found.status == 200 for found in await asyncio.gather(*asked))
        assert (most, server.visits) == (4, 4)


async def test_who_waits_for_a_connection_gives_up_in_time(wire: Wire) -> None:
    async with raw(lambda visit: visit.gone()) as server:
        held = [asyncio.create_task(ask(wire, server.url)) for _ in range(4)]
        await until(lambda: server.visits == 4)
        with pytest.raises(ServiceAway) as fault:
            await ask(wire, server.url, connect=0.05)
        assert fault.value.unsent
        for one in held:
            one.cancel()
        await asyncio.gather(*held, return_exceptions=True)


# --- what a server may do wrong -------------------------------------------------------------------------------


async def never_another_s(visit: Visit) -> None:
    """The second connection, for whoever comes after a bad answer: its answer says so."""
    while True:
        await visit.request()
        await visit.say(answer(b'"second"'))


Bad = Callable[[Visit], Awaitable[None]]
BAD: dict[str, Bad] = {
    "two answers in one write": lambda visit: visit.say(answer() + answer()),
    "an answer and a byte": lambda visit: visit.say(answer() + b"\n"),
    "half an answer": lambda visit: visit.say(answer()[:-3]),
    "half a head": lambda visit: visit.say(answer()[:20]),
    "garbage": lambda visit: visit.say(b"\x00\xff garbage\r\n\r\n"),
    "an interim answer": lambda visit: visit.say(b"HTTP/1.1 100 Continue\r\n\r\n", answer()),
    "chunks": lambda visit: visit.say(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"11\r\n" + BODY + b"\r\n0\r\n\r\n"
    ),
    "a body that ends with the connection": lambda visit: visit.say(b"HTTP/1.1 200 OK\r\n\r\n" + BODY),
    "a head without an end": lambda visit: visit.say(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000),
    "a negative length": lambda visit: visit.say(b"HTTP/1.1 200 OK\r\nContent-Length: -17\r\n\r\n" + BODY),
    "a length that is too short": lambda visit: visit.say(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n" + BODY),
    "an upgrade": lambda visit: visit.say(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" + BODY),
    "more than is taken": lambda visit: visit.say(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n"),
}


@pytest.mark.parametrize("good", [0, 1], ids=["at once", "after a good one"])
@pytest.mark.parametrize("kind", BAD)
async def test_what_is_no_answer_closes_the_connection_and_reaches_nobody_else(
    wire: Wire, kind: str, good: int
) -> None:
    asked = 0

    async def script(visit: Visit) -> None:
        nonlocal asked
        if visit.number > 1:
            await never_another_s(visit)
        for _ in range(good):
            await visit.request()
            await visit.say(answer())
        await visit.request()
        asked += 1
        await BAD[kind](visit)
        if not kind.startswith(("half", "a body that")):
            await visit.gone()

    async with raw(script) as server:
        for _ in range(good):
            assert (await ask(wire, server.url)).body == BODY
        with pytest.raises(ServiceAway):
            await ask(wire, server.url, repeatable=True)
        assert (asked, server.visits) == (1, 1), "what has been answered in some way is not asked again here"
        assert (await ask(wire, server.url)).body == b'"second"'
        await until(lambda: server.open == 1)


async def test_an_answer_may_come_byte_by_byte(wire: Wire) -> None:
    async def script(visit: Visit) -> None:
        while True:
            await visit.request()
            whole = answer()
            await visit.say(*(whole[at : at + 1] for at in range(len(whole))))

    async with raw(script) as server:
        for _ in range(3):
            assert (await ask(wire, server.url)).body == BODY
        assert server.visits == 1


async def test_bytes_that_come_after_an_answer_close_the_connection(wire: Wire) -> None:
    """A second answer that nobody asked for is not kept for the next request."""
    taken = asyncio.Event()

    async def script(visit: Visit) -> None:
        if visit.number > 1:
            await never_another_s(visit)
        await visit.request()
        await visit.say(answer())
        await taken.wait()
        await visit.say(answer(b'"stolen"'))
        await visit.gone()

    async with raw(script) as server:
        assert (await ask(wire, server.url)).body == BODY
        taken.set()
        await until(lambda: server.open == 0)
        assert (await ask(wire, server.url)).body == b'"second"'


async def test_an_answer_that_ends_its_connection_is_the_last_one_on_it(wire: Wire) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(answer(BODY, b"Connection: close"))
        await visit.gone()

    async with raw(script) as server:
        for number in (1, 2, 3):
            assert (await ask(wire, server.url)).body == BODY
            assert server.visits == number


async def test_an_answer_before_the_request_was_whole_ends_the_connection(wire: Wire) -> None:
    """What is left to send of it would come before the next request."""

    async def script(visit: Visit) -> None:
        if visit.number > 1:
            await never_another_s(visit)
        await visit.reader.readuntil(b"\r\n\r\n")
        await visit.say(answer(b"{}", status=b"413 Too Large"))
        await visit.gone()

    async with raw(script) as server:
        assert (await ask(wire, server.url, body=b"x" * 50_000_000)).status == 413
        assert (await ask(wire, server.url)).body == b'"second"'


# --- giving up ------------------------------------------------------------------------------------------------


async def test_a_late_answer_is_nobody_s(wire: Wire) -> None:
    late = asyncio.Event()

    async def script(visit: Visit) -> None:
        if visit.number > 1:
            await never_another_s(visit)
        await visit.request()
        await late.wait()
        await visit.say(answer(b'"late"'))

    async with raw(script) as server:
        with pytest.raises(ServiceAway, match="in time"):
            await ask(wire, server.url, within=0.05, repeatable=True)
        late.set()
        assert (await ask(wire, server.url)).body == b'"second"'


async def test_a_timer_that_was_wound_for_an_earlier_request_keeps_the_time_of_the_present_one(wire: Wire) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()
        await visit.say(answer())
        await visit.gone()

    loop = asyncio.get_running_loop()
    for first, second in ((5.0, 0.1), (0.1, 0.2)):
        async with raw(script) as server:
            await ask(wire, server.url, within=first)
            began = loop.time()
            with pytest.raises(ServiceAway, match="in time"):
                await ask(wire, server.url, within=second)
            assert second * 0.9 <= loop.time() - began < 2
            assert server.visits == 1


async def test_a_request_that_was_given_up_closes_its_connection(wire: Wire) -> None:
    """At once, and not when its answer comes."""

    async def script(visit: Visit) -> None:
        if visit.number > 1:
            await never_another_s(visit)
        await visit.request()
        await visit.gone()

    async with raw(script) as server:
        asked = asyncio.create_task(ask(wire, server.url, within=600))
        await until(lambda: server.visits == 1)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        await until(lambda: server.open == 0)
        assert (await ask(wire, server.url)).body == b'"second"'


async def test_who_gives_up_when_the_answer_has_come_takes_the_connection_from_nobody(wire: Wire) -> None:
    """It went back when the answer came, and may be in another's use before the first one is told."""
    async with Wire(connections=1) as one, raw(again_and_again) as server:
        for _ in range(50):
            first = asyncio.create_task(ask(one, server.url))
            second = asyncio.create_task(ask(one, server.url))
            await asyncio.sleep(0)
            line = one.to(server.url)
            await until(lambda: bool(line._pool._open) or first.done())  # noqa: B023
            connection = next(iter(line._pool._open))
            finish = connection._finish

            def finished(found: Answer, finish: Any = finish, first: Any = first) -> None:
                finish(found)
                first.cancel()

            connection._finish = finished  # type: ignore[method-assign]
            await asyncio.gather(first, return_exceptions=True)
            connection._finish = finish  # type: ignore[method-assign]
            assert (await second).body == BODY
        assert server.visits == 1


# --- connections that are gone --------------------------------------------------------------------------------


@pytest.mark.parametrize("repeatable", [True, False])
async def test_a_connection_that_was_closed_while_idle_is_made_anew_for_what_may_be_repeated(
    wire: Wire, repeatable: bool
) -> None:
    """The end has come, and is not read yet when the request is made: only the server knows whether it got it."""
    asked = 0

    async def script(visit: Visit) -> None:
        nonlocal asked
        await visit.request()
        asked += 1
        await visit.say(answer())
        if visit.number == 1:
            await visit.request()  # and it hangs up instead of answering
            return
        await visit.gone()

    async with raw(script) as server:
        await ask(wire, server.url)
        if repeatable:
            assert (await ask(wire, server.url, repeatable=True)).body == BODY
        else:
            with pytest.raises(ServiceAway, match="hung up"):
                await ask(wire, server.url)
        assert asked == 1 + repeatable


async def test_a_first_request_is_not_made_again_by_itself(wire: Wire) -> None:
    async def script(visit: Visit) -> None:
        await visit.request()

    async with raw(script) as server:
        with pytest.raises(ServiceAway):
            await ask(wire, server.url, repeatable=True)
        assert server.visits == 1


async def test_a_server_that_was_restarted_is_asked_on_a_new_connection(wire: Wire) -> None:
    async with raw(again_and_again) as server:
        await asyncio.gather(*(ask(wire, server.url) for _ in range(4)))
    port = int(server.url.rpartition(":")[2])
    await asyncio.sleep(0)
    restarted = await asyncio.start_server(_answering, "127.0.0.1", port)
    for _ in range(8):
        assert (await ask(wire, server.url)).body == BODY, "not even what may not be repeated notices"
    restarted.close()


async def _answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await again_and_again(Visit(1, reader, writer))
    except (asyncio.IncompleteReadError, OSError):
        writer.close()


async def test_who_is_not_there_is_away(wire: Wire) -> None:
    with pytest.raises(ServiceAway) as fault:
        await ask(wire, "http://127.0.0.1:1")
    assert fault.value.unsent
    with pytest.raises(ServiceAway):
        await ask(wire, "http://no-such-host.invalid")


async def test_a_closed_wire_asks_nobody() -> None:
    async with raw(lambda visit: visit.gone()) as server:
        async with Wire(connections=1) as wire:
            asked = [asyncio.create_task(ask(wire, server.url)) for _ in range(3)]
            await until(lambda: server.visits == 1)
        for one in asked:
            with pytest.raises(ServiceAway):
                await one
        with pytest.raises(ServiceAway, match="closed"):
            await ask(wire, server.url)
        await until(lambda: server.open == 0)
        assert server.visits == 1


# --- what may not be sent -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1",
        "ftp://a",
        "http://",
        "http://a b",
        "http://jane:secret@a",
        "http://a?b",
        "http://a\r\nX: y",
        "http://ä",
        "http://a:b",
    ],
)
async def test_an_address_that_is_none_is_no_line(wire: Wire, url: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        wire.to(url)


@pytest.mark.parametrize("bad", ["a\r\nX-Evil: y", "a\nb", "a\rb", "a\0b", "ä"])
async def test_nothing_that_is_sent_can_begin_another_line(wire: Wire, bad: str) -> None:
    async with raw(again_and_again) as server:
        with pytest.raises(ValueError, match=r".*"):
            await ask(wire, server.url, **{"X-Test": bad})
        with pytest.raises(ValueError, match=r".*"):
            await ask(wire, server.url, f"/{bad}")
        with pytest.raises(ValueError, match=r".*"):
            await ask(wire, server.url, "/a HTTP/1.1")
        assert server.visits == 0


# --- TLS ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """For localhost, by an authority that nobody knows."""
    folder, key = tmp_path_factory.mktemp("tls"), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    plain = serialization.NoEncryption(), serialization.PrivateFormat.PKCS8
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret = folder / "key.pem"
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, plain[1], plain[0]))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file, secret)
    return server, file


async def test_over_tls_it_is_the_same(certificate: tuple[ssl.SSLContext, Path]) -> None:
    tls, file = certificate
    async with raw(again_and_again, tls) as server:
        trusting = ssl.create_default_context(cafile=str(file))
        async with Wire(tls=trusting) as wire:
            for _ in range(3):
                assert (await ask(wire, server.url.replace("127.0.0.1", "localhost"))).body == BODY
            assert server.visits == 1
            with pytest.raises(ServiceAway):  # the certificate is another host's
                await ask(wire, server.url)


async def test_a_certificate_of_nobody_is_not_believed(certificate: tuple[ssl.SSLContext, Path]) -> None:
    asked = []

    async def script(visit: Visit) -> None:
        asked.append(await visit.request())

    async with raw(script, certificate[0]) as server, Wire() as wire:
        with pytest.raises(ServiceAway) as fault:
            await ask(wire, server.url.replace("127.0.0.1", "localhost"), Authorization="Bearer secret")
        assert fault.value.unsent
        assert "CERTIFICATE_VERIFY_FAILED" in str(fault.value)
    assert asked == []


# --- whatever a server does -----------------------------------------------------------------------------------

moves = st.sampled_from(["answer", "slow", "two", "half", "garbage", "hang up", "close", "cancel"])


@settings(max_examples=40, deadline=None)
@given(st.lists(moves, min_size=1, max_size=12), st.booleans())
def test_nobody_ever_gets_another_s_answer(script: list[str], fast: bool) -> None:
    """Whatever the server does with each request, in whatever order, on either loop: an answer holds its own number."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop if fast else None) as runner:
        runner.run(_own_answers(script))


async def _own_answers(script: list[str]) -> None:
    async def visited(visit: Visit) -> None:
        while True:
            _, _, body = await visit.request()
            whole, move = answer(body), script[int(body) % len(script)]
            if move == "slow":
                await visit.say(*(whole[at : at + 9] for at in range(0, len(whole), 9)))
            elif move == "two":
                await visit.say(whole + answer(b"999"))
            elif move == "half":
                await visit.say(whole[:-1])
                return
            elif move == "garbage":
                await visit.say(b"garbage\r\n\r\n" + whole)
            elif move == "hang up":
                return
            elif move == "close":
                await visit.say(answer(body, b"Connection: close"))
                return
            else:
                await visit.say(whole)

    async with raw(visited) as server, Wire(connections=3) as wire:

        async def one(number: int) -> None:
            asked = asyncio.create_task(ask(wire, server.url, body=b"%d" % number, repeatable=number % 2 == 0))
            if script[number % len(script)] == "cancel":
                await asyncio.sleep(chance.choice([0, 0.0005]))
                asked.cancel()
            with suppress(ServiceAway, asyncio.CancelledError):
                assert (await asked).body == b"%d" % number

        await asyncio.gather(*(one(number) for number in range(24)))
        (pool,) = wire._pools.values()
        assert pool._count == len(pool._open) <= 3
        assert not pool._waiting
