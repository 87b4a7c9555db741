"""What an operator does from a shell: `python -m services.identity keys rotate`, with the service's own settings."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence

from services.identity.app import Settings, signing_keys
from services.identity.store.keys import KeyRow
from shared.bus.outbox import write_events
from shared.clock import SystemClock
from shared.db import Database
from shared.db.pool import AWAY
from shared.errors import Unavailable
from shared.ids import RandomIds

NAMES = ("keys",)


def run(argv: Sequence[str], settings: Settings) -> int:
    """The exit code."""
    arguments = _parser().parse_args(argv)
    try:
        key = asyncio.run(_rotate(settings, at_once=arguments.at_once))
    except (Unavailable, *AWAY) as fault:
        print(f"identity's database can't be asked ({type(fault).__name__}); is it running?", file=sys.stderr)
        return 1
    print(f"The key {key.kid} signs from {key.signs_from:%Y-%m-%d %H:%M:%S} UTC.")
    if arguments.at_once:
        print("What older keys signed is refused from then on; programs renew their tokens by themselves.")
    return 0


async def _rotate(settings: Settings, *, at_once: bool) -> KeyRow:
    db = Database(
        settings.database_url, clock=SystemClock(), ids=RandomIds(), write_events=write_events, committed=lambda: None
    )
    async with db.opened():
        return await signing_keys(settings, db).rotate(at_once=at_once)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.identity", description=__doc__)
    keys = parser.add_subparsers(required=True).add_parser("keys", help="what access tokens are signed with")
    rotate = keys.add_subparsers(required=True).add_parser("rotate", help="make the next key: it signs in 15 minutes")
    rotate.add_argument(
        "--at-once", action="store_true", help="it signs in seconds, and the older ones are refused then"
    )
    return parser
