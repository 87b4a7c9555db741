"""The command line of ./dev."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.local import commands, options
from deploy.local.errors import PlatformError

_EPILOG = "DATABASE_URL and AMQP_URL name servers that exist already; then none of our own is started."


def main(argv: Sequence[str]) -> int:
    arguments, rest = _parser().parse_known_args(argv)
    if rest and not hasattr(arguments, "rest"):
        _parser().error(f"unknown: {' '.join(rest)}")
    arguments.rest = [*rest]
    try:
        code: int = arguments.run(options.read(arguments.state, arguments.port_base, arguments.bus), arguments)
    except PlatformError as error:
        print(f"./dev {arguments.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader, a pager or head, has seen enough
        sys.stderr.close()
        return 0
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev", description="Staffgate on this machine.", epilog=_EPILOG)
    commands_of = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = _add(commands_of, "up", commands.up, "start everything and stay; Ctrl-C stops it")
    up.add_argument("-d", "--detach", action="store_true", help="return when all is ready")
    up.add_argument("--tell", type=int, help=argparse.SUPPRESS)
    _add(commands_of, "down", commands.down, "stop everything")
    _add(commands_of, "status", commands.show_status, "what runs")
    logs = _add(commands_of, "logs", commands.logs, "the end of the logs, of all or of one service")
    logs.add_argument("service", nargs="?")
    logs.add_argument("-f", "--follow", action="store_true", help="and what is added")
    logs.add_argument("-n", "--lines", type=int, default=40)
    _add(commands_of, "reset", commands.reset, "empty the data")
    _add(commands_of, "demo", commands.demo, "play the story against the running suite").set_defaults(rest=[])
    _add(commands_of, "parked", commands.parked, "messages that nobody could handle").set_defaults(rest=[])
    test = _add(commands_of, "test", commands.test, "style, types and every test; further words go to pytest")
    test.add_argument("--long", action="store_true", help="the tests that take minutes, too")
    test.set_defaults(rest=[])
    _add(commands_of, "lint", commands.lint, "style and types")
    _add(
        commands_of,
        "bench",
        commands.bench,
        "the benchmarks, or one: latency (needs a running suite), revocation (needs one too), logins, import, deliveries, freshness, propagation, crowd, engine, inprocess, http; sides: the last two, beside others; --long for more of each; --check: have the sides got slower?",
    ).set_defaults(rest=[])
    return parser


def _add(
    parsers: argparse._SubParsersAction[argparse.ArgumentParser], name: str, run: object, text: str
) -> argparse.ArgumentParser:
    # Without abbreviations: what is not ours goes on to pytest and the others as it is.
    parser = parsers.add_parser(name, help=text, description=text, allow_abbrev=False)
    parser.add_argument("--state", type=Path, help="the folder of the data (default .state)")
    parser.add_argument("--port-base", type=int, help="ports are counted from here (default 8100)")
    parser.add_argument("--bus", choices=options.BUSES, help="memory: one process without RabbitMQ")
    parser.set_defaults(run=run)
    return parser
