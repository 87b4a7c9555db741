"""What an operator does from a shell, with the service's own settings: `python -m services.identity keys rotate`, and
`audit verify`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from uuid import UUID

from services.identity.app import Settings, signing_keys
from services.identity.log.trail import Trail
from services.identity.permits import Permits
from shared.bus.outbox import write_events
from shared.clock import SystemClock
from shared.db import Database
from shared.db.pool import AWAY
from shared.errors import Unavailable
from shared.ids import RandomIds
from staffgate.contracts.identity import AuditAnchor

NAMES = ("keys", "audit")


def run(argv: Sequence[str], settings: Settings) -> int:
    """The exit code."""
    arguments = _parser().parse_args(argv)
    try:
        return asyncio.run(_rotate(settings, arguments) if arguments.group == "keys" else _verify(settings, arguments))
    except (Unavailable, *AWAY) as fault:
        print(f"identity's database can't be asked ({type(fault).__name__}); is it running?", file=sys.stderr)
        return 1


async def _rotate(settings: Settings, arguments: argparse.Namespace) -> int:
    db = _database(settings)
    async with db.opened():
        key = await signing_keys(settings, db).rotate(at_once=arguments.at_once)
    print(f"The key {key.kid} signs from {key.signs_from:%Y-%m-%d %H:%M:%S} UTC.")
    if arguments.at_once:
        print("What older keys signed is refused from then on; programs renew their tokens by themselves.")
    return 0


async def _verify(settings: Settings, arguments: argparse.Namespace) -> int:
    """A line for each log; 1 where one of them is not as it was written."""
    db, whole = _database(settings), True
    async with db.opened():
        trail = Trail(db, Permits())
        for org in [arguments.organisation] if arguments.organisation else await trail.organisations():
            found = await trail.verdict(org, AuditAnchor())
            whole = whole and found.sound
            said = f"{found.entries} entries" if found.sound else f"BROKEN at entry {found.broken_at}: {found.why}"
            print(f"{org}  {said}  {found.hash}")
    return 0 if whole else 1


def _database(settings: Settings) -> Database:
    return Database(
        settings.database_url, clock=SystemClock(), ids=RandomIds(), write_events=write_events, committed=lambda: None
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.identity", description=__doc__)
    groups = parser.add_subparsers(required=True, dest="group")
    keys = groups.add_parser("keys", help="what access tokens are signed with")
    rotate = keys.add_subparsers(required=True).add_parser("rotate", help="make the next key: it signs in 15 minutes")
    rotate.add_argument(
        "--at-once", action="store_true", help="it signs in seconds, and the older ones are refused then"
    )
    audit = groups.add_parser("audit", help="the log of what happened to accounts and settings")
    verify = audit.add_subparsers(required=True).add_parser("verify", help="follow its chains from beginning to end")
    verify.add_argument("organisation", nargs="?", type=UUID, help="one organisation's id; all of them without")
    return parser
