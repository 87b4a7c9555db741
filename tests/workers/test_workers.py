"""Several workers on one port, as real processes: all answer, those that die come back, and none outlives its keeper."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections import Counter
from pathlib import Path

import aiohttp
import pytest

from deploy.local.ports import HOST
from tests.workers.running import Running, is_running, running


async def test_all_of_them_answer_on_one_port(tmp_path: Path) -> None:
    async with running(tmp_path, 3) as small:
        await small.ready(3)
        assert await small.met(3) == small.workers
        assert {line["worker"] for line in small.lines("service.ready")} == {1, 2, 3}
        assert {line["port"] for line in small.lines("service.ready")} == {small.port}


async def test_the_first_starts_alone(tmp_path: Path) -> None:
    """What it does for all, as to migrate, is done then; and what is wrong with all of them is said once."""
    async with running(tmp_path, 3, slow_start=0.5) as small:
        await small.until(lambda: small.workers)
        seen = set()
        while not small.lines("worker.ready"):
            seen |= small.workers
            await asyncio.sleep(0.01)
        assert len(seen) == 1
        await small.ready(3)


async def test_one_alone_has_no_keeper(tmp_path: Path) -> None:
    async with running(tmp_path, 1) as small:
        await small.until(lambda: small.lines("service.ready"))
        assert not small.workers
        assert await small.who() == small.process.pid
        assert {worker for _, worker in await small.figures()} == {""}
        small.process.terminate()
        assert await small.ended() == 0


async def test_one_that_is_killed_comes_back_and_the_others_go_on(tmp_path: Path) -> None:
    async with running(tmp_path, 3) as small:
        await small.ready(3)
        victim = await small.who()
        others = small.workers - {victim}
        stop, answered, lost = asyncio.Event(), Counter[int](), Counter[int]()

        async def asking(client: int) -> None:
            while not stop.is_set():
                try:
                    answered[await small.who()] += 1
                except (aiohttp.ClientError, OSError):
                    lost[client] += 1

        clients = [asyncio.create_task(asking(client)) for client in range(6)]
        await small.until(lambda: answered.total() > 100)
        os.kill(victim, signal.SIGKILL)
        await small.ready(4)
        newcomer = small.workers - others
        await small.until(lambda: all(answered[pid] for pid in newcomer))
        stop.set()
        await asyncio.gather(*clients)
        assert victim not in small.workers
        assert len(newcomer) == 1
        assert max(lost.values(), default=0) <= 1, "no more than what was in its hands"
        death = small.lines("worker.ended")
        assert [line["exit"] for line in death] == [-signal.SIGKILL]
        assert death[0]["worker"] in {1, 2, 3}


async def test_one_whose_loop_hangs_is_ended_and_replaced(tmp_path: Path) -> None:
    async with running(tmp_path, 2, quick=True) as small:
        await small.ready(2)
        before = small.workers
        with pytest.raises((aiohttp.ClientError, OSError)):
            await small.ask("/stuck", "POST", seconds=30)
        await small.ready(3)
        assert len(small.workers & before) == 1
        assert len(small.lines("worker.silent")) == 1
        assert await small.met(2) == small.workers


async def test_what_was_begun_is_finished(tmp_path: Path) -> None:
    """SIGTERM under load: whatever a worker began it answers. What else a client sees is a connection that was closed
    before anybody looked at its request."""
    async with running(tmp_path, 3, counts=tmp_path) as small:
        await small.ready(3)
        answered: set[str] = set()

        async def asking(client: int) -> None:
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as session:
                for number in (f"{client}-{n}" for n in range(1000)):
                    asked = {"number": number, "seconds": str(0.01 + 0.02 * (client % 7))}
                    try:
                        async with session.post(f"{small.url}/slow", params=asked) as response:
                            assert response.status == 200, await response.text()
                            await response.read()
                            answered.add(number)
                    except aiohttp.ClientConnectorError:
                        return
                    except (aiohttp.ClientError, OSError):
                        assert not (tmp_path / f"{number}.begun").exists(), "begun, and never answered"

        clients = [asyncio.create_task(asking(client)) for client in range(30)]
        await small.until(lambda: len(answered) > 100)
        small.process.terminate()
        await asyncio.gather(*clients)
        assert await small.ended() == 0
        assert {name.removesuffix(".begun") for name in os.listdir(tmp_path) if name.endswith(".begun")} == answered
        assert not small.lines("worker.ended")


async def test_sigint_ends_them_too_and_while_they_start(tmp_path: Path) -> None:
    async with running(tmp_path, 2, slow_start=30) as small:
        await small.until(lambda: small.workers)
        workers = small.workers
        small.process.send_signal(signal.SIGINT)
        assert await small.ended(40) == 0
        assert not any(map(is_running, workers))


async def test_none_outlives_its_keeper(tmp_path: Path) -> None:
    """Killed, it can say nothing to anybody; they see it, and finish what they had begun."""
    async with running(tmp_path, 3, counts=tmp_path) as small:
        await small.ready(3)
        workers = small.workers
        folder = small.folder
        assert sorted(os.listdir(folder)) == ["1.sock", "2.sock", "3.sock"]
        begun = asyncio.create_task(small.ask("/slow?number=1&seconds=0.5", "POST"))
        await small.until(lambda: (tmp_path / "1.begun").exists())
        small.process.kill()
        assert (await begun)[0] == 200
        await small.until(lambda: not any(map(is_running, workers)))
        assert not folder.exists()


# --- what can't be -------------------------------------------------------------------------------------------


async def refused(small: Running) -> tuple[int, list[str]]:
    code = await small.ended()
    assert "--as-worker" not in small.output
    return code, [line for line in small.output.splitlines() if line]


async def test_settings_that_can_not_be_used_are_said_once(tmp_path: Path) -> None:
    async with running(tmp_path, 3, key="none") as small:
        assert await refused(small) == (2, ["small can't start; one of its settings can't be used: the key is none"])
    async with running(tmp_path, 3, database_url=None) as small:
        assert await refused(small) == (
            2, ["small can't start; its settings are incomplete:", "SMALL_DATABASE_URL is missing"],
        )  # fmt: skip


async def test_a_bus_in_memory_has_one_process(tmp_path: Path) -> None:
    async with running(tmp_path, 2, bus="memory") as small:
        code, said = await refused(small)
        assert code == 2
        assert said == ["small can't start: a bus in memory ends with its process; --workers needs RabbitMQ"]


@pytest.mark.parametrize("count", ["0", "-1", "257", "two", "1.5", ""])
async def test_a_number_that_can_not_be_is_refused(tmp_path: Path, count: str) -> None:
    async with running(tmp_path, 1, arguments=(f"--workers={count}",)) as small:
        code, said = await refused(small)
        assert code == 2
        assert said[-1].endswith(f"argument --workers: a number from 1 to 256 is needed, not {count}")


async def test_a_port_that_others_have_is_not_shared(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        async with running(tmp_path, 2, http_port=port) as small:
            assert await refused(small) == (1, [f"small can't listen on {HOST}:{port}: Address already in use"])
    async with running(tmp_path, 2) as small:
        await small.ready(2)
        folder = tmp_path / "second"
        folder.mkdir()
        for count in (1, 2):
            async with running(folder, count, http_port=small.port) as second:
                assert await second.ended() == 1
                assert "address already in use" in second.output.lower()


async def test_port_0_is_one_port_for_all(tmp_path: Path) -> None:
    async with running(tmp_path, 2, http_port="0") as small:
        await small.ready(2)
        (port,) = {line["port"] for line in small.lines("service.ready")}
        assert port
        small.url = f"http://{HOST}:{port}"
        assert len(await small.met(2)) == 2


async def test_what_keeps_all_of_them_from_starting_ends_the_whole(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.touch()
    async with running(tmp_path, 3, broken=broken) as small:
        assert await refused(small) == (1, ["small can't reach what it needs"])


async def test_one_that_dies_too_often_ends_the_whole(tmp_path: Path) -> None:
    async with running(tmp_path, 3, broken=tmp_path / "broken", quick=True) as small:
        await small.ready(3)
        workers = small.workers
        (tmp_path / "broken").touch()
        os.kill(await small.who(), signal.SIGKILL)
        assert await small.ended() == 1
        assert not any(map(is_running, workers))
        deaths = [line["worker"] for line in small.lines("worker.ended") + small.lines("workers.given_up")]
        assert Counter(deaths).most_common() == [(deaths[0], 4)], "three pauses, and no fifth start"


async def test_the_pauses_begin_again_for_one_that_has_lived(tmp_path: Path) -> None:
    async with running(tmp_path, 2, quick=True, settled=0.0) as small:
        await small.ready(2)
        for times in range(6):
            newest = [line["pid"] for line in small.lines("worker.ready") if line["worker"] == 2][-1]
            os.kill(newest, signal.SIGKILL)
            await small.ready(3 + times)
        assert not small.lines("workers.given_up")
