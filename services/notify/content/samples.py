"""Messages to nobody, for previews: the people are made up, the addresses lead nowhere (RFC 2606), and the code and the
link were never issued."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from services.notify.content.purposes import PURPOSES
from services.notify.kinds import CODE, notice_kind
from staffgate.contracts.identity import CodeMessage, LinkMessage, LinkPurpose, NoticeKind, NoticeMessage

_CODE = f"{CODE}."
_EMAIL, _BOTH = ("email",), ("email", "sms")
# Each with the channels that it goes by.
TEMPLATES: Mapping[str, tuple[str, ...]] = {
    **{purpose.value: _EMAIL for purpose in LinkPurpose},
    **{_CODE + purpose: _BOTH for purpose in PURPOSES},
    **{f"notice.{kind}": _EMAIL for kind in NoticeKind},
}

_LIFETIMES = {CODE: timedelta(minutes=5), LinkPurpose.RESET.value: timedelta(hours=1)}
_LIFETIME = timedelta(days=7)

_TO, _NAME, _ORGANISATION = "jane@acme.example", "Jane", "ACME Crates"
_AGENT = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
_FACTS = {
    "ip": "203.0.113.9", "agent": _AGENT, "network": "", "factor": "totp", "failures": "7", "minutes": "30", "left": "9",
    "rows": "20", "created": "18", "bad": "2", "colleague": "Luke", "account": "AcmeCrates\\Luke", "email": "1", "sms": "",
    "hours": "24",
}  # fmt: skip


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """`template` is what its delivery would be called."""

    template: str
    message: LinkMessage | CodeMessage | NoticeMessage
    deadline: datetime


def sample(template: str, channel: str, now: datetime) -> Sample:
    """Of one of the templates."""
    message: LinkMessage | CodeMessage | NoticeMessage
    if template.startswith(_CODE):
        template, purpose = CODE, template.removeprefix(_CODE)
        message = _code(purpose, channel)
    elif notice_kind(template):
        message = NoticeMessage(
            to=_TO, name=_NAME, organisation=_ORGANISATION, facts={"at": now.isoformat()} | _FACTS
        )  # fmt: skip
    else:
        message = _link(template)
    return Sample(template=template, message=message, deadline=now + _LIFETIMES.get(template, _LIFETIME))


def _code(purpose: str, channel: str) -> CodeMessage:
    code = "123456" if channel == "sms" else "12345678"
    return CodeMessage(
        to=_TO, name=_NAME, organisation=_ORGANISATION, code=code, purpose=purpose, host="id.acme.example"
    )  # fmt: skip


def _link(template: str) -> LinkMessage:
    return LinkMessage(
        to=_TO,
        name=_NAME,
        organisation=_ORGANISATION,
        login="AcmeCrates\\Jane",
        url=f"https://id.acme.example/{template}?token=this-is-only-a-sample",
    )
