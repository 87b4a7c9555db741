"""What messages say, each in its reader's language: the person's, else the organisation's, else the source's."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from services.notify.brand.brands import PLAIN, Brand
from services.notify.brand.look import look
from services.notify.channels.port import Outgoing, Unusable
from services.notify.content import texts
from services.notify.content.agents import program, system
from services.notify.content.languages import Language
from services.notify.content.letters import LETTERS
from services.notify.content.notices import ANOTHER_FACTOR, FACTORS, WORDS
from services.notify.content.purposes import GUARDED, PURPOSES, Purpose
from services.notify.content.sentences import _
from services.notify.content.tags import LOCALES, chosen
from services.notify.content.wrapping import wrapped
from services.notify.kinds import CODE, notice_kind
from services.notify.plain import plain, unlinked
from services.notify.store.deliveries import Claim
from staffgate.contracts.identity import CodeMessage, LinkMessage, LinkPurpose, NoticeKind, NoticeMessage

_HOST = re.compile(r"[a-z0-9.\-]{1,64}")
_MINUTES = re.compile(r"[0-9]{1,6}")

_PLACE = _("%(program)s on %(system)s")
_ABOUT_ACCOUNT = _("%(title)s: your account at %(organisation)s")

_Message = LinkMessage | CodeMessage | NoticeMessage
BrandOf = Callable[[UUID], Awaitable[Brand]]


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """Of an SMS there is only `text`."""

    subject: str
    text: str
    html: str
    locale: str


async def _plain_brand(_org: UUID) -> Brand:
    return PLAIN


class Contents:
    def __init__(self, brand_of: BrandOf = _plain_brand) -> None:
        self._brand_of = brand_of
        self._languages = {tag: Language(tag) for tag in LOCALES}

    async def outgoing(self, claim: Claim, payload: bytes, now: datetime) -> Outgoing:
        """The message as it leaves. Raise Unusable for a payload that says something that no message may say."""
        message = _opened(claim.template, payload)
        brand = await self._brand_of(claim.org)
        content = self.written(claim.channel, claim.template, message, claim.deadline, now, brand)
        return Outgoing(
            id=claim.id,
            to=message.to,
            subject=content.subject,
            text=content.text,
            html=content.html,
            sent_at=now,
            expires_at=claim.deadline,
            sender_name=plain(brand.name),
            reply_to=brand.reply_to,
            logo=brand.logo,
            source="" if isinstance(message, NoticeMessage) else message.ip,
        )

    def written(
        self, channel: str, template: str, message: _Message, deadline: datetime, now: datetime, brand: Brand = PLAIN
    ) -> Content:  # fmt: skip
        if isinstance(message, CodeMessage):
            return self.code(channel, message, deadline, now, brand)
        if isinstance(message, NoticeMessage):
            return self.notice(notice_kind(template) or "", message, brand)
        return self.link(template, message, deadline, now, brand)

    # --- links ------------------------------------------------------------------------------------------------

    def link(
        self, template: str, message: LinkMessage, deadline: datetime, now: datetime, brand: Brand = PLAIN
    ) -> Content:  # fmt: skip
        if not message.url.startswith(("https://", "http://")) or not message.url.isprintable() or " " in message.url:
            raise Unusable("this is no link")
        language, letter = self._language(message, brand), LETTERS[LinkPurpose(template)]
        values = _of_person(message) | {"good_for": language.lasting(deadline - now), "until": language.at(deadline)}
        return self._email(
            language,
            "link",
            language.say(letter.subject, values),
            values
            | {
                "title": language.say(letter.title, values),
                "preview": language.say(letter.preview, values),
                "said": language.say_all(letter.said, values),
                "action": language.say(letter.action, values),
                "bounds": language.say_all(letter.bounds, values),
                "footer": language.say_all(letter.footer, values),
                "login": unlinked(message.login),
                "url": message.url,
            },
            brand,
        )

    # --- codes ------------------------------------------------------------------------------------------------

    def code(
        self, channel: str, message: CodeMessage, deadline: datetime, now: datetime, brand: Brand = PLAIN
    ) -> Content:  # fmt: skip
        if not (message.code.isascii() and message.code.isalnum()):
            raise Unusable("this is no code")
        purpose = PURPOSES.get(message.purpose)
        if purpose is None:
            raise Unusable("this code is for nothing that is known")
        language = self._language(message, brand)
        values = _of_person(message) | {"code": message.code}
        if channel == "sms":
            values["good_for"] = language.lasting_briefly(deadline - now)
            text = _sms(language, purpose, message.host, values)
            return Content(subject="", text=text, html="", locale=language.tag)
        values["good_for"] = language.lasting(deadline - now)
        subject = language.say(purpose.subject, values)
        more = {name: language.say(getattr(purpose, name), values) for name in ("title", "preview", "said")}
        return self._email(
            language, "code", subject, values | more | {"footer": language.say_all(purpose.footer, values)}, brand
        )

    # --- notices ----------------------------------------------------------------------------------------------

    def notice(self, kind: str, message: NoticeMessage, brand: Brand = PLAIN) -> Content:
        """What happened, when, from where, and what to do if it was not they who did it. It never holds a link."""
        words, language = WORDS[NoticeKind(kind)], self._language(message, brand)
        values = _facts(language, message.facts) | _of_person(message)
        title = language.say(words.title, values)
        values |= {
            "title": title,
            "said": language.say_all(words.said, values),
            "advice": language.say(words.advice, values),
            "at": _moment(language, message.facts["at"]) if words.by_somebody else "",
            "place": _place(language, message.facts) if words.by_somebody else "",
        }
        named = values["organisation"] in title
        return self._email(
            language, "notice", title if named else language.say(_ABOUT_ACCOUNT, values), values, brand
        )  # fmt: skip

    # --- what they have in common -----------------------------------------------------------------------------

    def _language(self, message: _Message, brand: Brand) -> Language:
        return self._languages[chosen(message.locale, brand.locale)]

    def _email(
        self, language: Language, template: str, subject: str, values: Mapping[str, str], brand: Brand
    ) -> Content:  # fmt: skip
        around = {
            "lang": language.tag,
            "dir": language.direction,
            "sender": plain(brand.name) or values["organisation"],
        }
        whole = {**values, **around, **look(brand)}
        return Content(
            subject=subject,
            text=wrapped(language.render(f"{template}.txt", whole)).strip() + "\n",
            html=language.render(f"{template}.html", whole),
            locale=language.tag,
        )


def _opened(template: str, payload: bytes) -> _Message:
    if template == CODE:
        return msgspec.json.decode(payload, type=CodeMessage)
    if notice_kind(template):
        return msgspec.json.decode(payload, type=NoticeMessage)
    return msgspec.json.decode(payload, type=LinkMessage)


def _of_person(message: _Message) -> dict[str, str]:
    return {"name": plain(message.name), "organisation": plain(message.organisation)}


def _sms(language: Language, purpose: Purpose, host: str, values: Mapping[str, str]) -> str:
    """In its last line a telephone reads for which site the code is, and fills it in nowhere else (WICG, origin-bound
    one-time codes)."""
    guarded = language.between + language.say(GUARDED, values)
    endings = [guarded, ""]
    if _HOST.fullmatch(host):
        endings.insert(0, f"{guarded}\n@{host} #{values['code']}")
    return texts.fitted(
        lambda name: language.say(purpose.sms, {**values, "organisation": name}), values["organisation"], endings
    )


def _facts(language: Language, facts: Mapping[str, str]) -> dict[str, str]:
    """Those of the event as nothing but text, and what is said of them in words."""
    values = {"network": ""} | {name: plain(fact) for name, fact in facts.items()}
    values["factor"] = language.say(FACTORS.get(facts.get("factor", ""), ANOTHER_FACTOR), {})
    minutes = facts.get("minutes", "")
    is_number = _MINUTES.fullmatch(minutes)
    values["locked_for"] = language.lasting(timedelta(minutes=int(minutes))) if is_number else plain(minutes)
    return values


def _moment(language: Language, at: str) -> str:
    """What is no time is shown as it is."""
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return plain(at)
    return language.at(moment) if moment.tzinfo else plain(at)


def _place(language: Language, facts: Mapping[str, str]) -> str:
    """An address is shown as it is, a program's own words about itself never."""
    try:
        ip = str(ipaddress.ip_address(facts.get("ip", "")))
    except ValueError:
        ip = ""
    names = {"program": program(facts.get("agent", "")), "system": system(facts.get("agent", ""))}
    device = language.say(_PLACE, names) if all(names.values()) else "".join(names.values())
    return ", ".join(filter(None, [ip, device]))
