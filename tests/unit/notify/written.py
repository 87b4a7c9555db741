"""Messages as they would be written, for tests of their words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.notify.content.contents import Content, Contents
from staffgate.contracts.identity import CodeMessage, LinkMessage, NoticeMessage

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
CONTENTS = Contents()
URL = "https://id.acme.example/activate?token=Zm9v&x=1"
FACTS = {
    "at": "2026-11-22T09:00:00+00:00", "ip": "203.0.113.9", "factor": "totp", "failures": "7", "minutes": "30",
    "left": "9", "rows": "20", "created": "18", "bad": "2", "network": "outside", "colleague": "Luke",
    "account": "AcmeCrates\\Luke", "email": "1", "sms": "", "hours": "24",
    "agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
}  # fmt: skip
_PERSON = {"to": "jane@acme.example", "name": "Jane", "organisation": "ACME Crates"}


def link(template: str = "activate", *, hours: float = 24, **changed: str) -> Content:
    message = LinkMessage(**({**_PERSON, "login": "AcmeCrates\\Jane", "url": URL} | changed))
    return CONTENTS.link(template, message, NOW + timedelta(hours=hours), NOW)


def code(channel: str = "email", **changed: str) -> Content:
    message = CodeMessage(**({**_PERSON, "code": "82461937"} | changed))
    return CONTENTS.code(channel, message, NOW + timedelta(minutes=10), NOW)


def notice(kind: str = "new_device", facts: dict[str, str] | None = None, **changed: str) -> Content:
    message = NoticeMessage(**(_PERSON | changed), facts=FACTS if facts is None else facts)
    return CONTENTS.notice(kind, message)


def one_line(text: str) -> str:
    """Without the ends of lines, which fall wherever there is no more room."""
    return " ".join(text.split())
