"""What is measured over HTTP: the packages that are known, answers held against the oracle, and no failed requests."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from benchmarks import bench_http, served
from benchmarks.bench_http import Side, agree, target
from benchmarks.grid import ACTIONS, Grid, grid
from benchmarks.peers import cerbos, wrk
from benchmarks.served import Cores, Server, Servers, pin
from deploy.local.errors import PlatformError
from deploy.local.packages import TOOLS


@pytest.fixture(scope="module")
def world() -> Grid:
    return grid()


def test_the_grid_is_the_same_one_and_half_of_it_is_allowed(world: Grid) -> None:
    asked = world.questions(20_000)
    assert world == grid()
    assert len(set(asked)) == len(asked)
    assert 0.45 < sum(map(world.allows, asked)) / len(asked) < 0.55
    for group in world.groups(3, 1000):
        assert len(set(group)) == 1000
        assert len({one.person for one in group}) == 1


# --- packages -------------------------------------------------------------------------------------------------


def test_only_the_package_that_is_known_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "cerbos.tgz"
    archive.write_bytes(b"something")
    with pytest.raises(PlatformError, match="is not the package that is known here"):
        cerbos.checked(archive)
    monkeypatch.setattr(cerbos, "INTEGRITY", base64.b64encode(hashlib.sha512(b"something").digest()).decode())
    cerbos.checked(archive)


def test_without_npm_it_is_said_and_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(cerbos.os, "uname", lambda: os.uname_result(("", "", "", "", "x86_64")))
    with pytest.raises(PlatformError, match="no npm"):
        cerbos.fetched(tmp_path / "cerbos")
    assert not (tmp_path / "cerbos").exists()


async def test_who_is_not_there_is_named_with_the_reason(
    world: Grid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start(servers: Servers, name: str, _process: object, port: int) -> None:
        servers.up[name] = Server(name, port, [])

    def refuse(*_arguments: object) -> None:
        raise PlatformError("this machine has no npm")

    monkeypatch.setattr(served, "_start", start)
    monkeypatch.setattr(cerbos, "server", refuse)
    servers = Servers()
    await served._others(servers, tmp_path, world, [])
    assert list(servers.up) == [served.BARE]
    assert [(one.name, one.reason) for one in servers.absent] == [(served.CERBOS, "this machine has no npm")]


def test_cerbos_gets_a_rule_for_each_action_with_the_roles_that_have_it(world: Grid) -> None:
    policy: Any = cerbos._policy(world, world.kinds[0])
    rules = {rule["actions"][0]: rule["roles"] for rule in policy["resourcePolicy"]["rules"]}
    for action in ACTIONS:
        assert rules[action] == sorted(role for role, cells in world.roles.items() if (world.kinds[0], action) in cells)


# --- answers and failures -------------------------------------------------------------------------------------


class Told(Server):
    """Answers as it was told to."""

    def __init__(self, *decisions: bool) -> None:
        super().__init__("told", 0, [])
        self.decisions = decisions

    def answers(self, path: str, bodies: Iterable[object]) -> Iterator[Any]:
        return ({"decision": decision} for decision, _ in zip(self.decisions, bodies, strict=False))


def side(*expected: bool) -> Side:
    return Side("side", "told", "/", [{}] * len(expected), [[one] for one in expected], bench_http._one)


def test_an_answer_that_is_not_the_oracles_ends_it() -> None:
    agree(side(True, False), Told(True, False))
    with pytest.raises(PlatformError, match="side answers question 1 otherwise than the oracle"):
        agree(side(True, False), Told(True, True))


def outcomes(monkeypatch: pytest.MonkeyPatch, *failed: dict[str, int]) -> list[dict[str, int]]:
    left = list(failed)
    monkeypatch.setattr(
        wrk, "drive", lambda *_: wrk.Outcome(count=10, seconds=1, p50=1, p99=2, failed=left.pop(0), cpu_seconds=0.5)
    )
    return left


def test_a_window_in_which_requests_failed_is_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = outcomes(monkeypatch, {"status": 1}, {})
    sample = target(side(True), Told(True), tmp_path, Cores(0, 0), nothing).run(1)
    assert (sample.count, sample.p50, sample.p99, sample.load_seconds, left) == (10, 1, 2, 0.5, [])
    outcomes(monkeypatch, *[{"status": 1}] * bench_http.TRIES)
    with pytest.raises(PlatformError, match="fail again and again"):
        target(side(True), Told(True), tmp_path, Cores(0, 0), nothing).run(1)


def nothing() -> None: ...


def test_who_has_forgotten_learns_again_before_the_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was too much for a server is not to be seen in the figures of what comes after it."""
    people, learnt = iter([5, 5, 3, 0, 0, 3]), []
    monkeypatch.setattr(Told, "remembered", lambda _told: next(people))
    outcomes(monkeypatch, {}, {})
    run = target(side(True), Told(True), tmp_path, Cores(0, 0), lambda: learnt.append(1)).run
    run(1)
    assert learnt == []
    run(1)
    assert learnt == [1]
    assert list(people) == []


