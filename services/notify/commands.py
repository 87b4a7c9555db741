"""What an operator does from a shell, with the service's own settings: `python -m services.notify dead list|replay|drop`.

After a provider's mistake that killed many: `dead replay --all --provider mail --since 2026-11-22T08:00:00Z`. What is put
back is sent by the running service.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from services.notify.delivery.dead import DeadLetters
from services.notify.settings import Settings
from services.notify.store.dead import Among
from shared.bus.outbox import write_events
from shared.clock import SystemClock
from shared.db import Database
from shared.db.pool import AWAY
from shared.errors import Unavailable
from shared.ids import RandomIds

NAMES = ("dead",)


def run(argv: Sequence[str], settings: Settings) -> int:
    """The exit code: 1 where nothing was there to be done."""
    arguments = _parser().parse_args(argv)
    try:
        return asyncio.run(_run(settings, arguments))
    except (Unavailable, *AWAY) as fault:
        print(f"notify's database can't be asked ({type(fault).__name__}); is it running?", file=sys.stderr)
        return 1


async def _run(settings: Settings, arguments: argparse.Namespace) -> int:
    db = Database(
        settings.database_url, clock=SystemClock(), ids=RandomIds(), write_events=write_events, committed=lambda: None
    )
    among = Among(
        id=arguments.id,
        org=arguments.organisation,
        channel=arguments.channel,
        template=arguments.template,
        provider=arguments.provider,
        since=arguments.since,
    )
    async with db.opened():
        dead = DeadLetters(db)
        if arguments.action == "list":
            return await _list(dead, among)
        settle = dead.replay_all if arguments.action == "replay" else dead.drop_all
        count = await settle(among)
    print(f"{count} message(s): {arguments.action}")
    return 0 if count or arguments.all else 1


async def _list(dead: DeadLetters, among: Among) -> int:
    for one in await dead.list(among):
        over = "" if one.replayable else "  (can't be replayed)"
        print(
            f"{one.id}  {one.finished_at:%Y-%m-%d %H:%M:%S}  {one.org}  {one.channel} {one.template}"
            f"  by {one.provider or 'nobody'}, tried {one.attempts}: {one.last_answer}{over}"
        )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.notify", description=__doc__)
    groups = parser.add_subparsers(required=True, dest="group")
    dead = groups.add_parser("dead", help="messages that were tried as often as they may be")
    actions = dead.add_subparsers(dest="action", required=True)
    for name, help in (
        ("list", "which there are, those that died first before the others"),
        ("replay", "try them again: each once, and before its deadline"),
        ("drop", "give them up, and erase what they say"),
    ):
        action = actions.add_parser(name, help=help)
        chosen = action.add_mutually_exclusive_group(required=name != "list")
        chosen.add_argument("id", nargs="?", type=UUID, help="a delivery's id")
        chosen.add_argument("--all", action="store_true", help="all that the other options name")
        action.add_argument("--organisation", type=UUID)
        action.add_argument("--channel", choices=("email", "sms", "webhook"))
        action.add_argument("--template", help="activate, reset, notice.new_device; of a webhook its event's type")
        action.add_argument("--provider", help="whom they were last given to; of a webhook its endpoint")
        action.add_argument("--since", type=_time, help="dead since then: 2026-11-22T08:00:00Z")
    return parser


def _time(text: str) -> datetime:
    """UTC where it doesn't say."""
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
