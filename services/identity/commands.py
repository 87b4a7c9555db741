"""What an operator does from a shell, with the service's own settings: `python -m services.identity keys rotate`,
`audit verify`, and `recover-owner`."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from services.identity import app
from services.identity.app import Settings
from services.identity.log.trail import Trail
from services.identity.organisation.recoveries import Asked, Owner, Recoveries
from services.identity.permits import Permits
from shared.bus.outbox import write_events
from shared.clock import SystemClock
from shared.db import Database
from shared.db.pool import AWAY
from shared.errors import Refusal, Unavailable
from shared.ids import RandomIds
from staffgate.contracts.identity import AuditAnchor, Email

NAMES = ("keys", "audit", "recover-owner")
_Reason = Annotated[str, Meta(min_length=1, max_length=500)]


def run(argv: Sequence[str], settings: Settings) -> int:
    """The exit code."""
    return asyncio.run(do(argv, settings))


async def do(argv: Sequence[str], settings: Settings) -> int:
    arguments = _parser().parse_args(argv)
    work = {"keys": _rotate, "audit": _verify, "recover-owner": _recover}[arguments.group]
    try:
        return await work(settings, arguments)
    except (Unavailable, *AWAY) as fault:
        print(f"identity's database can't be asked ({type(fault).__name__}); is it running?", file=sys.stderr)
    except Refusal as refusal:
        print(refusal.detail, file=sys.stderr)
    return 1


async def _rotate(settings: Settings, arguments: argparse.Namespace) -> int:
    db = _database(settings)
    async with db.opened():
        key = await app.signing_keys(settings, db).rotate(at_once=arguments.at_once)
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


# --- an owner who has lost everything -----------------------------------------------------------------------------


async def _recover(settings: Settings, arguments: argparse.Namespace) -> int:
    """Show whom it is about and what will happen, and do it where that is confirmed."""
    asked = Asked(email=arguments.email or "", reason=arguments.reason, operator=_operator(arguments))
    wait = timedelta(0) if arguments.now else timedelta(hours=settings.recovery_hours)
    db = _database(settings)
    async with db.opened():
        work = app.recoveries(settings, db)
        owner = await work.look(arguments.organisation)
        print(_described(owner))
        if arguments.stop:
            return await _stop(work, owner, arguments)
        print(_announced(asked, wait))
        if not (arguments.yes or _confirmed(owner)):
            return 1
        made = await work.ask(owner.organisation.org, owner.person.id, asked, wait)
    if wait:
        print(f"Written down; it is carried out at {made.due_at:%Y-%m-%d %H:%M} UTC by the running service.")
    else:
        print("Done: the link is on its way.")
    return 0


async def _stop(work: Recoveries, owner: Owner, arguments: argparse.Namespace) -> int:
    await work.stop(owner.organisation.org, arguments.reason, _operator(arguments))
    print("Stopped: nothing of the account has been changed.")
    return 0


def _operator(arguments: argparse.Namespace) -> str:
    try:
        return str(arguments.by or getpass.getuser())
    except (KeyError, OSError):  # a container's user need not have a name
        return "somebody at the shell"


def _described(owner: Owner) -> str:
    organisation, person = owner.organisation, owner.person
    names = " / ".join(name for name in (organisation.number, organisation.username) if name)
    said = _printable(f"{organisation.name} ({names}), owner {person.name}, {person.email}")
    if owner.waiting is None:
        return said
    waiting = owner.waiting
    until = f"{waiting.due_at:%Y-%m-%d %H:%M} UTC"
    return f"{said}\nA recovery waits until {until}: {_printable(f'{waiting.email}, {waiting.reason}')}"


def _printable(text: str) -> str:
    """Names are their people's own choice: nothing in them may move the cursor or turn the line around."""
    return "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in text)


def _announced(asked: Asked, wait: timedelta) -> str:
    hours = wait // timedelta(hours=1)
    when = f"in {hours} hours, unless the owner logs in until then" if wait else "now, without the time to object"
    return (
        f"What will happen, {when}:\n"
        "- every second factor, the password, the known devices and all sessions of the owner are taken away;\n"
        f"- the e-mail address becomes {asked.email}, and a link to set a password goes there;\n"
        "- the organisation's list of networks is emptied: its people get in from everywhere until it sets one again.\n"
        "The old address and every other administrator are told, at once and when it is done. The organisation's audit"
        f" log says that it was {asked.operator}, an operator, and why: {asked.reason}"
    )


def _confirmed(owner: Owner) -> bool:
    """By what nobody types by a slip of the hand."""
    try:
        typed = input(f"Type {owner.organisation.number} to go on: ")
    except EOFError:
        typed = ""
    if typed.strip() == owner.organisation.number:
        return True
    print("Nothing was done.", file=sys.stderr)
    return False


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
    _add_recover(
        groups.add_parser("recover-owner", help="let an owner in again who has lost every factor and the mailbox")
    )
    return parser


def _add_recover(recover: argparse.ArgumentParser) -> None:
    recover.add_argument("organisation", help="its number or its username")
    recover.add_argument("--reason", required=True, type=_reason, help="why; written into the organisation's audit log")
    recover.add_argument("--by", type=_reason, help="who you are; by default your name on this machine")
    what = recover.add_mutually_exclusive_group(required=True)
    what.add_argument("--email", type=_email, help="the owner's new address")
    what.add_argument("--stop", action="store_true", help="stop the recovery that waits")
    recover.add_argument("--now", action="store_true", help="do not wait; that you did not is written down too")
    recover.add_argument("--yes", action="store_true", help="do not ask")


def _email(text: str) -> str:
    return _checked(text, Email, "this is no e-mail address")


def _reason(text: str) -> str:
    return _checked(text, _Reason, "say it in one line of up to 500 characters")


def _checked(text: str, kind: object, otherwise: str) -> str:
    try:
        found: str = msgspec.convert(text.strip(), kind)
    except msgspec.ValidationError as fault:
        raise argparse.ArgumentTypeError(otherwise) from fault
    if not found.isprintable():
        raise argparse.ArgumentTypeError(otherwise)
    return found
