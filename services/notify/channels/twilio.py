"""SMS through a provider that speaks Twilio's HTTP interface, as many do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import aiohttp
import msgspec

from services.notify.channels.port import Accepted, Down, Outgoing, Rejected, Unsure, fit_to_keep
from staffgate.contracts.identity import Mobile

_TIMEOUT = aiohttp.ClientTimeout(total=10, connect=5)
# Of the 4xx these are not about the message: our credentials, our pace.
_PASSING = frozenset({401, 403, 407, 408, 425, 429})


class _Reply(msgspec.Struct):
    sid: str = ""
    code: int | None = None
    message: str = ""


class TwilioProvider:
    channel = "sms"

    def __init__(self, name: str, url: str, sender: str) -> None:
        self.name = name
        parts = urlsplit(url)
        account, token = unquote(parts.username or ""), unquote(parts.password or "")
        place = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
        self._url = f"{place}/2010-04-01/Accounts/{quote(account, safe='')}/Messages.json"
        self._headers = {"Authorization": aiohttp.encode_basic_auth(account, token)}
        self._sender = sender
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(headers=self._headers, timeout=_TIMEOUT) as session:
            self._session = session
            yield
        self._session = None

    async def send(self, message: Outgoing) -> Accepted:
        assert self._session is not None
        form = {"To": _e164(message.to), "From": self._sender, "Body": message.text}
        try:
            async with self._session.post(self._url, data=form, allow_redirects=False) as response:
                status, reply = response.status, _read(await response.read())
        except aiohttp.ClientConnectorError as fault:
            raise Down(f"no connection: {type(fault).__name__}") from None
        except (aiohttp.ClientError, OSError) as fault:
            raise Unsure(f"no answer: {type(fault).__name__}") from None
        if 200 <= status < 300:
            return Accepted(answer=fit_to_keep(f"{status} {reply.sid}"), reference=reply.sid)
        kind = _meaning(status)
        raise kind(fit_to_keep(f"{status} error {reply.code} {reply.message}" if reply.code else str(status)))


def _meaning(status: int) -> type[Exception]:
    """Of an answer that is no success. What a gateway in between says of a server behind it leaves open what that did."""
    if status in (502, 504):
        return Unsure
    return Rejected if 400 <= status < 500 and status not in _PASSING else Down


def _e164(number: str) -> str:
    try:
        return "+" + re.sub(r"\D", "", msgspec.convert(number, Mobile))
    except msgspec.ValidationError as fault:
        raise Rejected("this is no telephone number") from fault


def _read(content: bytes) -> _Reply:
    try:
        return msgspec.json.decode(content, type=_Reply)
    except msgspec.DecodeError:
        return _Reply()
