"""Which trace a request belongs to: the one that is followed, in a service as in a product."""

from __future__ import annotations

import asyncio
import os
import random
import re
from collections.abc import Iterator

import pytest

from shared import trace as service
from staffgate import trace

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
FORMAT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]")


@pytest.fixture(autouse=True)
def loose() -> Iterator[None]:
    trace.current.set("")
    yield
    trace.current.set("")


def test_a_span_of_ones_own_in_the_trace_that_is_followed() -> None:
    assert trace.follow(PARENT) == "0af7651916cd43dd8448eb211c80319c"
    version, trace_id, span, flags = trace.traceparent().split("-")
    assert (version, trace_id, flags) == ("00", "0af7651916cd43dd8448eb211c80319c", "00"), "not sampled stays so"
    assert span != "b7ad6b7169203331"
    assert trace.traceparent().split("-")[2] == span, "what is asked within one request has one parent"


@pytest.mark.parametrize(
    "parent",
    [None, "", "nonsense", PARENT.upper(), PARENT + "\n", "ff" + PARENT[2:], PARENT.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32),
     PARENT.replace("b7ad6b7169203331", "0" * 16), PARENT + "\r\nX-Evil: 1"],
)  # fmt: skip
def test_what_can_not_be_read_is_followed_nowhere(parent: str | None) -> None:
    ids = {trace.follow(parent) for _ in range(3)}
    assert len(ids) == 3
    assert FORMAT.fullmatch(trace.traceparent())


def test_without_a_trace_each_is_its_own() -> None:
    assert len({trace.traceparent().split("-")[1] for _ in range(3)}) == 3


async def test_it_holds_for_the_task_and_for_those_that_it_starts() -> None:
    async def one(parent: str | None) -> tuple[str, str]:
        followed = trace.follow(parent)
        await asyncio.sleep(0)
        return followed, await asyncio.create_task(inner())

    async def inner() -> str:
        return trace.traceparent().split("-")[1]

    for followed, seen in await asyncio.gather(one(PARENT), one(None)):
        assert followed == seen
    assert trace.current.get() == ""


def test_what_a_service_asks_of_another_belongs_to_the_trace_of_its_request() -> None:
    assert service.begin(PARENT) in trace.traceparent()


def test_whoever_seeds_their_own_chance_neither_repeats_an_id_nor_is_disturbed() -> None:
    random.seed(0)
    first, drawn = trace.fresh(), random.random()  # noqa: S311
    random.seed(0)
    assert trace.fresh() != first
    assert random.random() == drawn  # noqa: S311


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no other way to begin a process here")
def test_a_process_that_forks_has_ids_of_its_own() -> None:
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.write(write, trace.fresh().encode())
        os._exit(0)
    own = trace.fresh()
    os.waitpid(child, 0)
    assert os.read(read, 100).decode() != own
    os.close(read)
    os.close(write)
