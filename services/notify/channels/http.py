"""SMS through any provider that takes a request over HTTP: the operator describes the request, and how to read the answer."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import urlencode

import msgspec

from services.notify.channels.exchange import Answer, Exchange, meaning
from services.notify.channels.placeholders import filled
from services.notify.channels.pointer import found
from services.notify.channels.port import Accepted, Down, Elsewhere, Outgoing, Rejected, Unsure, fit_to_keep
from services.notify.channels.sender import bare
from services.notify.channels.telephone import e164
from services.notify.provider.settings import HttpSettings


class HttpProvider:
    """`receipts` is where it may tell what became of messages, for a description that says `{receipts}`."""

    channel = "sms"

    def __init__(self, settings: HttpSettings, receipts: str = "") -> None:
        self.name = settings.name
        self._settings = settings
        self._receipts = receipts
        self._exchange = Exchange()

    def opened(self) -> AbstractAsyncContextManager[None]:
        return self._exchange.opened()

    async def send(self, message: Outgoing) -> Accepted:
        settings, values = self._settings, self._values(message)
        headers = filled(settings.headers, values)
        if settings.idempotency_header:
            headers |= {settings.idempotency_header: str(message.id)}
        kind, body = self._body(values)
        if "content-type" not in {name.lower() for name in headers}:
            headers |= {"Content-Type": kind}
        return _judged(settings, await self._exchange.ask(settings.method, settings.url, body, headers))

    def _values(self, message: Outgoing) -> dict[str, str]:
        number = e164(message.to)
        return {
            "to": number,
            "digits": number.removeprefix("+"),
            "text": message.text,
            "from": bare(self._settings.sender or ""),
            "id": str(message.id),
            "receipts": f"{self._receipts}?delivery={message.id}" if self._receipts else "",
        }

    def _body(self, values: dict[str, str]) -> tuple[str, bytes]:
        if self._settings.form is not None:
            return "application/x-www-form-urlencoded", urlencode(filled(self._settings.form, values)).encode()
        return "application/json", msgspec.json.encode(filled(self._settings.json, values))


def _judged(settings: HttpSettings, answer: Answer) -> Accepted:
    """Where it says why it refuses, its codes decide what that means; else the status does."""
    document, status, accepted = _read(answer.body), answer.status, settings.accepted
    said = found(document, accepted.at) if accepted.at else None
    if status in accepted.statuses and (not accepted.at or said in accepted.values):
        reference = (found(document, settings.reference_at) if settings.reference_at else None) or ""
        return Accepted(answer=fit_to_keep(f"{status} {reference}"), reference=reference)
    code = found(document, settings.code_at) if settings.code_at else None
    if code is not None:
        raise _refusal(settings, status, code)(fit_to_keep(f"{status} error {code}"))
    if said is not None and said not in accepted.values:
        raise Down(fit_to_keep(f"{status} {said}"))
    if 200 <= status < 300:
        raise Unsure(f"{status}, and nothing that says whether it was taken")
    raise meaning(status)(str(status))


def _refusal(settings: HttpSettings, status: int, code: str) -> type[Exception]:
    """A code is about this message, unless the status speaks of our credentials, our pace or a fault of the provider's."""
    if code in settings.permanent:
        return Rejected
    return Elsewhere if 200 <= status < 300 or meaning(status) is Rejected else Down


def _read(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
