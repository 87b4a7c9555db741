"""Full logins with a second factor, on a PostgreSQL of its own: `./dev bench logins`.

- rate: logins (password, then the app's code, two requests) against bare argon2id verifications of the same process, in
  turns, so that what else the machine does falls on both. What is beside the hash may take 30 %.
- statements: what one login costs the database.
- flood: more logins at once than are let wait, and how late the loop is meanwhile.

Who logs in asks from a process of their own; it shares the machine's cores with identity and PostgreSQL.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import asyncpg
import pyotp
import structlog
import uvloop

from deploy.local.postgres import Postgres
from services.identity.password.passwords import Passwords
from shared.clock import SystemClock
from shared.db import Tx
from shared.db.pool import Database
from shared.ids import RandomIds
from shared.sealing import Opener
from tests.conftest import fresh_database
from tests.service.identity.conftest import FACTOR, PASSWORD, Running, running

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # noqa: S105 - of everybody here
ORGANISATIONS = 50  # each has an audit log of its own, whose entries are written one after the other
AT_ONCE = 12  # logins at a time: enough that the hashing threads never wait
FLOOD = 64
CORES = os.cpu_count() or 1


# --- identity's people --------------------------------------------------------------------------------------------


async def people(identity: Running, count: int) -> None:
    """Active, each with the app; one password, because hashing thousands of them is not what is measured."""
    ids, opener = RandomIds(), Opener(json.dumps(FACTOR))
    hashed = await Passwords().hash(PASSWORD)
    owner: Any = await asyncpg.connect(identity.owner_url)
    orgs = [ids.uuid() for _ in range(ORGANISATIONS)]
    for at, org in enumerate(orgs):
        named = f"ORG-{at}"
        await owner.execute(
            "INSERT INTO organisation (org, name, number, created_at) VALUES ($1, $2, $2, now())", org, named
        )
        await owner.execute(
            "INSERT INTO organisation_name (key, org, kind) VALUES ($1, $2, 'number')", named.lower(), org
        )
        await owner.execute("INSERT INTO audit_head VALUES ($1, 0, '')", org)
    rows = []
    for number in range(count):
        id = ids.uuid()
        sealed = opener.seal(SECRET.encode(), str(id))
        rows.append((orgs[number % ORGANISATIONS], id, f"jane{number}", f"jane{number}@acme.example", hashed, sealed))
    await owner.executemany(
        "INSERT INTO staff (org, id, type, status, username, username_key, name, email, email_confirmed_at,"
        " default_level, route_anywhere, password_hash, password_changed_at, totp_sealed, totp_confirmed_at, created_at)"
        " VALUES ($1, $2, 'standard', 'active', $3, $3, 'Jane', $4, now(), 'deny', false, $5, now(), $6, now(), now())",
        rows,
    )
    await owner.execute("VACUUM ANALYZE")
    await owner.close()


# --- who logs in --------------------------------------------------------------------------------------------------


async def log_in(session: aiohttp.ClientSession, url: str, number: int, password: str = PASSWORD) -> int:
    """The status of the last answer."""
    async with session.post(
        f"{url}/v1/login", json={"login": f"ORG-{number % ORGANISATIONS}\\jane{number}", "password": password}
    ) as begun:
        if begun.status != 200:
            return begun.status
        transaction = (await begun.json())["transaction"]
    finish = {"transaction": transaction, "factor": "totp", "code": pyotp.TOTP(SECRET).now()}
    async with session.post(f"{url}/v1/login/finish", json=finish) as finished:
        await finished.read()
        return finished.status


async def drive(url: str, first: int, at_once: int, seconds: float) -> dict[int, int]:
    """Log in one person after the other; how often there was which status."""
    statuses, numbers, until = Counter[int](), iter(range(first, sys.maxsize)), time.monotonic() + seconds

    async def go_on() -> None:
        while time.monotonic() < until:
            statuses[await log_in(session, url, next(numbers))] += 1

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(go_on() for _ in range(at_once)))
    return statuses


async def driven(url: str, first: int, at_once: int, seconds: float) -> Counter[int]:
    """In a process of its own."""
    argv = ["-m", "benchmarks.bench_logins", "--drive", url, str(first), str(at_once), str(seconds)]
    process = await asyncio.create_subprocess_exec(sys.executable, *argv, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    return Counter({int(status): count for status, count in json.loads(said).items()})


# --- what is measured ---------------------------------------------------------------------------------------------


async def bare(passwords: Passwords, stored: str, seconds: float) -> float:
    """Verifications a second, with every core."""
    count, began = 0, time.monotonic()

    async def go_on() -> None:
        nonlocal count
        while time.monotonic() - began < seconds:
            assert await passwords.verify(stored, PASSWORD)
            count += 1

    await asyncio.gather(*(go_on() for _ in range(CORES)))
    return count / (time.monotonic() - began)


@contextmanager
def counting() -> Iterator[Counter[str]]:
    """Statements, transactions, and those of them that write."""
    counts: Counter[str] = Counter()
    real: dict[tuple[type, str], Any] = {
        (Tx, name): getattr(Tx, name) for name in ("one", "all", "value", "column", "run")
    }
    real[Database, "_transaction"] = Database._transaction
    writing: set[int] = set()

    def counted(name: str) -> Any:
        async def count(tx: Tx, *args: Any) -> Any:
            sql = next(one for one in args if isinstance(one, str))
            counts["statements"] += 1
            if not sql.startswith("SELECT") and id(tx) not in writing:
                writing.add(id(tx))
                counts["commits that write"] += 1
            return await real[Tx, name](tx, *args)

        return count

    @asynccontextmanager
    async def transaction(database: Database, begin: str, org: UUID | None) -> AsyncIterator[Tx]:
        counts["transactions"] += 1
        async with real[Database, "_transaction"](database, begin, org) as tx:
            yield tx
            await tx.close()
            tx._closing.clear()
        writing.discard(id(tx))

    for name in ("one", "all", "value", "column", "run"):
        setattr(Tx, name, counted(name))
    Database._transaction = transaction  # type: ignore[method-assign,assignment]
    try:
        yield counts
    finally:
        for (owner, name), function in real.items():
            setattr(owner, name, function)


async def lags(stop: asyncio.Event) -> list[float]:
    """Milliseconds by which the loop came late, looked at every five."""
    found = []
    while not stop.is_set():
        began = time.perf_counter()
        await asyncio.sleep(0.005)
        found.append((time.perf_counter() - began - 0.005) * 1000)
    return found


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def measure(rounds: int, seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = Postgres(Path(folder) / "postgres")
        server.start()
        try:
            database = await fresh_database(server.url, "identity")
            async with running(database, passwords=Passwords(), clock=SystemClock()) as identity:
                await people(identity, int(80 * CORES * seconds * (rounds + 2)))
                await report(identity.url, rounds, seconds)
        finally:
            server.stop()
            server.erase()


async def report(url: str, rounds: int, seconds: float) -> None:
    passwords, first = Passwords(), 10
    stored = await passwords.hash(PASSWORD)
    async with aiohttp.ClientSession() as session:
        assert await log_in(session, url, 0) == 200
        with counting() as counts:
            assert await log_in(session, url, 1) == 200
        print("one login: " + ", ".join(f"{count} {what}" for what, count in counts.items()), flush=True)
    print("| round | verifications/s and core | logins/s and core | share |\n|---|---|---|---|", flush=True)
    shares = []
    for number in range(rounds):
        hashes = await bare(passwords, stored, seconds) / CORES
        statuses = await driven(url, first, AT_ONCE, seconds)
        first += statuses.total()
        logins = statuses[200] / seconds / CORES
        assert set(statuses) == {200}, statuses
        shares.append(logins / hashes)
        print(f"| {number + 1} | {hashes:.1f} | {logins:.1f} | {shares[-1]:.0%} |", flush=True)
    print(f"median share: {statistics.median(shares):.0%} (70 % at least)", flush=True)
    for name, at_once in (("idle", 0), ("flood", FLOOD)):
        stop = asyncio.Event()
        late = asyncio.create_task(lags(stop))
        statuses = (
            await driven(url, first, at_once, seconds) if at_once else await asyncio.sleep(seconds, Counter[int]())
        )
        stop.set()
        found = await late
        print(f"{name}, {at_once} at once: {dict(statuses)}, loop late p50 {percentile(found, 0.5):.2f} ms,"
              f" p99 {percentile(found, 0.99):.2f} ms, worst {max(found):.2f} ms (p99 under 20)", flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="nine rounds of ten seconds instead of three of five")
    parser.add_argument("--drive", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    if arguments.drive:
        url, first, at_once, seconds = arguments.drive
        print(json.dumps(uvloop.run(drive(url, int(first), int(at_once), float(seconds)))))
        return
    uvloop.run(measure(*((9, 10.0) if arguments.long else (3, 5.0))))


if __name__ == "__main__":
    main()
