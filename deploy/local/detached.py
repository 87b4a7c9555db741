"""`./dev up --detach`: a supervisor in the background, watched until it is ready."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

from deploy.local.errors import PlatformError
from deploy.local.options import ROOT, Options
from deploy.local.progress import Progress, relay

_PATIENCE = 60.0


def start(options: Options, progress: Progress) -> None:
    """Returns when the suite is ready; otherwise raises, and nothing is left running."""
    reader, writer = os.pipe()
    options.logs.mkdir(parents=True, exist_ok=True)
    with (options.logs / "suite.log").open("ab") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "deploy.local", "up", f"--tell={writer}", f"--state={options.state}",
             f"--port-base={options.port_base}", f"--bus={options.bus}"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, pass_fds=[writer], cwd=ROOT,
        )  # fmt: skip
    os.close(writer)
    try:
        _follow(reader, progress, options)
    except BaseException:
        _end(supervisor)
        raise


def _follow(reader: int, progress: Progress, options: Options) -> None:
    with os.fdopen(reader) as lines:
        for line in lines:
            told = json.loads(line)
            if told.get("ready"):
                return
            if "failed" in told:
                raise PlatformError(told["failed"])
            relay(told, progress)
    raise PlatformError(f"The suite ended while it was starting; see {options.logs / 'suite.log'}.")


def _end(supervisor: subprocess.Popen[bytes]) -> None:
    if supervisor.poll() is None:
        supervisor.send_signal(signal.SIGTERM)
    try:
        supervisor.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        supervisor.kill()
        supervisor.wait()
