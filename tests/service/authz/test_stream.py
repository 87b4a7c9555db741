"""authz's event stream: what is announced is told at once, and whoever can't be told everything is told so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import aiohttp
import msgspec
import pytest
from prometheus_client import REGISTRY

from services.authz import stream as module
from services.authz.stream import Streams
from shared.bus.envelope import decode, encode, open_envelope
from shared.bus.port import Message
from staffgate import replica as product
from staffgate.access import TokenRefused
from staffgate.contracts.authz import Heartbeat, PermissionsChanged
from staffgate.contracts.event import NOBODYS
from staffgate.contracts.identity import KeySet, SessionsEnded
from staffgate.contracts.stream import Ended, Opened
from staffgate.serversent import Parser, ServerSent
from staffgate.sessions import Sessions
from staffgate.stream import Stream
from tests.service.authz.conftest import IDS, ISSUER, Authz, Organisation, Replica, until

PATH = "/v1/replica/stream"


class Reader:
    """Reads one stream, and keeps what it was told."""

    def __init__(self, response: Any) -> None:
        self.response = response
        self.told: list[ServerSent] = []
        self.comments = b""
        self.over = False

    async def read(self) -> None:
        parser = Parser()
        with suppress(aiohttp.ClientError):
            async for chunk in self.response.content.iter_any():
                self.comments += chunk if chunk.startswith(b":") else b""
                self.told += parser.feed(chunk)
            self.over = True

    def of(self, name: str) -> list[ServerSent]:
        return [event for event in self.told if event.name == name]

    @property
    def reason(self) -> str:
        return msgspec.json.decode(self.of("ended")[0].data, type=Ended).reason


@asynccontextmanager
async def reading(authz: Authz, on: Replica | None = None) -> AsyncIterator[Reader]:
    headers = {"Authorization": f"Bearer {authz.product}"}
    url = (on or authz.first).url + PATH  # type: ignore[union-attr]
    async with authz.session.get(url, headers=headers) as response:
        assert response.status == 200, await response.text()
        reader = Reader(response)
        task = asyncio.create_task(reader.read())
        await until(lambda: reader.told)
        yield reader
        task.cancel()


def ended(reason: str) -> float:
    return REGISTRY.get_sample_value("authz_streams_ended_total", {"reason": reason}) or 0


def present() -> float:
    return REGISTRY.get_sample_value("authz_streams") or 0


def hints(authz: Authz) -> Streams:
    (found,) = [one for _, one in authz.bus._listeners if isinstance(one, Streams)]
    return found


async def test_a_change_is_told_as_it_is_announced(acme: Organisation) -> None:
    jane = await acme.add()
    async with reading(acme.authz) as reader:
        assert reader.told[0].name == "opened"
        assert 240 <= msgspec.json.decode(reader.told[0].data, type=Opened).seconds <= 300
        assert reader.response.content_type == "text/event-stream"
        assert reader.response.headers["Cache-Control"] == "no-store"
        assert reader.response.headers["X-Accel-Buffering"] == "no"
        assert reader.response.headers["Connection"] == "close", "cut off late it would take the next answer with it"
        await acme.grant(jane, "use")
        await until(lambda: reader.of(PermissionsChanged.type))
        told = reader.of(PermissionsChanged.type)[-1]
        envelope = open_envelope(told.data)
        assert (str(envelope.id), envelope.type) == (told.id, told.name)
        assert decode(envelope) == acme.authz.heard.of(acme.org)[-1]
        await until(lambda: reader.of(Heartbeat.type))
        session = IDS.uuid()
        await acme.authz.publish(SessionsEnded(org=acme.org, staff=jane.id, sessions=[session]))
        await until(lambda: reader.of(SessionsEnded.type))


async def test_everything_is_told_in_order_to_everybody(acme: Organisation) -> None:
    jane = await acme.add()
    async with reading(acme.authz) as one, reading(acme.authz) as other:
        for n in range(40):
            await acme.grant(jane, ("use", "deny")[n % 2])
        present = await acme.revision()
        for reader in (one, other):
            await until(partial(told_of, reader, present))
            assert revisions(reader) == list(range(present - 39, present + 1))


def told_of(reader: Reader, revision: int) -> bool:
    return revision in revisions(reader)


def revisions(reader: Reader) -> list[int]:
    return [decode(open_envelope(event.data)).sequence for event in reader.of(PermissionsChanged.type)]


async def test_it_is_for_products_only(acme: Organisation) -> None:
    ask = acme.authz.ask
    assert (await ask("GET", PATH, token=acme.ray.token)).problem == (403, "wrong_caller")
    assert (await ask("GET", PATH)).status == 401


# --- when it ends ---------------------------------------------------------------------------------------------


async def test_who_can_not_hear_tells_nothing(authz: Authz) -> None:
    streams = hints(authz)
    async with reading(authz) as one, reading(authz) as other:
        streams.lost()
        await until(lambda: one.over and other.over)
        assert (one.reason, other.reason) == ("deaf", "deaf")
    answer = await authz.ask("GET", PATH, token=authz.product)
    assert answer.problem == (503, "deaf")
    assert answer.headers["Retry-After"] == "1"
    streams.restored()
    async with reading(authz):
        pass


async def test_hearing_lost_between_the_answer_and_its_first_byte_tells_nothing_either(authz: Authz) -> None:
    streams = hints(authz)
    told = streams.follow("sms")(lambda: None)
    streams.lost()
    async with asyncio.timeout(30):
        assert [part async for part in told] == []
    assert present() == 0


async def test_what_can_not_be_read_ends_it(authz: Authz) -> None:
    async with reading(authz) as reader:
        hints(authz).heard(Message(id="1", type=PermissionsChanged.type, body=b"nothing that is known"))
        await until(lambda: reader.over)
        assert reader.reason == "unreadable"


async def test_it_lasts_as_long_as_it_says(authz: Authz) -> None:
    short = await authz.replica(stream_seconds=0.3)
    async with reading(authz, short) as reader:
        began = time.monotonic()
        await until(lambda: reader.over)
        assert reader.reason == "over"
        assert 0.2 <= msgspec.json.decode(reader.told[0].data, type=Opened).seconds <= 0.3
        assert time.monotonic() - began < 10


async def test_there_are_no_more_of_them_than_allowed(authz: Authz) -> None:
    small = await authz.replica(streams=2)
    async with reading(authz, small):
        async with reading(authz, small):
            answer = await small.ask("GET", PATH, token=authz.product)
            assert answer.problem == (503, "too_many_streams")
        async with asyncio.timeout(30):  # noticed with the next thing that is told
            while (await open_status(authz, small)) != 200:
                await asyncio.sleep(0.05)


async def open_status(authz: Authz, on: Replica) -> int:
    async with authz.session.get(on.url + PATH, headers={"Authorization": f"Bearer {authz.product}"}) as response:
        return int(response.status)


async def test_who_has_left_is_counted_no_more(authz: Authz) -> None:
    before, gone = present(), ended("gone")
    async with reading(authz):
        assert present() == before + 1
    await until(lambda: present() == before)
    assert ended("gone") == gone + 1


async def test_there_is_a_word_where_there_is_no_news(authz: Authz, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_QUIET", 0.02)
    async with reading(authz) as reader:
        await until(lambda: reader.comments)
        assert {event.name for event in reader.told} <= {"opened", Heartbeat.type}, "and it is no event"


# --- who reads too slowly -------------------------------------------------------------------------------------


@asynccontextmanager
async def stuck(authz: Authz, on: Replica) -> AsyncIterator[asyncio.StreamReader]:
    """Asks, and then takes nothing: the other end's buffers are full at some time."""
    at = urlsplit(on.url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port, limit=1024)
    writer.write(f"GET {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {authz.product}\r\n\r\n".encode())
    assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
    await reader.readuntil(b"opened")
    yield reader
    writer.close()


