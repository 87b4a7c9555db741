"""What each command of ./dev does. Errors are PlatformErrors; the caller prints them."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from deploy.local import record as records
from deploy.local.banner import banner, shown, status
from deploy.local.errors import PlatformError
from deploy.local.options import Options
from deploy.local.process import wait_until
from deploy.local.record import Record

_DOWN = 60.0


def up(options: Options, arguments: argparse.Namespace) -> int:
    _make_folder(options.state)
    if arguments.tell is not None:
        return _supervise_for(arguments.tell, options)
    if _shown_as_running(options.state):
        return 0
    try:
        return _up_detached(options) if arguments.detach else _up_here(options)
    except PlatformError:
        if _shown_as_running(options.state):  # two at the same moment: the other one was first
            return 0
        raise


def down(options: Options, _arguments: argparse.Namespace) -> int:
    record = records.read(options.state)
    if record is None or not (record.alive or record.remains):
        print("Nothing is running.")
        return 0
    began = time.monotonic()
    if record.alive:
        os.kill(record.pid, signal.SIGTERM)
        if not wait_until(lambda: not record.alive, _DOWN, 0.02):
            os.kill(record.pid, signal.SIGKILL)  # its children hear of that from the kernel
            wait_until(lambda: not record.alive, 5, 0.02)
    records.end_remains(options.state)
    (options.state / records.FILE).unlink(missing_ok=True)
    print(f"Staffgate is stopped ({time.monotonic() - began:.1f} s). Its data is kept in {shown(options.state)}.")
    return 0


def show_status(options: Options, _arguments: argparse.Namespace) -> int:
    record = records.running(options.state)
    if record is None:
        print("Staffgate is not running. Start it with ./dev up.")
        return 1
    print(_status(record))
    return 0


def logs(options: Options, arguments: argparse.Namespace) -> int:
    from deploy.local.tail import show

    show(options.logs, arguments.service, follow=arguments.follow, lines=arguments.lines)
    return 0


def reset(options: Options, _arguments: argparse.Namespace) -> int:
    """Only what the suite made: --state may have been pointed at any folder."""
    from deploy.local.postgres import Postgres

    if records.running(options.state):
        raise PlatformError("Staffgate is running: stop it with ./dev down first.")
    records.end_remains(options.state)
    if (options.state / "postgres").exists():
        Postgres(options.state / "postgres").erase()
    for name in ("rabbitmq", "mailbox", "log"):
        shutil.rmtree(options.state / name, ignore_errors=True)
    for name in ("secrets.json", records.FILE, "suite.lock"):
        (options.state / name).unlink(missing_ok=True)
    if options.state.exists() and not any(options.state.iterdir()):
        options.state.rmdir()
    print(f"{shown(options.state)} is empty; the next ./dev up begins anew.")
    if options.database_url or options.amqp_url:
        print("What is in the servers of DATABASE_URL and AMQP_URL was left as it is.")
    return 0


def demo(options: Options, arguments: argparse.Namespace) -> int:
    _required(options)
    return _run_module("deploy.local.demo", "--state", str(options.state), *arguments.rest)


def parked(options: Options, arguments: argparse.Namespace) -> int:
    record = _required(options)
    if "amqp" not in record.urls:
        raise PlatformError("This suite runs over the in-memory bus, which parks nothing: start it with RabbitMQ.")
    os.environ["STAFFGATE_AMQP_URL"] = record.urls["amqp"]
    return _run_module("shared.bus", "parked", *arguments.rest)


def test(_options: Options, arguments: argparse.Namespace) -> int:
    from deploy.local import stages

    return stages.test(arguments.rest, long=arguments.long)


def lint(_options: Options, _arguments: argparse.Namespace) -> int:
    from deploy.local import stages

    return stages.lint()


def bench(_options: Options, arguments: argparse.Namespace) -> int:
    from deploy.local import stages

    return stages.bench(arguments.rest)


# --- up -----------------------------------------------------------------------------------------------------


def _up_here(options: Options) -> int:
    from deploy.local.progress import for_terminal
    from deploy.local.suite import Suite, supervise

    progress = for_terminal(sys.stdout.isatty())
    suite = Suite(options, progress)

    def ready() -> None:
        progress.close()
        print(banner(suite.record, options.state, detached=False), flush=True)

    with records.claim(options.state):
        try:
            asyncio.run(supervise(suite, ready))
        finally:
            progress.close()
    print("\nStaffgate is stopped.")
    return 0


def _up_detached(options: Options) -> int:
    from deploy.local import detached
    from deploy.local.progress import for_terminal

    progress = for_terminal(sys.stdout.isatty())
    try:
        detached.start(options, progress)
    finally:
        progress.close()
    record = records.running(options.state)
    if record is None:
        raise PlatformError(f"The suite ended right after its start; see {options.logs / 'suite.log'}.")
    print(banner(record, options.state, detached=True))
    return 0


def _supervise_for(descriptor: int, options: Options) -> int:
    """The background half: tells the other one how the start goes, then stays."""
    from deploy.local.progress import Piped
    from deploy.local.suite import Suite, supervise

    os.set_inheritable(descriptor, False)
    progress = Piped(os.fdopen(descriptor, "w"))
    try:
        with records.claim(options.state):
            asyncio.run(supervise(Suite(options, progress), progress.ready))
    except PlatformError as error:
        progress.failed(str(error))
        return 1
    return 0


def _make_folder(state: Path) -> None:
    """Passable for the account that runs PostgreSQL when root starts the suite; readable for nobody else."""
    try:
        state.mkdir(parents=True, exist_ok=True)
        state.chmod(0o711 if os.geteuid() == 0 else 0o700)
    except OSError as error:
        raise PlatformError(
            f"The folder {state} cannot be used ({error.strerror}): name another with --state."
        ) from error


def _shown_as_running(state: Path) -> bool:
    record = _running_or_starting(state)
    if record:
        print(f"Staffgate is already running.\n\n{_status(record)}")
    return record is not None


def _running_or_starting(state: Path) -> Record | None:
    """Somebody else's start is waited for, so that who asked twice also gets a suite that is ready; and so is
    somebody else's stop."""

    def settled() -> bool:
        record = records.running(state)
        return (record is not None and record.state == "ready") or not records.is_claimed(state)

    wait_until(settled, 120, 0.1)
    return records.running(state)


def _required(options: Options) -> Record:
    record = records.running(options.state)
    if record is None or record.state != "ready":
        raise PlatformError("Staffgate is not running: start it with ./dev up --detach.")
    return record


def _status(record: Record) -> str:
    from deploy.local.probe import is_ready

    asked = {name: child for name, child in record.processes.items() if name not in ("postgres", "rabbitmq", "epmd")}

    async def ask() -> dict[str, bool]:
        return dict(zip(asked, await asyncio.gather(*(is_ready(child.port) for child in asked.values())), strict=True))

    return status(record, asyncio.run(ask()))


def _run_module(module: str, *args: str) -> int:
    return subprocess.run([sys.executable, "-m", module, *args], check=False).returncode
