"""What messages say. Templates are compiled at start; a variable that is missing is a fault and never an empty place."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from services.notify.channels.port import Outgoing
from services.notify.content import gsm7
from services.notify.content.agents import described
from services.notify.content.notices import FACTORS, WORDS
from services.notify.delivery.deliveries import CODE, notice_kind
from services.notify.store.deliveries import Claim
from staffgate.contracts.identity import CodeMessage, LinkMessage, NoticeKind, NoticeMessage

_FOLDER = Path(__file__).parent / "templates"
_LONGEST_NAME = 80
_SHORTEST_NAME = 10  # of an organisation, in an SMS: whose code it is matters more than what fills it in
# What a mail program would make a link of: `://`, an @ or a dot between letters, in any script's spelling.
_SCHEME = re.compile(r"[:：]\s*/\s*/+")
_JOINT = re.compile(r"(?<=\w)([.。．｡․@＠])(?=\w)")


_HOST = re.compile(r"[a-z0-9.\-]{1,64}")


class Purpose(msgspec.Struct, frozen=True):
    """What a code is for: the subject, its name in an SMS (short: of a name in Chinese, a few letters have to fit beside
    it), what one does with it, and what it means if one does nothing of the kind."""

    title: str
    name: str
    act: str
    warning: str


PURPOSES = {
    "login": Purpose(
        "Your login code",
        "login code",
        "log in to",
        "You are not logging in? Then somebody else knows your password: change it, and tell an administrator.",
    ),
    "step_up": Purpose(
        "Your code for a security check",
        "security code",
        "confirm that it is you at",
        "You are not changing anything? Then somebody else is signed in as you: log out everywhere, change your"
        " password, and tell an administrator.",
    ),
    "mobile": Purpose(
        "Your code to confirm a number",
        "mobile code",
        "confirm your mobile number at",
        "You did not ask for it? Then ignore this message: without the code the number is not taken.",
    ),
}


class Unusable(Exception):
    """The payload says something that no message may say."""


class Content(msgspec.Struct, frozen=True, kw_only=True):
    subject: str
    text: str
    html: str


class Contents:
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
        said = self._environment.from_string
        self._notices = {kind: (said(one.title), said(one.said), said(one.advice)) for kind, one in WORDS.items()}

    async def outgoing(self, claim: Claim, payload: bytes, now: datetime) -> Outgoing:
        """The message as it leaves. Raise Unusable for a payload that says something that no message may say."""
        to, content = self._content(claim, payload, now)
        return Outgoing(
            id=claim.id, to=to, subject=content.subject, text=content.text, html=content.html, sent_at=now
        )  # fmt: skip

    def _content(self, claim: Claim, payload: bytes, now: datetime) -> tuple[str, Content]:
        if claim.template == CODE:
            code = msgspec.json.decode(payload, type=CodeMessage)
            return code.to, self.code(claim.channel, code, claim.deadline, now)
        if kind := notice_kind(claim.template):
            notice = msgspec.json.decode(payload, type=NoticeMessage)
            return notice.to, self.notice(kind, notice)
        link = msgspec.json.decode(payload, type=LinkMessage)
        return link.to, self.link(claim.template, link, claim.deadline, now)

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
        purpose = PURPOSES.get(message.purpose)
        if purpose is None:
            raise Unusable("this code is for nothing that is known")
        values = {
            "name": plain(message.name),
            "organisation": plain(message.organisation),
            "code": message.code,
            "good_for": good_for(deadline - now),
            "title": purpose.title,
            "what": purpose.name,
            "act": purpose.act,
            "warning": purpose.warning,
        }
        if channel == "sms":
            return Content(subject="", text=self._sms("code", values, message.host), html="")
        return self._email("code", values)

    def notice(self, kind: str, message: NoticeMessage) -> Content:
        """What happened, when, from where, and what to do if it was not they who did it. It never holds a link."""
        what = NoticeKind(kind)
        facts = {name: plain(fact) for name, fact in message.facts.items()}
        facts["factor"] = FACTORS.get(facts.get("factor", ""), "a second factor")
        values = {"name": plain(message.name), "organisation": plain(message.organisation)}
        # Plain text: the templates that take it in escape it as they do everything.
        title, said, advice = (part.render(**values, fact=facts) for part in self._notices[what])
        by_somebody = WORDS[what].by_somebody
        at, place = (facts["at"], _place(message.facts)) if by_somebody else ("", "")
        more = {"title": title, "said": said, "advice": advice, "at": at, "place": place}
        return self._email("notice", values | more)

    def _email(self, template: str, values: Mapping[str, str]) -> Content:
        """The first line of the text is the subject."""
        subject, _, text = self._render(f"{template}.txt", values).partition("\n")
        return Content(subject=subject, text=text.lstrip("\n"), html=self._render(f"{template}.html", values))

    def _sms(self, template: str, values: Mapping[str, str], host: str) -> str:
        """One message, whatever the organisation is called. In its last line a telephone reads for which site the code
        is, and fills it in nowhere else (WICG, origin-bound one-time codes)."""
        name = gsm7.simplified(values["organisation"])
        for bound in (f"\n@{host} #{values['code']}", "") if _HOST.fullmatch(host) else ("",):
            bare = self._render(f"{template}.sms.txt", {**values, "organisation": "", "bound": bound})
            room = gsm7.room(bare + name) - gsm7.places(bare)
            if room >= min(_SHORTEST_NAME, gsm7.places(name)):
                break
        cut = gsm7.cut(name, max(room, 0))
        return self._render(f"{template}.sms.txt", {**values, "organisation": cut, "bound": bound}).strip()

    def _render(self, name: str, values: Mapping[str, str]) -> str:
        return self._environment.get_template(name).render(values)


def _place(facts: Mapping[str, str]) -> str:
    """An address is shown as it is, a program's own words about itself never."""
    try:
        ip = str(ipaddress.ip_address(facts.get("ip", "")))
    except ValueError:
        ip = ""
    return ", ".join(filter(None, [ip, described(facts.get("agent", ""))]))


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
