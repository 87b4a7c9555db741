"""One scrape tells of all workers, whichever of them it reached; one that does not answer holds nobody up."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from pathlib import Path

from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from shared.metrics import WITHIN, Shared, merged, own
from tests.workers.running import read, running

ONE = """# HELP asked_total Questions
# TYPE asked_total counter
asked_total{who="Jane \\"x\\" }{ \\\\\u2028 # HELP "} 2.0
asked_total{who="Ray"} 1.0
# HELP age_seconds Age
# TYPE age_seconds gauge
age_seconds NaN
"""
TWO = """# HELP age_seconds Age
# TYPE age_seconds gauge
age_seconds 4.0
# HELP only_two Only here
# TYPE only_two gauge
only_two 1.0
"""


def test_each_sample_names_its_worker_and_each_family_is_described_once() -> None:
    assert (
        merged({1: ONE, 2: TWO, 3: None})
        == """# HELP asked_total Questions
# TYPE asked_total counter
asked_total{worker="1",who="Jane \\"x\\" }{ \\\\\u2028 # HELP "} 2.0
asked_total{worker="1",who="Ray"} 1.0
# HELP age_seconds Age
# TYPE age_seconds gauge
age_seconds{worker="1"} NaN
age_seconds{worker="2"} 4.0
# HELP only_two Only here
# TYPE only_two gauge
only_two{worker="2"} 1.0
# HELP worker_up 1 for a worker whose figures are here, 0 for one that did not tell them
# TYPE worker_up gauge
worker_up{worker="1"} 1.0
worker_up{worker="2"} 1.0
worker_up{worker="3"} 0.0
"""
    )


def test_what_a_process_tells_is_there_for_each_worker() -> None:
    alone, together = read(own()), read(merged({7: own()}))
    assert {name for name, _ in together} == {name for name, _ in alone} | {"worker_up"}
    assert {worker for _, worker in together} == {"7"}


def test_no_figure_has_such_a_label_already() -> None:
    assert not [one.name for one in REGISTRY.collect() for sample in one.samples if "worker" in sample.labels]


async def test_half_an_answer_is_none(tmp_path: Path) -> None:
    """Of a worker that was killed while it told."""

    async def broken(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(own().encode()[:-5])
        writer.close()

    async with await asyncio.start_unix_server(broken, tmp_path / "2.sock"):
        figures = read(await Shared(tmp_path, 1, 2).asked())
    assert [figures["worker_up", number] for number in "12"] == [1, 0]
    assert ("process_start_time_seconds", "2") not in figures


async def test_a_scrape_tells_of_all_whichever_it_reached(tmp_path: Path) -> None:
    async with running(tmp_path, 3) as small:
        await small.ready(3)
        for _ in range(30):
            await small.who()
        await small.met(3)
        told = [(await small.ask("/metrics"))[1] for _ in range(10)]
        for text in told:
            heads = re.findall(r"^# (?:HELP|TYPE) \S+", text, re.MULTILINE)
            assert len(heads) == len(set(heads))
            list(text_string_to_metric_families(text))
        figures = [read(text) for text in told]
        asked = [sum(one["small_asked_total", number] for number in "123") for one in figures]
        assert len(set(asked)) == 1
        assert asked[0] >= 30
        assert all(figures[0]["small_asked_total", number] for number in "123")
        assert {tuple(one["worker_up", number] for number in "123") for one in figures} == {(1, 1, 1)}


async def test_one_that_does_not_answer_is_left_out_and_seen_to_be(tmp_path: Path) -> None:
    async with running(tmp_path, 2) as small:
        await small.ready(2)
        frozen = await small.who()
        os.kill(frozen, signal.SIGSTOP)
        started = time.perf_counter()
        # One that the kernel gives to the frozen worker has no answer until it goes on.
        scrapes = [asyncio.create_task(small.ask("/metrics", seconds=60)) for _ in range(12)]
        try:
            await asyncio.wait(scrapes, return_when=asyncio.FIRST_COMPLETED)
            took = time.perf_counter() - started
            status, text = next(scrape.result() for scrape in scrapes if scrape.done())
        finally:
            os.kill(frozen, signal.SIGCONT)
        await asyncio.gather(*scrapes)
        figures = read(text)
        assert status == 200
        assert sorted(figures["worker_up", number] for number in "12") == [0, 1]
        assert WITHIN <= took < 10 * WITHIN
        assert len([one for one in figures if one[0] == "process_start_time_seconds"]) == 1
        after = await small.figures()
        assert [after["worker_up", number] for number in "12"] == [1, 1]


async def test_of_one_that_came_back_the_new_figures_are_told(tmp_path: Path) -> None:
    async with running(tmp_path, 2) as small:
        await small.ready(2)
        before = await small.figures()
        os.kill(await small.who(), signal.SIGKILL)
        await small.ready(3)
        after = await small.figures()
        assert [after["worker_up", number] for number in "12"] == [1, 1]
        younger = [
            number
            for number in "12"
            if after["process_start_time_seconds", number] > before["process_start_time_seconds", number]
        ]
        assert len(younger) == 1
