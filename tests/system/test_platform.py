"""The embedded platform: what it starts keeps data, comes back, and leaves nothing behind. Real processes throughout."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path

import aio_pika
import aiohttp
import aiosmtplib
import asyncpg
import pytest

from deploy.local import packages, record
from deploy.local.databases import Urls, provision
from deploy.local.errors import BrokerMissing
from deploy.local.keys import Keys
from deploy.local.ports import HOST, Ports, answers, free_port, is_free
from deploy.local.postgres import Postgres
from deploy.local.process import Process, started_at, wait_until
from deploy.local.rabbitmq import RabbitMQ
from deploy.local.record import Child, Record

# The command line, over a suite that has no services: what is under them is tested here.
_BARE = """
import sys
from deploy.local import cli, plan
plan.SERVICES = plan.TOGETHER = ()
sys.exit(cli.main(sys.argv[1:]))
"""


def bare(*argv: str) -> list[str]:
    return [sys.executable, "-c", _BARE, *argv]


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    assert wait_until(condition, seconds, 0.02), f"waited {seconds} s in vain for: {what}"


def free_base() -> int:
    bases = iter(lambda: random.randrange(20000, 30000, 20), None)  # noqa: S311 - no secret
    return next(base for base in bases if all(is_free(port) for port in vars(Ports.from_base(base)).values()))


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


class Bare:
    """A supervisor without services, in the foreground of a process of ours."""

    def __init__(self, state: Path, *options: str) -> None:
        self.state = state
        self.base = free_base()
        self.options = ["--state", str(state), "--port-base", str(self.base), *options]
        self.supervisor: subprocess.Popen[str] | None = None

    def up(self) -> None:
        self.supervisor = subprocess.Popen(bare("up", *self.options), stdout=subprocess.PIPE, text=True)
        until(lambda: self.record.state == "ready", 60, "the suite")

    def run(self, command: str, *more: str) -> subprocess.CompletedProcess[str]:
        argv = bare(command, *self.options, *more)
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)

    @property
    def record(self) -> Record:
        nothing = Record(pid=0, started=0, state="nothing", since=0)
        return record.read(self.state) or nothing

    def kill(self, name: str) -> int:
        pid = self.record.processes[name].pid
        os.kill(pid, signal.SIGKILL)
        return pid

    def await_return(self, name: str, killed: int) -> None:
        def back() -> bool:
            child = self.record.processes[name]
            return child.pid not in (0, killed) and child.state == "ready"

        until(back, 30, f"{name} to come back")

    def clear(self) -> None:
        self.run("down")
        if self.supervisor:
            self.supervisor.communicate(timeout=30)
        assert self.run("reset").returncode == 0
        assert not self.state.exists()


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bare]:
    bare_suite = Bare(tmp_path_factory.mktemp("suite") / "state", "--bus", "memory")
    bare_suite.up()
    yield bare_suite
    bare_suite.clear()


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


# --- the mailbox --------------------------------------------------------------------------------------------


async def messages(suite: Bare, **asked: str) -> list[dict[str, str]]:
    async with aiohttp.ClientSession() as http, http.get(suite.record.urls["mailbox"] + "/messages", params=asked) as r:
        return list(await r.json())


async def put_faults(suite: Bare, **faults: object) -> None:
    url = suite.record.urls["mailbox"] + "/faults"
    async with aiohttp.ClientSession() as http, http.put(url, json=faults) as response:
        assert response.status == 200


async def send_mail(suite: Bare, to: str) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Staffgate <no-reply@staffgate.localhost>", to, "Grüße <b>"
    mail["Message-ID"] = "<one@staffgate.localhost>"
    mail.set_content("Öffnen: http://127.0.0.1/x?a=1&b=2.\n<script>alert(1)</script>")
    mail.add_alternative("<p onclick='x'>Hallo</p>", subtype="html")
    await aiosmtplib.send(mail, hostname=HOST, port=suite.base + 6)


async def send_sms(suite: Bare, password: str | None = None, **form: str) -> tuple[int, dict[str, object]]:
    sid, token = Keys(suite.state).sms_account()
    url = f"{suite.record.urls['mailbox']}/2010-04-01/Accounts/{sid}/Messages.json"
    headers = {"Authorization": "Basic " + base64.b64encode(f"{sid}:{password or token}".encode()).decode()}
    async with aiohttp.ClientSession(headers=headers) as http, http.post(url, data=form) as response:
        return response.status, await response.json()


async def test_mail_comes_in_by_smtp_and_out_as_json_and_on_the_page(suite: Bare) -> None:
    await send_mail(suite, "jane@example.com")
    (mail,) = await messages(suite, to="JANE@example.com")
    assert mail["kind"] == "email"
    assert mail["subject"] == "Grüße <b>"
    assert mail["text"].startswith("Öffnen: http://127.0.0.1/x?a=1&b=2.\n")
    assert mail["html"].startswith("<p onclick='x'>Hallo</p>")
    assert mail["message_id"] == "<one@staffgate.localhost>"
    async with aiohttp.ClientSession() as http, http.get(suite.record.urls["mailbox"]) as response:
        page = await response.text()
    assert "<script>alert(1)" not in page
    assert 'href="http://127.0.0.1/x?a=1&amp;b=2"' in page
    assert "&lt;p onclick=&#39;x&#39;&gt;Hallo" in page
    assert await messages(suite, since=str(mail["id"])) == []


async def test_sms_come_in_as_twilio_takes_them(suite: Bare) -> None:
    status, accepted = await send_sms(suite, To="+4915112345678", From="Staffgate", Body="Your code is 123456")
    assert status == 201
    assert accepted["status"] == "queued"
    assert str(accepted["sid"]).startswith("SM")
    (sms,) = await messages(suite, kind="sms", to="+4915112345678")
    assert sms["text"] == "Your code is 123456"
    status, refused = await send_sms(suite, To="0151", From="Staffgate", Body="x")
    assert (status, refused["code"]) == (400, 21211)
    status, refused = await send_sms(suite, password="wrong", To="+4915112345678", From="Staffgate", Body="x")
    assert (status, refused["code"]) == (401, 20003)


async def test_the_mailbox_fails_as_it_is_told(suite: Bare) -> None:
    await put_faults(suite, smtp="451", sms=500)
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refusal:
        await send_mail(suite, "later@example.com")
    assert refusal.value.recipients[0].code == 451
    assert (await send_sms(suite, To="+4915112345678", From="Staffgate", Body="x"))[0] == 500
    await put_faults(suite)
    await send_mail(suite, "later@example.com")
    assert len(await messages(suite, to="later@example.com")) == 1


async def test_what_the_mailbox_accepted_is_there_after_a_kill(suite: Bare) -> None:
    await send_mail(suite, "kept@example.com")
    killed = suite.kill("mailbox")
    await asyncio.to_thread(suite.await_return, "mailbox", killed)
    assert len(await messages(suite, to="kept@example.com")) == 1
    async with aiohttp.ClientSession() as http, http.delete(suite.record.urls["mailbox"] + "/messages") as response:
        assert response.status == 204
    assert await messages(suite) == []
