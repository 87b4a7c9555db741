"""A PostgreSQL server of our own in one folder: a foreground child, TCP on the loopback only, scram passwords."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import tempfile
from pathlib import Path

from deploy.local import binaries, shelter
from deploy.local.account import Account, server_account
from deploy.local.binaries import Binaries
from deploy.local.errors import PlatformError
from deploy.local.ports import HOST, free_port
from deploy.local.process import Process, run, started_at, wait_until

_START = 30.0
_PREVIOUS = 30.0


class Postgres:
    """`start()` is `prepare()`, `launch()`, `wait()`: only `launch` has to happen in the main thread."""

    def __init__(self, folder: Path, port: int = 0, *, log: Path | None = None) -> None:
        self.folder = folder.absolute()
        self.port = port
        self.log = log or self.folder / "postgres.log"
        self.source = ""
        self.version = ""
        self._account: Account | None = None
        self._home = self.folder
        self._process: Process | None = None

    @property
    def url(self) -> str:
        password = (self.folder / "password").read_text()
        return f"postgresql://postgres:{password}@{HOST}:{self.port}/postgres"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def processes(self) -> list[Process]:
        return [self._process] if self._process else []

    def start(self) -> None:
        self.prepare()
        self.launch()
        self.wait()

    def stop(self) -> None:
        if self._process:
            self._process.stop(signal.SIGINT)  # "fast": ends sessions, writes a checkpoint; 0.02 s

    def kill(self) -> None:
        """SIGKILL to the postmaster alone, as the kernel would do it; its backends notice by themselves."""
        if self._process:
            self._process.kill()

    def erase(self) -> None:
        """Remove what this folder holds, also what had to be put elsewhere."""
        self._settle()
        for place in {self.folder, self._home}:
            shutil.rmtree(place, ignore_errors=True)
        shelter.leave()

    def prepare(self) -> None:
        """Everything before the server itself: programs, account, a cluster, and no rival on the folder."""
        self._settle()
        programs = binaries.find(self._account)
        self.source, self.version = programs.source, programs.version()
        if not (self._data / "PG_VERSION").exists():
            self._create(programs)
        self._check_version()
        self._await_previous()
        self.port = self.port or free_port()
        self._process = Process(
            "postgres", self._argv(programs), log=self.log, env=_environment(), account=self._account,
            last_signal=signal.SIGINT,
        )  # fmt: skip

    def launch(self) -> None:
        if self._process is None:
            raise RuntimeError("prepare() comes first")
        self._process.spawn()

    def wait(self) -> None:
        """Until the postmaster says "ready" in its own pid file, which is what pg_ctl looks at too."""
        process = self.processes[0]
        if not wait_until(lambda: self._ready or not process.alive, _START) or not process.alive:
            why = process.tail(4)
            process.kill()
            raise PlatformError(f"PostgreSQL did not start; the end of {self.log} says:\n{why}")

    @property
    def _data(self) -> Path:
        return self._home / "data"

    def _settle(self) -> None:
        """Who runs the server, and where its data can be for that."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._account = server_account(self.folder / "data")
        if self._account:
            self.folder.chmod(0o755)
            if not self._account.can_enter(self.folder):
                self._home = shelter.shelter_for(self.folder)
                self._account = server_account(self._data)

    def _create(self, programs: Binaries) -> None:
        """initdb beside the place and a rename: whatever is interrupted, no half-made cluster is ever started."""
        making = self._home / "data.new"
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(mode=0o700)
        password = secrets.token_urlsafe(24)
        with tempfile.NamedTemporaryFile("w", suffix=".password") as handed_over:
            # A file and not /dev/stdin: the dropped account may not open the pipe of another again.
            handed_over.write(password)
            handed_over.flush()
            if self._account:
                self._account.own(making)
                self._account.own(Path(handed_over.name))
            argv = [programs / "initdb", "-D", str(making), "-U", "postgres", "--encoding=UTF8", "--auth=scram-sha-256",
                    f"--pwfile={handed_over.name}", *self._locale()]  # fmt: skip
            run(argv, log=self.log, what="Creating the database cluster", env=_environment(), account=self._account)
        keep = self.folder / "password"
        keep.unlink(missing_ok=True)
        keep.touch(mode=0o600)
        keep.write_text(password)
        making.rename(self._data)

    def _locale(self) -> list[str]:
        """The same order of text on every machine. The wheel has no ICU; the built-in provider came with 17."""
        if int(self.version.split(".")[0]) >= 17:
            return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        return ["--locale=C.UTF-8"]

    def _check_version(self) -> None:
        made_by = (self._data / "PG_VERSION").read_text().strip()
        if self.version.split(".")[0] != made_by.split(".")[0]:
            raise PlatformError(
                f"The data in {self._data} was made by PostgreSQL {made_by}, but the programs found are {self.version}: "
                f"name the folder of PostgreSQL {made_by} in PG_BIN, or empty the data with ./dev reset."
            )

    def _argv(self, programs: Binaries) -> list[str]:
        settings = {
            "listen_addresses": HOST,
            "unix_socket_directories": "",
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "logging_collector": "off",
            # A statement's text may be logged, and never what it was about: not its parameters, and not the row that
            # a constraint refused, which stands in the DETAIL.
            "log_parameter_max_length": "0",
            "log_parameter_max_length_on_error": "0",
            "log_error_verbosity": "terse",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [programs / "postgres", "-D", str(self._data), "-p", str(self.port), *options]

    def _await_previous(self) -> None:
        """A server whose supervisor was killed needs a moment to shut down; so do the sessions of a killed one."""
        note = self._data / "postmaster.pid"
        if not note.exists():
            return
        postmaster = _first_number(note)
        if wait_until(lambda: not _working_in(self._data), 3, 0.05):
            # Postgres knows a stale note by its pid; the one case it refuses is that pid given to another of
            # our programs. Nobody works in the folder, so the note can go.
            if started_at(postmaster):
                note.unlink(missing_ok=True)
            return
        if not wait_until(lambda: postmaster not in _working_in(self._data), _PREVIOUS, 0.05):
            raise PlatformError(f"Another PostgreSQL (pid {postmaster}) runs on {self._data}: stop it and try again.")
        for orphan in _working_in(self._data):  # sessions deep in a query do not see that their postmaster is gone
            os.kill(orphan, signal.SIGKILL)

    @property
    def _ready(self) -> bool:
        try:
            lines = (self._data / "postmaster.pid").read_text().split("\n")
        except OSError:
            return False
        return len(lines) > 7 and lines[0] == str(self.pid) and lines[7].strip() == "ready"


def _working_in(folder: Path) -> list[int]:
    """Postmaster and sessions alike have the data folder as their working directory. 3 ms for 200 processes."""
    place = str(folder.resolve())
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _cwd(entry) == place]


def _cwd(entry: Path) -> str:
    try:
        return os.readlink(entry / "cwd")
    except OSError:
        return ""


def _first_number(file: Path) -> int:
    try:
        return abs(int(file.read_text().split()[0]))
    except (OSError, ValueError, IndexError):
        return 0


def _environment() -> dict[str, str]:
    """Without the PG* of a developer's shell, which would reach initdb and the server."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}
