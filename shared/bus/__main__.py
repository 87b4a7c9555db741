"""Parked messages, for an operator: `python -m shared.bus parked list|show|replay|drop [queue] [id]`.

The broker is the one of STAFFGATE_AMQP_URL.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

import aio_pika

from shared.bus.rabbit import FAULTS, RabbitParked
from shared.bus.topology import QUEUES


def main(argv: list[str]) -> int:
    arguments = _parser().parse_args(argv)
    url = os.environ.get("STAFFGATE_AMQP_URL")
    if not url:
        print("STAFFGATE_AMQP_URL is not set: say which broker to look at.", file=sys.stderr)
        return 1
    try:
        return asyncio.run(_run(url, arguments))
    except FAULTS as fault:
        print(f"The broker can't be asked ({type(fault).__name__}: {fault}); is it running?", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m shared.bus", description=__doc__)
    parked = parser.add_subparsers(required=True).add_parser("parked", help="messages that nobody could handle")
    actions = parked.add_subparsers(dest="action", required=True)
    actions.add_parser("list", help="how many wait, by queue")
    names = [queue.name for queue in QUEUES]
    show = actions.add_parser("show", help="the messages of a queue, and why they are here")
    show.add_argument("queue", choices=names)
    for name, help in (("replay", "put back into its queue, as new"), ("drop", "throw away for good")):
        action = actions.add_parser(name, help=help)
        action.add_argument("queue", choices=names)
        chosen = action.add_mutually_exclusive_group(required=True)
        chosen.add_argument("id", nargs="?", help="the event's id")
        chosen.add_argument("--all", action="store_true")
    return parser


async def _run(url: str, arguments: argparse.Namespace) -> int:
    connection = await aio_pika.connect(url, timeout=5)
    async with connection:
        parked = RabbitParked(await connection.channel(publisher_confirms=True, on_return_raises=True))
        if arguments.action == "list":
            for queue, count in (await parked.counts()).items():
                print(f"{count:6d}  {queue}")
        elif arguments.action == "show":
            for message in await parked.list(arguments.queue):
                print(f"{message.id}  {message.type}  tried {message.attempt}: {message.error}")
                print(f"    {message.body.decode(errors='replace')}")
        else:
            return await _settle(parked, arguments)
    return 0


async def _settle(parked: RabbitParked, arguments: argparse.Namespace) -> int:
    settle = parked.replay if arguments.action == "replay" else parked.drop
    count = await settle(arguments.queue, arguments.id)
    print(f"{count} message(s): {arguments.action}")
    return 0 if count or arguments.all else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