def has_long_ones(reader: Reader, count: int) -> bool:
    return sum(len(one.data) > 50_000 for one in reader.told) == count


def much(authz: Authz) -> Message:
    revisions = {IDS.uuid(): 1 for _ in range(2000)}
    beat = Heartbeat(org=NOBODYS, at=authz.clock.now(), revisions=revisions, complete=True, catalogue=1)
    return Message(id="1", type=beat.type, body=encode(beat, IDS.uuid(), authz.clock.now()))


async def test_who_takes_nothing_is_cut_off_and_nobody_else(authz: Authz) -> None:
    assert authz.first is not None
    slow = ended("slow")
    async with stuck(authz, authz.first), reading(authz) as reader:
        sent = 0
        while ended("slow") == slow:
            assert sent < 1000, "something has to be full at some time"
            streams = hints(authz)
            streams.heard(much(authz))
            sent += 1
            await until(partial(has_long_ones, reader, sent))
        assert not reader.over
        waiting = [stream._size for stream in streams._open]
        assert len(waiting) == 1, "the one that is cut off has gone"


async def test_the_end_of_the_service_waits_for_nobody(authz: Authz) -> None:
    leaving = await authz.replica(bus=None)
    streams = [one for _, one in authz.bus._listeners if isinstance(one, Streams)][-1]
    async with reading(authz, leaving) as reader, stuck(authz, leaving):
        for _ in range(200):  # more than any buffer on the way takes, and not all that may wait
            if any(one._size > 500_000 for one in streams._open):
                break
            streams.heard(much(authz))
            await asyncio.sleep(0.002)
        began = time.monotonic()
        await leaving.stop()
        assert time.monotonic() - began < 3, "ten seconds are for requests that come to an end"
        await until(lambda: reader.over)
        assert reader.reason == "stopping"


def carrying(revision: int, size: int = 15_000) -> Message:
    """A change to one person, with what they have now."""
    staff = IDS.uuid()
    event = PermissionsChanged(
        org=NOBODYS, previous=revision - 1, revision=revision, people=[staff], types=("inbox",),
        standings={staff: msgspec.Raw(msgspec.json.encode("x" * size))},
    )  # fmt: skip
    return Message(id="1", type=event.type, body=encode(event, IDS.uuid(), datetime.now(UTC)))


