"""E-mail in: an SMTP server for everybody's address."""

from __future__ import annotations

import base64
import email
import email.policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP

from deploy.local.mailbox.faults import Faults
from deploy.local.mailbox.store import Store

_SIZE = 10 * 1024 * 1024
_SAID = {"451": "451 4.7.1 Try again later", "550": "550 5.1.1 No such mailbox"}


class Handler:
    """What aiosmtpd calls, under the names that it gives."""

    def __init__(self, store: Store, faults: Faults) -> None:
        self._store = store
        self._faults = faults

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if self._faults.smtp:
            return _SAID[self._faults.smtp]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        for recipient in envelope.rcpt_tos:
            self._store.add(
                "email",
                to=recipient,
                sender=str(message["From"] or envelope.mail_from or ""),
                subject=str(message["Subject"] or ""),
                text=_part(message, "plain"),
                html=_with_pictures(_part(message, "html"), message),
                message_id=str(message["Message-ID"] or "").strip(),
            )
        return "250 2.0.0 Kept"


def protocol(store: Store, faults: Faults) -> SMTP:
    return SMTP(Handler(store, faults), data_size_limit=_SIZE, enable_SMTPUTF8=True, ident="Staffgate mailbox",
                hostname="mailbox.localhost")  # fmt: skip


def _part(message: EmailMessage, subtype: str) -> str:
    body = message.get_body(preferencelist=(subtype,))
    if body is None:
        return ""
    try:
        return str(body.get_content()).replace("\r\n", "\n")
    except (LookupError, UnicodeError):  # an unknown or wrong charset: still show what can be shown
        payload = body.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else str(payload)


def _with_pictures(html: str, message: EmailMessage) -> str:
    """What an e-mail brings along and shows by its Content-ID, put where it is shown: the page loads nothing."""
    for part in message.walk():
        name, content = str(part["Content-ID"] or "").strip("<> "), part.get_payload(decode=True)
        if name and part.get_content_maintype() == "image" and isinstance(content, bytes):
            data = f"data:{part.get_content_type()};base64,{base64.b64encode(content).decode()}"
            html = html.replace(f"cid:{name}", data)
    return html
