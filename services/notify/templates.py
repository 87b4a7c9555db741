"""What messages say. Templates are compiled at start; a variable that is missing is a fault and never an empty place."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from services.notify import gsm7
from staffgate.contracts.identity import CodeMessage, LinkMessage

_FOLDER = Path(__file__).parent / "templates"
_LONGEST_NAME = 80
# What a mail program would make a link of: `://`, an @ or a dot between letters, in any script's spelling.
_SCHEME = re.compile(r"[:：]\s*/\s*/+")
_JOINT = re.compile(r"(?<=\w)([.。．｡․@＠])(?=\w)")


class Unusable(Exception):
    """The payload says something that no message may say."""


class Content(msgspec.Struct, frozen=True, kw_only=True):
    subject: str
    text: str
    html: str


class Templates:
    def __init__(self) -> None:
        self._environment = SandboxedEnvironment(
            loader=FileSystemLoader(_FOLDER),
            autoescape=lambda name: name is not None and name.endswith(".html"),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        for name in self.names:
            self._environment.get_template(name)

    @property
    def names(self) -> list[str]:
        return self._environment.list_templates()

    def link(self, template: str, message: LinkMessage, deadline: datetime, now: datetime) -> Content:
        if not message.url.startswith(("https://", "http://")) or not message.url.isprintable() or " " in message.url:
            raise Unusable("this is no link")
        return self._email(
            template,
            {
                "name": plain(message.name),
                "organisation": plain(message.organisation),
                "login": one_line(message.login),
                "url": message.url,
                "good_for": good_for(deadline - now),
                "until": f"{deadline.astimezone(UTC):%d %B %Y, %H:%M} UTC",
            },
        )

    def code(self, channel: str, message: CodeMessage, deadline: datetime, now: datetime) -> Content:
        if not (message.code.isascii() and message.code.isalnum()):
            raise Unusable("this is no code")
        values = {
            "name": plain(message.name),
            "organisation": plain(message.organisation),
            "code": message.code,
            "good_for": good_for(deadline - now),
        }
        if channel == "sms":
            return Content(subject="", text=self._sms("code", values), html="")
        return self._email("code", values)

    def _email(self, template: str, values: Mapping[str, str]) -> Content:
        """The first line of the text is the subject."""
        subject, _, text = self._render(f"{template}.txt", values).partition("\n")
        return Content(subject=subject, text=text.lstrip("\n"), html=self._render(f"{template}.html", values))

    def _sms(self, template: str, values: Mapping[str, str]) -> str:
        """One message, whatever the organisation is called."""
        name = gsm7.simplified(values["organisation"])
        bare = self._render(f"{template}.sms.txt", {**values, "organisation": ""})
        room = gsm7.room(bare + name) - gsm7.places(bare)
        return self._render(f"{template}.sms.txt", {**values, "organisation": gsm7.cut(name, room)}).strip()

    def _render(self, name: str, values: Mapping[str, str]) -> str:
        return self._environment.get_template(name).render(values)


def plain(text: str) -> str:
    """Somebody's free text as nothing but text: one line, not too long, and no mail program makes a link of it."""
    # NFKC first: an SMS is simplified later, and a small full stop must not become a real one after it was looked for.
    text = _JOINT.sub(r"\1 ", _SCHEME.sub(": ", one_line(unicodedata.normalize("NFKC", text))))
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1].rstrip() + "…"


def one_line(text: str) -> str:
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())


def good_for(remaining: timedelta) -> str:
    """In the words of a person, rounded: `10 minutes`, `24 hours`, `7 days`."""
    minutes = max(1, round(remaining.total_seconds() / 60))
    if minutes < 120:
        return _counted(minutes, "minute")
    hours = round(minutes / 60)
    return _counted(hours, "hour") if hours < 48 else _counted(round(hours / 24), "day")


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
