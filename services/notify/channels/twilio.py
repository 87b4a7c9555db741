"""SMS through a provider that speaks Twilio's HTTP interface, as many do."""

from __future__ import annotations

import re
from contextlib import AbstractAsyncContextManager
from urllib.parse import quote, unquote, urlencode, urlsplit, urlunsplit

import aiohttp
import msgspec

from services.notify.channels.exchange import Answer, Exchange, meaning
from services.notify.channels.port import Accepted, Down, Elsewhere, Outgoing, Rejected, Unreachable, fit_to_keep
from services.notify.channels.sender import bare
from services.notify.channels.telephone import e164

_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")
_LONGEST_VALIDITY = 36_000  # seconds, Twilio's most

# Its error codes about the number, whatever the status: nobody is there, a landline or a short number, blocked, opted out.
_NEVER = frozenset({21211, 21265, 21266, 21610, 21614, 21635, 30003, 30004, 30005, 30006})
# And nothing else will ever reach it: no such number, no mobile, or they want none.
_NOBODY = frozenset({21211, 21610, 21614, 30005, 30006})
# Not to this number or country from this account or sender: another provider may well send there.
_NOT_FROM_HERE = frozenset({21408, 21606, 21608, 21612, 21659, 21703})
# About the account, the sender, the settings or the pace, so it would be said of any number.
_NOT_NOW = frozenset(
    {14107, 20003, 20429, 21212, 21601, 21603, 21609, 21611, 21660, 21661, 21704, 21705, 30001, 30002}
)  # fmt: skip


class _Reply(msgspec.Struct):
    sid: str = ""
    code: int | None = None
    message: str = ""


class TwilioProvider:
    """`receipts` is where it tells what became of a message; it is told of each which one that is."""

    channel = "sms"

    def __init__(
        self, name: str, url: str, sender: str, *, receipts: str = "", idempotency_header: str | None = None
    ) -> None:
        self.name = name
        parts = urlsplit(url)
        account, token = unquote(parts.username or ""), unquote(parts.password or "")
        place = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
        self._url = f"{place}/2010-04-01/Accounts/{quote(account, safe='')}/Messages.json"
        self._headers = {
            "Authorization": aiohttp.encode_basic_auth(account, token),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        by_service = _SERVICE.fullmatch(sender)
        self._from = {"MessagingServiceSid": sender} if by_service else {"From": bare(sender)}
        self._receipts = receipts
        self._idempotency_header = idempotency_header
        self._exchange = Exchange()

    def opened(self) -> AbstractAsyncContextManager[None]:
        return self._exchange.opened()

    async def send(self, message: Outgoing) -> Accepted:
        headers = self._headers
        if self._idempotency_header:
            headers = headers | {self._idempotency_header: str(message.id)}
        body = urlencode(self._form(message)).encode()
        return _judged(await self._exchange.ask("POST", self._url, body, headers))

    def _form(self, message: Outgoing) -> dict[str, str]:
        form = {"To": e164(message.to)} | self._from | {"Body": message.text}
        if self._receipts:
            form["StatusCallback"] = f"{self._receipts}?delivery={message.id}"
        if message.expires_at:
            seconds = int((message.expires_at - message.sent_at).total_seconds())
            form["ValidityPeriod"] = str(max(1, min(seconds, _LONGEST_VALIDITY)))
        return form


def _judged(answer: Answer) -> Accepted:
    reply = _read(answer.body)
    if 200 <= answer.status < 300:
        return Accepted(answer=fit_to_keep(f"{answer.status} {reply.sid}"), reference=reply.sid)
    kind = meaning(answer.status)
    if reply.code in _NEVER:
        kind = Unreachable if reply.code in _NOBODY else Rejected
    elif reply.code in _NOT_FROM_HERE:
        kind = Elsewhere
    elif reply.code in _NOT_NOW:
        kind = Down
    said = f"{answer.status} error {reply.code} {reply.message}" if reply.code else str(answer.status)
    raise kind(fit_to_keep(said))


def _read(content: bytes) -> _Reply:
    try:
        return msgspec.json.decode(content, type=_Reply)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Reply()