def test_every_claim_is_about_somebody_who_is_measured(world: Grid) -> None:
    ours = [*bench_http._of_ours(world), *bench_http._of_cerbos(world), *bench_http._of_bare(world)]
    names = {one.name for one in ours} | {f"{served.AUTHZ}, the whole model"}
    assert {name for claim in bench_http.CLAIMS for name in (claim.of, claim.to)} <= names


# --- processors and the load ----------------------------------------------------------------------------------


def test_every_thread_is_moved_and_those_that_come_later_too() -> None:
    code = """
import os, sys, threading
stop = threading.Event()
def wait(): stop.wait()
for _ in range(3): threading.Thread(target=wait, daemon=True).start()
print(flush=True)
sys.stdin.readline()
threading.Thread(target=lambda: print(*os.sched_getaffinity(0), flush=True)).start()
sys.stdin.readline()
"""
    core = max(os.sched_getaffinity(0))
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        pin(child.pid, core)
        threads = [int(task.name) for task in Path(f"/proc/{child.pid}/task").iterdir()]
        assert len(threads) == 4
        assert all(os.sched_getaffinity(thread) == {core} for thread in threads)
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline().split() == [str(core)]
        child.kill()


def test_what_the_load_says_is_its_last_line() -> None:
    said = 'Running 1s test\n  99%  2ms\n{"requests":5,"us":2000000,"p50":700,"p99":900,"failed":{"status":1},"cpu":0.25}\n'
    assert wrk._read(said) == wrk.Outcome(
        count=5, seconds=2, p50=700, p99=900, failed={"status": 1}, cpu_seconds=0.25
    )  # fmt: skip
    with pytest.raises(PlatformError, match="unable to connect"):
        wrk._read("unable to connect to 127.0.0.1:1 Connection refused\n")


@pytest.mark.skipif(not (TOOLS / "wrk").exists(), reason="wrk was not fetched here; ./dev bench http does it")
async def test_every_body_is_sent_and_no_request_id_twice(tmp_path: Path) -> None:
    bodies, ids, statuses = [], [], iter([500])

    async def answer(request: web.Request) -> web.Response:
        bodies.append((await request.text())[:2])
        ids.append(request.headers["X-Request-ID"])
        return web.Response(status=next(statuses, 200))

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    (tmp_path / "bodies").write_text("a-\nb-00000000\nc-\n")
    url = "http://{}:{}/".format(*runner.addresses[0][:2])
    load = wrk.Load(url, tmp_path / "bodies", {"X-Request-ID": f"id{wrk.CHANGING}"}, connections=4)
    outcome = await asyncio.to_thread(wrk.drive, load, 1, max(os.sched_getaffinity(0)))
    await runner.cleanup()
    assert outcome.failed == {"status": 1}
    assert outcome.count > 10
    assert outcome.p50 <= outcome.p99
    assert set(bodies) == {"a-", "b-", "c-"}
    assert len(set(ids)) == len(ids)
