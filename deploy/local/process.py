"""Child processes that end with their parent, whatever ends the parent."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deploy.local.account import Account
from deploy.local.errors import PlatformError

_PR_SET_PDEATHSIG = 1
# Loaded here and not in the child: between fork and exec nothing may be imported or opened.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(last_signal: int) -> Callable[[], None]:
    """What the child does before exec. The kernel ties this to the *thread* that forks: spawn from the main one."""
    parent = os.getpid()

    def arm() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, last_signal)
        if os.getppid() != parent:  # it died before the line above: nobody would ever send the signal
            os._exit(1)

    return arm


def started_at(pid: int) -> int:
    """The start time of a process in clock ticks since boot, 0 when it does not run. With the pid it names a
    process for ever; a pid alone is given out again."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    fields = stat[stat.rindex(")") + 2 :].split()
    return 0 if fields[0] in "ZX" else int(fields[19])


def wait_until(ready: Callable[[], bool], seconds: float, pause: float = 0.01) -> bool:
    """Poll a condition; True as soon as it holds, False when the time is over."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True


class Process:
    """One child: its own session (Ctrl-C reaches the supervisor only), its output in one log file."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        account: Account | None = None,
        last_signal: int = signal.SIGTERM,
        gated: bool = False,
    ) -> None:
        self.name = name
        self.argv = list(argv)
        self.log = log
        self.env = env
        self.cwd = cwd
        self.account = account
        self.last_signal = last_signal
        self.gated = gated
        self._child: subprocess.Popen[bytes] | None = None

    def spawn(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        who = self.account.popen_options() if self.account else {}
        with self.log.open("ab") as out:
            self._child = subprocess.Popen(
                self.argv,
                env=self.env,
                cwd=self.cwd or "/",
                stdin=subprocess.PIPE if self.gated else subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent(self.last_signal),
                **who,
            )

    def release(self) -> None:
        """A gated child waits for the end of its input."""
        if self._child and self._child.stdin:
            self._child.stdin.close()

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    @property
    def returncode(self) -> int | None:
        return self._child.poll() if self._child else None

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def stop(self, polite: int = signal.SIGTERM, patience: float = 15.0) -> None:
        """Ask, wait, then insist. Safe to call twice and on what never started."""
        if self._child is None or not self.alive:
            return
        self._child.send_signal(polite)
        try:
            self._child.wait(patience)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._sweep(self._child.pid)

    def kill(self) -> None:
        if self._child is not None and self.alive:
            self._child.kill()
            self._child.wait()
            self._sweep(self._child.pid)

    def _sweep(self, session: int) -> None:
        """End what the child left in its session (a port driver, a shell). Only right after its end: as long as
        something is left the number cannot be given to others, later it could."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(session, signal.SIGKILL)

    def tail(self, lines: int = 8) -> str:
        try:
            text = self.log.read_bytes()[-8192:].decode("utf-8", "replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])


def run(
    argv: Sequence[str],
    *,
    log: Path,
    what: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    account: Account | None = None,
    seconds: float = 120,
) -> str:
    """Run a command to its end; what it says goes to the log too. Raises PlatformError when it fails."""
    who = account.popen_options() if account else {}
    try:
        done = subprocess.run(
            list(argv), env=env, cwd=cwd or "/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=seconds, check=False,
            preexec_fn=die_with_parent(signal.SIGKILL), **who,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PlatformError(f"{what} failed ({error}); see {log}") from error
    text: str = done.stdout.decode("utf-8", "replace")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as out:
        out.write(f"$ {' '.join(argv)}\n{text}")
    if done.returncode:
        last = next((line for line in reversed(text.splitlines()) if line.strip()), "no output")
        raise PlatformError(f"{what} failed ({last.strip()}); see {log}")
    return text
