"""The embedded platform: what it starts keeps data, comes back, and leaves nothing behind. Real processes throughout."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import aio_pika
import asyncpg
import pytest

from deploy.local import packages, record
from deploy.local.databases import Urls, provision
from deploy.local.errors import BrokerMissing
from deploy.local.keys import Keys
from deploy.local.ports import HOST, Ports, answers, free_port, is_free
from deploy.local.postgres import Postgres
from deploy.local.process import Process, started_at
from deploy.local.rabbitmq import RabbitMQ
from deploy.local.record import Child, Record
from tests.system.bare import Bare, free_base, suite, until

__all__ = ["suite"]

# --- PostgreSQL ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    server = Postgres(tmp_path_factory.mktemp("postgres") / "server")
    server.start()
    yield server
    server.stop()
    server.erase()


async def test_postgres_keeps_committed_rows_through_a_kill(server: Postgres) -> None:
    connection = await asyncpg.connect(server.url)
    await connection.execute("CREATE TABLE kept AS SELECT 1 AS a")
    first = server.pid
    server.kill()
    server.start()
    assert server.pid != first
    again = await asyncpg.connect(server.url)
    assert await again.fetchval("SELECT a FROM kept") == 1
    assert await again.fetchval("SHOW fsync") == "on"
    assert await again.fetchval("SHOW server_encoding") == "UTF8"
    await again.close()


async def test_postgres_starts_over_a_pid_file_whose_number_belongs_to_another(server: Postgres) -> None:
    server.kill()
    note = server._data / "postmaster.pid"
    lines = note.read_text().split("\n")
    note.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    server.start()
    connection = await asyncpg.connect(server.url)
    await connection.close()


async def test_postgres_wants_a_password(server: Postgres) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"postgresql://postgres:wrong@{HOST}:{server.port}/postgres")


async def test_provision_twice_at_once_gives_each_service_its_own_database(server: Postgres) -> None:
    async def one(service: str) -> Urls:
        return await provision(server.url, service, owner_password="o 'w\"n", app_password=f"a@{service}/")

    urls = await asyncio.gather(one("left"), one("left"), one("right"), one("right"))
    owner = await asyncpg.connect(urls[0].owner)
    await owner.execute('CREATE TABLE t (a int); GRANT SELECT ON t TO "left"')
    app = await asyncpg.connect(urls[1].app)
    assert await app.fetch("SELECT a FROM t") == []
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute("CREATE TABLE mine (a int)")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for database"):
        await asyncpg.connect(urls[3].app.removesuffix("/right") + "/left")
    limits = "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolbypassrls FROM pg_roles WHERE rolname = 'left'"
    assert await app.fetchval(limits) is False
    await owner.close()
    await app.close()


# --- RabbitMQ -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    broker = RabbitMQ(tmp_path_factory.mktemp("rabbitmq") / "node")
    broker.start()
    yield broker
    broker.stop()


async def test_rabbitmq_keeps_confirmed_messages_through_a_kill(node: RabbitMQ) -> None:
    connection = await aio_pika.connect(node.url)
    channel = await connection.channel(publisher_confirms=True)
    queue = await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "classic"})
    message = aio_pika.Message(b"still here", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
    await channel.default_exchange.publish(message, queue.name)
    mapper = node.processes[0].pid
    node.kill()
    node.start()
    assert node.processes[0].pid == mapper
    again = await aio_pika.connect(node.url)
    async with again:
        kept = await (await again.channel()).get_queue("kept")
        assert (await kept.get(timeout=5)).body == b"still here"
    await connection.close()


async def test_rabbitmq_has_no_guest(node: RabbitMQ) -> None:
    with pytest.raises(aio_pika.exceptions.ProbableAuthenticationError):
        await aio_pika.connect(f"amqp://guest:guest@{HOST}:{node.port}/")


def test_rabbitmq_listens_on_the_loopback_only(node: RabbitMQ) -> None:
    ports = {node.port, node.epmd_port, node.dist_port}
    table = Path("/proc/net/tcp").read_text().splitlines()[1:] + Path("/proc/net/tcp6").read_text().splitlines()[1:]
    listening = [line.split()[1].split(":") for line in table if line.split()[3] == "0A"]
    places = {address for address, port in listening if int(port, 16) in ports}
    assert places <= {"0100007F", "00000000000000000000000001000000"}


def test_no_rabbitmq_to_be_had_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages.shutil, "which", lambda _name: None)
    with pytest.raises(BrokerMissing, match="AMQP_URL"):
        packages.unpacked(tmp_path / "rabbitmq")
    assert not (tmp_path / "rabbitmq").exists()


# --- processes and keys -------------------------------------------------------------------------------------


def test_a_child_ends_with_a_killed_parent(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c",
         "import sys; from pathlib import Path; from deploy.local.process import Process\n"
         "child = Process('child', ['sleep', '600'], log=Path(sys.argv[1])); child.spawn()\n"
         "print(child.pid, flush=True); sys.stdin.read()", str(tmp_path / "log")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert started_at(child)
    parent.kill()
    parent.wait()
    until(lambda: not started_at(child), 5, "the end of the child")


def test_a_child_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    process = Process("deaf", [sys.executable, "-c", deaf], log=tmp_path / "log")
    process.spawn()
    until(lambda: "deaf" in process.tail(), 10, "the child's first line")
    process.stop(patience=0.1)
    assert process.returncode == -signal.SIGKILL


def test_keys_are_made_once_and_for_the_owner_only(tmp_path: Path) -> None:
    first, second = Keys(tmp_path), Keys(tmp_path)
    assert first.signing_key() == second.signing_key()
    assert "d" in json.loads(first.seal_key("notify", private=True))
    assert "d" not in json.loads(first.seal_key("notify", private=False))
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600


# --- the suite ----------------------------------------------------------------------------------------------


def test_status_up_again_and_reset_while_it_runs(suite: Bare) -> None:
    assert "mailbox" in suite.run("status").stdout
    again = suite.run("up", "--detach")
    assert again.returncode == 0
    assert "already running" in again.stdout
    refused = suite.run("reset")
    assert refused.returncode == 1
    assert "./dev down first" in refused.stderr


def test_who_dies_comes_back_in_its_place(suite: Bare) -> None:
    for name in ("postgres", "mailbox"):
        port = suite.record.processes[name].port
        suite.await_return(name, suite.kill(name))
        assert suite.record.processes[name].port == port
        assert answers(port)
    log = (suite.state / "log" / "suite.log").read_text()
    assert "mailbox ended (killed by signal 9)" in log


def test_a_taken_port_ends_in_one_sentence(tmp_path: Path) -> None:
    base = free_base()
    with socket.create_server((HOST, base + 5)):
        done = subprocess.run(
            [sys.executable, "-m", "deploy.local", "up", "--detach", "--state", str(tmp_path / "state"),
             "--port-base", str(base)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert f"Port {base + 5}, wanted by the mailbox page, is taken" in done.stderr
    assert "--port-base" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_record_of_another_process_is_not_believed(tmp_path: Path) -> None:
    other = Record(pid=os.getpid(), started=started_at(os.getpid()) + 1, state="ready", since=time.time())
    other.processes["postgres"] = Child(pid=os.getpid(), started=1, state="ready", port=1)
    record.write(tmp_path, other)
    assert record.running(tmp_path) is None
    record.end_remains(tmp_path)  # and this process is not ended for it


def test_a_start_that_fails_leaves_nothing(tmp_path: Path) -> None:
    base, state = free_base(), tmp_path / "state"
    argv = [sys.executable, "-m", "deploy.local", "up", "--detach", f"--state={state}", f"--port-base={base}",
            "--bus=memory"]  # fmt: skip
    environment = os.environ | {"DATABASE_URL": f"postgresql://nobody:x@{HOST}:{free_port()}/x"}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "check DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr
    assert all(is_free(port) for port in vars(Ports.from_base(base)).values())


def test_nothing_outlives_a_killed_supervisor_and_the_next_start_finds_everything(tmp_path: Path) -> None:
    suite = Bare(tmp_path / "state", "--bus", "rabbitmq")
    suite.up()
    children = suite.record.processes
    assert set(children) == {"postgres", "epmd", "rabbitmq", "mailbox"}
    assert suite.supervisor is not None
    suite.supervisor.kill()
    suite.supervisor.wait()
    until(lambda: not suite.record.remains, 20, "the end of all children")
    ports = vars(Ports.from_base(suite.base)).values()
    assert all(is_free(port) for port in ports)
    assert "not running" in suite.run("status").stdout
    assert "Nothing is running" in suite.run("down").stdout
    assert "database system is shut down" in (suite.state / "log" / "postgres.log").read_text()
    suite.clear()
