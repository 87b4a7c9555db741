"""What a person reads once the suite runs: what, where, and what to do next."""

from __future__ import annotations

import time
from pathlib import Path

from deploy.local.options import ROOT
from deploy.local.record import Record


def banner(record: Record, state: Path, *, detached: bool) -> str:
    urls = record.urls
    lines = [
        "",
        "Staffgate is running.",
        "",
        *(f"  {name:<10} {urls[name]}" for name in ("identity", "authz", "authz-2", "notify") if name in urls),
        f"  mailbox    {urls['mailbox']}   (keeps every e-mail and SMS; {urls['smtp']})",
        "",
        f"  {record.database}",
        f"  {record.broker}",
        f"  Data and logs are in {shown(state)}.",
        "",
    ]
    if record.bus == "memory":
        lines += [
            "  Attention: this is ONE process with an in-memory bus, not three services over RabbitMQ.",
            f"  Why: {record.note}",
            "",
        ]
    return "\n".join([*lines, "What next", *_next(record, detached)])


def _next(record: Record, detached: bool) -> list[str]:
    steps = {
        "./dev demo": "the story of Jane at ACME Crates, step by step against this suite",
        f"open {record.urls['mailbox']}": "the mailbox",
        "./dev logs [service] -f": "what they are doing",
        "./dev down": "stop everything" if detached else "stop everything (or Ctrl-C here)",
    }
    return [f"  {command:<30} {what}" for command, what in steps.items()]


def status(record: Record, ready: dict[str, bool]) -> str:
    """`ready`: what each process that can be asked says of itself right now."""
    minutes, seconds = divmod(int(time.time() - record.since), 60)
    age = f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {seconds} s"
    lines = [f"Staffgate is {_WORDS[record.state]} (pid {record.pid}, since {age}).", ""]
    width = max((len(name) for name in record.processes), default=0)
    for name, child in record.processes.items():
        state = child.state if ready.get(name, True) else "not ready"
        again = f"  started again {child.restarts} x" if child.restarts else ""
        lines.append(f"  {name:<{width}}  {state:<10}  port {child.port}  pid {child.pid}{again}")
    lines += ["", f"  {record.database} · {record.broker}"]
    if record.note:
        lines.append(f"  {record.note}")
    return "\n".join(lines)


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) + "/" if path.is_relative_to(ROOT) else str(path)


_WORDS = {"starting": "starting", "ready": "running", "stopping": "stopping"}
