"""A private RabbitMQ node in one folder: loopback only, its own port mapper, its own cookie, no default guest."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import BrokerMissing, PlatformError
from deploy.local.packages import unpacked
from deploy.local.ports import HOST, answers, free_port
from deploy.local.process import Process, wait_until

_START = 60.0
_USER = "staffgate"


@dataclass(frozen=True)
class Programs:
    server: Path
    epmd: Path
    path: str  # put first on PATH, so that the right `erl` is found
    source: str


def find() -> Programs:
    """The machine's own, else Debian's packages unpacked under .tools."""
    return _installed() or _private()


class RabbitMQ:
    """Two children, the port mapper and the node. `start()` is `prepare()`, `launch()`, `wait()`; only `launch`
    and `launch_epmd` have to happen in the main thread."""

    def __init__(
        self, folder: Path, port: int = 0, *, epmd_port: int = 0, dist_port: int = 0, log: Path | None = None
    ) -> None:
        self.folder = folder.absolute()
        self.port = port
        self.epmd_port = epmd_port
        self.dist_port = dist_port
        self.log = log or self.folder / "rabbitmq.log"
        self.source = ""
        self.version = ""
        self._node: Process | None = None
        self._epmd: Process | None = None

    @property
    def url(self) -> str:
        return f"amqp://{_USER}:{self._secret('password')}@{HOST}:{self.port}/"

    @property
    def pid(self) -> int | None:
        """The Erlang machine itself: the start script gives its process to it."""
        return self._node.pid if self._node else None

    @property
    def processes(self) -> list[Process]:
        return [process for process in (self._epmd, self._node) if process]

    def start(self) -> None:
        self.prepare()
        self.launch()
        self.wait()

    def stop(self) -> None:
        if self._node:
            self._node.stop(patience=30)  # 1.1 s; longer when queues have much to write
        if self._epmd:
            self._epmd.stop()

    def kill(self) -> None:
        """SIGKILL to the node, as the kernel would do it. The port mapper stays, as it would."""
        if self._node:
            self._node.kill()

    def erase(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def prepare(self) -> None:
        programs = find()
        if " " in f"{self.folder}{programs.server}":
            raise BrokerMissing("RabbitMQ's scripts do not work below a folder with a space in its name: move it.")
        self.source, self.version = programs.source, _version(programs)
        self.port = self.port or free_port()
        self.epmd_port = self.epmd_port or free_port()
        self.dist_port = self.dist_port or free_port()
        self._write_configuration()
        env = self._environment(programs)
        argv = [str(programs.epmd), "-port", str(self.epmd_port), "-address", HOST]
        if not (self._epmd and self._epmd.alive):
            self._epmd = Process("epmd", argv, log=self.log.with_name("epmd.log"), env=env)
        self._node = Process("rabbitmq", [str(programs.server)], log=self.log, env=env, cwd=self.folder)

    def launch(self) -> None:
        if self._node is None or self._epmd is None:
            raise RuntimeError("prepare() comes first")
        if not self._epmd.alive:
            self.launch_epmd()
        self._node.spawn()

    def launch_epmd(self) -> None:
        """A node that finds no mapper starts one itself: in the background, on all addresses, outliving everyone."""
        if self._epmd is None:
            raise RuntimeError("prepare() comes first")
        self._epmd.spawn()
        if not wait_until(lambda: answers(self.epmd_port), 5):
            raise PlatformError(f"Erlang's port mapper does not answer on port {self.epmd_port}; see {self._epmd.log}")

    def wait(self) -> None:
        node = self.processes[-1]
        if not wait_until(lambda: self._greets or not node.alive, _START, 0.05) or not node.alive:
            why = node.tail(4)
            self.stop()
            raise PlatformError(f"RabbitMQ did not start; the end of {self.log} says:\n{why}")

    @property
    def _greets(self) -> bool:
        """Whether AMQP is spoken on the port. That it is open comes earlier and means less."""
        try:
            with socket.create_connection((HOST, self.port), 1) as probe:
                probe.sendall(b"AMQP\0\0\x09\x01")
                return len(probe.recv(8)) > 0
        except OSError:
            return False

    def _secret(self, name: str) -> str:
        file = self.folder / name
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_text(secrets.token_urlsafe(24))
        return file.read_text()

    def _write_configuration(self) -> None:
        home = self.folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        cookie = home / ".erlang.cookie"
        if not cookie.exists():
            cookie.touch(mode=0o600)
            cookie.write_text(secrets.token_hex(20))
            cookie.chmod(0o400)
        settings = {
            "listeners.tcp.1": f"{HOST}:{self.port}",
            "default_user": _USER,
            "default_pass": self._secret("password"),
            "log.console": "true",
            "log.console.level": "warning",
            "log.console.use_colors": "off",
            "log.file": "false",
            "vm_memory_high_watermark.absolute": "512MB",
            "disk_free_limit.absolute": "50MB",
        }
        file = self.folder / "rabbitmq.conf"
        file.touch(mode=0o600)
        file.write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        (self.folder / "enabled_plugins").write_text("[].\n")

    def _environment(self, programs: Programs) -> dict[str, str]:
        """Every place and port by name, so that nothing of the machine's own RabbitMQ is read or written."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ_", "ERL_"))}
        places = {
            "CONFIG_FILE": "rabbitmq.conf",
            "ADVANCED_CONFIG_FILE": "advanced.config",
            "ENABLED_PLUGINS_FILE": "enabled_plugins",
            "FEATURE_FLAGS_FILE": "feature_flags",
            "PID_FILE": "node.pid",
            "MNESIA_BASE": "data",
            "LOG_BASE": "log",
            "SCHEMA_DIR": "schema",
            "GENERATED_CONFIG_DIR": "generated",
        }
        return kept | {f"RABBITMQ_{name}": str(self.folder / place) for name, place in places.items()} | {
            "PATH": f"{programs.path}:{os.environ.get('PATH', os.defpath)}",
            "HOME": str(self.folder / "home"),
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_CRASH_DUMP_BYTES": "0",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_NODENAME": "staffgate@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_NODE_IP_ADDRESS": HOST,
            "RABBITMQ_DIST_PORT": str(self.dist_port),
            "RUNNING_UNDER_SYSTEMD": "true",  # the start script then execs the Erlang machine: our child is the node
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false +S 2:2 +sbwt none"
            ),
        }  # fmt: skip


def _installed() -> Programs | None:
    """The server script itself: Debian's /usr/sbin wrapper insists on its own account, folders and service."""
    on_path = shutil.which("rabbitmq-server")
    for server in (Path("/usr/lib/rabbitmq/bin/rabbitmq-server"), Path(on_path or "/nowhere")):
        epmd = _installed_epmd()
        if server.exists() and epmd:
            return Programs(server, epmd, str(server.parent), "system")
    return None


def _installed_epmd() -> Path | None:
    found = shutil.which("epmd")
    beside = sorted(Path("/usr/lib/erlang").glob("erts-*/bin/epmd"))
    return Path(found) if found else beside[-1] if beside else None


def _private() -> Programs:
    folder = unpacked()
    epmd = next((folder / "usr/lib/erlang").glob("erts-*/bin/epmd"))
    return Programs(folder / "usr/lib/rabbitmq/bin/rabbitmq-server", epmd, str(folder / "bin"), "private")


def _version(programs: Programs) -> str:
    """Read from the folder's name: asking the node would take half a second of Erlang."""
    home = programs.server.resolve().parent.parent
    return home.name.removeprefix("rabbitmq_server-") if home.name.startswith("rabbitmq_server-") else ""
