"""What providers tell of messages that they have taken."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec

from services.notify.receipt.readings import FORM, JSON, REPORT
from services.notify.service import Notify
from shared.http.files import Content
from shared.http.head import Head
from shared.http.operation import Api

api = Api()


class ReceiptQuery(msgspec.Struct, frozen=True, kw_only=True):
    """As the address says that was given to the provider together with the message."""

    delivery: UUID | None = None


@api.post("/v1/receipts/{provider}")
async def take_receipt(
    notify: Notify,
    provider: str,
    query: ReceiptQuery,
    head: Head,
    content: Annotated[bytes, Content(REPORT, 1 << 20, also=(JSON, FORM))],
) -> None:
    """For providers: what became of a message. The signature is the proof, there is no access token.

    From Twilio a form, with X-Twilio-Signature. From others JSON, `{"status": "delivered", "delivery": "..."}` with
    `delivered`, `bounced`, `complained` or `delayed`, the message's id or the provider's `reference`, and for a bounce
    `permanent` and `reason`; of e-mails also a bounce or a complaint as the mail server sent it (RFC 3464, RFC 5965).
    These are signed in the header Receipt-Signature: `t=<seconds>,v1=<HMAC-SHA256 of "t.body", hexadecimal>`.

    Each may be told as often as one likes and in any order. 401 for whatever is not signed so by this provider.
    """
    await notify.receipts.take(provider, head, content, query.delivery)