async def test_who_is_behind_is_told_who_and_not_what() -> None:
    """A burst of what would be three times too much is no reason to cut anybody off: they load it."""
    streams, cuts = Streams(2, 300.0), []
    streams.restored()
    slow, quick = (streams.follow("sms")(lambda: cuts.append("slow")) for _ in range(2))
    await anext(slow), await anext(quick)
    told = b""
    for revision in range(1, 201):
        streams.heard(carrying(revision))
        told += await anext(quick)
    assert cuts == []
    changes, everything = changed(await anext(slow)), changed(told)
    assert [one.revision for one in changes] == [one.revision for one in everything] == [*range(1, 201)]
    assert all(one.standings for one in everything)
    assert 10 < sum(bool(one.standings) for one in changes) < 40
    assert [(one.people, one.types) for one in changes] == [(one.people, one.types) for one in everything]
    streams.heard(carrying(201))
    assert changed(await anext(slow))[0].standings, "it has caught up"


def changed(told: bytes) -> list[PermissionsChanged]:
    found = [decode(open_envelope(one.data)) for one in Parser().feed(told)]
    return [one for one in found if isinstance(one, PermissionsChanged)]


async def test_what_can_not_be_read_is_told_as_it_is() -> None:
    streams = Streams(1, 300.0)
    streams.restored()
    slow = streams.follow("sms")(lambda: None)
    await anext(slow)
    for revision in range(1, 30):
        streams.heard(carrying(revision))
    odd = msgspec.structs.replace(open_envelope(carrying(30).body), data=msgspec.Raw(b"[7]"))
    streams.heard(Message(id="1", type=odd.type, body=msgspec.json.encode(odd)))
    told = Parser().feed(await anext(slow))
    assert (len(told), bytes(open_envelope(told[-1].data).data)) == (30, b"[7]")


def test_lines_of_a_publisher_are_lines_of_data() -> None:
    made = module._event("x.v1", b'{"a":\r\n1,\r"b":2\n}', "7")
    assert made == b'event: x.v1\nid: 7\ndata: {"a":\ndata: 1,\ndata: "b":2\ndata: }\n\n'
    (event,) = Parser().feed(made)
    assert msgspec.json.decode(event.data) == {"a": 1, "b": 2}


# --- followed by a product ------------------------------------------------------------------------------------


def token_of(authz: Authz) -> Any:
    async def token() -> str:
        return authz.product

    return token


@asynccontextmanager
async def following(authz: Authz, ear: Any) -> AsyncIterator[Stream]:
    assert authz.first is not None
    stream = Stream(authz.session, authz.first.url, token_of(authz), ear)
    task = asyncio.create_task(stream.run())
    yield stream
    task.cancel()
    await asyncio.wait([task])


async def test_a_replica_without_a_broker_knows_what_one_with_it_knows(acme: Organisation) -> None:
    authz, jane = acme.authz, await acme.add()
    assert authz.first is not None
    now = lambda: authz.clock.now().timestamp()  # noqa: E731
    replica = product.Replica(authz.session, authz.first.url, token_of(authz), now=now)
    question = (jane.id, "sms.read", "inbox", "sales")
    async with replica, following(authz, replica):
        await until(lambda: replica.stats.mirror.believed and replica.stats.catalogue is not None)
        asked, took = replica.stats.asked, []
        for n in range(20):
            expected = n % 2 == 0
            await acme.grant(jane, ("use", "deny")[n % 2])
            changed = time.perf_counter()
            await until(partial(says, replica, question, expected))
            took.append((time.perf_counter() - changed) * 1000)
            await replica.decide(*question)
        assert replica.stats.asked == asked, "all of it from memory"
        print(f"\nfrom authz's answer until it is forgotten in the product: at most {max(took):.1f} ms")
        hints(authz).lost()
        await until(lambda: not replica.stats.mirror.believed)
        hints(authz).restored()
        await until(lambda: replica.stats.mirror.believed)


def says(replica: product.Replica, question: tuple[UUID, str, str, str], expected: bool) -> bool:
    return replica.allowed_now(*question) in (expected, None)


async def test_whose_session_has_ended_is_refused_at_once_without_a_broker(acme: Organisation) -> None:
    authz, jane = acme.authz, await acme.add()

    class Identity:
        async def keys(self) -> KeySet:
            return KeySet(keys=[authz.identity._key.as_dict(private=False)])  # type: ignore[list-item]

        async def ended_sessions(self) -> list[UUID]:
            return []

    assert authz.first is not None
    now = lambda: authz.clock.now().timestamp()  # noqa: E731
    stream = partial(Stream, authz.session, authz.first.url, token_of(authz))
    streams = present()
    async with Sessions(Identity(), ISSUER, stream=stream, now=now) as sessions:
        await until(lambda: present() == streams + 1)
        assert sessions.verify(jane.token)
        await authz.publish(SessionsEnded(org=acme.org, staff=jane.id, sessions=[jane.session]))
        await until(lambda: refused(sessions, jane.token))


def refused(sessions: Sessions, token: str) -> bool:
    try:
        sessions.verify(token)
    except TokenRefused as fault:
        return str(fault) == "session_ended"
    return False
