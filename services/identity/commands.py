"""What an operator does from a shell: `python -m services.identity keys rotate`, with the service's own settings."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence

from services.identity.app import Settings, signing_keys
from services.identity.store.keys import KeyRow
from shared.bus.outbox import write_event
from shared.clock import SystemClock
from shared.db import Database
from shared.errors import Unavailable
from shared.ids import RandomIds


def run(argv: Sequence[str], settings: Settings) -> int:
    """The exit code."""
    arguments = _parser().parse_args(argv)
    try:
        key = asyncio.run(rotate(settings, at_once=arguments.at_once))
    except Unavailable as fault:
        print(fault.detail)
        return 1
    print(f"The key {key.kid} signs from {key.signs_from:%Y-%m-%d %H:%M:%S} UTC.")
    if arguments.at_once:
        print("Nothing that was signed before is good from then on: people's programs ask for a new token.")
    return 0


async def rotate(settings: Settings, *, at_once: bool) -> KeyRow:
    db = Database(
        settings.database_url, clock=SystemClock(), ids=RandomIds(), write_event=write_event, committed=lambda: None
    )  # fmt: skip
    async with db.opened():
        return await signing_keys(settings, db).rotate(at_once=at_once)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.identity", description=__doc__)
    keys = parser.add_subparsers(required=True).add_parser("keys", help="what access tokens are signed with")
    actions = keys.add_subparsers(required=True)
    action = actions.add_parser("rotate", help="make the next key; it signs in a quarter of an hour")
    action.add_argument(
        "--at-once", action="store_true", help="it signs in seconds, and what older ones signed is refused: somebody may have them"
    )  # fmt: skip
    return parser
