"""SMS in: the one call of Twilio's API that sends, with its answers and its errors."""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from datetime import UTC, datetime
from email.utils import format_datetime

from aiohttp import web

from deploy.local.mailbox.faults import Faults
from deploy.local.mailbox.receipts import Receipts
from deploy.local.mailbox.store import Message, Store

_E164 = re.compile(r"\+[1-9]\d{6,14}")
_SENDER = re.compile(r"\+[1-9]\d{6,14}|[A-Za-z0-9 ]{1,11}|\d{3,8}")
_LONGEST = 1600
_PLAIN = re.compile(r"[\n\r !-_a-z{|}~\[\]\\^€£¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¡ÄÖÑÜ§¿äöñüà]*")  # GSM 03.38


class Gateway:
    def __init__(self, store: Store, faults: Faults, sid: str, token: str) -> None:
        self._store = store
        self._faults = faults
        self._sid = sid
        self._token = token
        self._receipts = Receipts(token)

    async def send(self, request: web.Request) -> web.Response:
        if not self._allowed(request):
            return _refusal(401, 20003, "Authenticate")
        if self._faults.sms:
            return _refusal(self._faults.sms, 20000 + self._faults.sms, "The gateway was told to fail")
        form = {name: str(value) for name, value in (await request.post()).items()}
        fault = _fault(form)
        if fault:
            return _refusal(400, *fault)
        message = self._store.add("sms", to=form["To"], sender=form["From"], text=form["Body"])
        resource = self._resource(message)
        if form.get("StatusCallback", "").startswith(("http://", "https://")):
            told = {"MessageSid": str(resource["sid"]), "MessageStatus": "delivered", "AccountSid": self._sid}
            self._receipts.tell(form["StatusCallback"], told | {"To": message.to, "From": message.sender})
        return web.json_response(resource, status=201)

    def _allowed(self, request: web.Request) -> bool:
        given = request.headers.get("Authorization", "").removeprefix("Basic ")
        right = base64.b64encode(f"{self._sid}:{self._token}".encode()).decode()
        return hmac.compare_digest(given.encode(), right.encode()) and request.match_info["sid"] == self._sid

    def _resource(self, message: Message) -> dict[str, object]:
        sid = "SM" + secrets.token_hex(16)
        now = format_datetime(datetime.now(UTC))
        return {
            "sid": sid,
            "account_sid": self._sid,
            "to": message.to,
            "from": message.sender,
            "body": message.text,
            "status": "queued",
            "direction": "outbound-api",
            "num_segments": str(_segments(message.text)),
            "num_media": "0",
            "price": None,
            "error_code": None,
            "error_message": None,
            "date_created": now,
            "date_updated": now,
            "date_sent": None,
            "uri": f"/2010-04-01/Accounts/{self._sid}/Messages/{sid}.json",
        }


def _fault(form: dict[str, str]) -> tuple[int, str] | None:
    to, sender, body = form.get("To", ""), form.get("From", ""), form.get("Body", "")
    if not to:
        return 21604, "A 'To' phone number is required."
    if not _E164.fullmatch(to):
        return 21211, f"The 'To' number {to} is not a valid phone number."
    if not sender:
        return 21603, "A 'From' phone number is required."
    if not _SENDER.fullmatch(sender):
        return 21212, f"The 'From' number {sender} is not a valid phone number, shortcode, or alphanumeric sender ID."
    if not body:
        return 21602, "Message body is required."
    if len(body) > _LONGEST:
        return 21617, f"The concatenated message body exceeds the {_LONGEST} character limit."
    return None


def _refusal(status: int, code: int, message: str) -> web.Response:
    body = {
        "code": code,
        "message": message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return web.json_response(body, status=status)


def _segments(text: str) -> int:
    single, joined = (160, 153) if _PLAIN.fullmatch(text) else (70, 67)
    return 1 if len(text) <= single else -(-len(text) // joined)
