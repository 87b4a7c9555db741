"""A receipt in the words of its provider, as what it says."""

from __future__ import annotations

from typing import Literal
from urllib.parse import parse_qsl
from uuid import UUID

import msgspec

from services.notify.channels.port import Told, fit_to_keep
from services.notify.channels.tokens import Tokens
from services.notify.provider.settings import Settings, SmtpSettings, TwilioSettings
from services.notify.receipt import dsn
from shared.errors import Invalid, Malformed
from staffgate.contracts.notify import DeliveryState, Reason, Receipt

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
REPORT = "message/rfc822"

# Of Twilio's errors: nothing will ever arrive at such a number. With the others it may another time.
_NO_SUCH_NUMBER = frozenset({"21211", "21214", "21217", "21614", "30005", "30006"})
_OPTED_OUT = "21610"

Word = Literal["delivered", "delayed", "bounced", "complained"]
# Nothing is decided, or nothing is said of a message of ours: a holiday greeting that came back, say.
Nothing = Literal["delayed", "not_a_report"]


def read(
    settings: Settings, content_type: str, content: bytes, delivery: UUID | None, tokens: Tokens
) -> Told | Nothing:
    """`delivery` is from the address that was asked, which Twilio signs. Raise Malformed, Invalid."""
    if isinstance(settings, TwilioSettings):
        _require(content_type, FORM)
        return _twilio(settings.name, content, delivery)
    if isinstance(settings, SmtpSettings) and content_type == REPORT:
        return _report(settings.name, content, tokens)
    _require(content_type, JSON)
    return _json(settings.name, content)


def _require(content_type: str, wanted: str) -> None:
    if content_type != wanted:
        raise Malformed("wrong_content_type", f"This provider's receipts come as {wanted}.")


def _json(provider: str, content: bytes) -> Told | Nothing:
    try:
        receipt = msgspec.json.decode(content, type=Receipt)
    except msgspec.ValidationError as fault:
        raise Invalid("invalid", f"{fault} (body).") from fault
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise Malformed("malformed_json", "The body is not JSON.") from fault
    if receipt.delivery is None and not receipt.reference:
        raise Invalid("invalid", "Say which message it is: delivery, or reference.", at="$.delivery")
    return _told(
        provider, receipt.status, receipt.reason, receipt.delivery, receipt.reference, permanent=receipt.permanent
    )


def _twilio(provider: str, content: bytes, delivery: UUID | None) -> Told | Nothing:
    form = dict(parse_qsl(content.decode(errors="replace"), max_num_fields=200))
    status, error = form.get("MessageStatus") or form.get("SmsStatus", ""), form.get("ErrorCode", "")
    reference = (form.get("MessageSid") or form.get("SmsSid", ""))[:200].replace("\0", "")
    if delivery is None and not reference:
        raise Invalid("invalid", "Say which message it is: MessageSid, or delivery in the address.")
    words: dict[str, Word] = {"delivered": "delivered", "read": "delivered"}
    words |= {"undelivered": "bounced", "failed": "bounced"}
    word = "complained" if error == _OPTED_OUT else words.get(status, "delayed")
    answer = f"{status} {error}".strip()
    return _told(provider, word, answer, delivery, reference, permanent=error in _NO_SUCH_NUMBER)


def _report(provider: str, content: bytes, tokens: Tokens) -> Told | Nothing:
    report = dsn.read(content, tokens)
    if report is None:
        return "not_a_report"
    return _told(provider, report.word, report.answer, report.delivery, "", permanent=report.permanent)


def _told(
    provider: str, word: Word, answer: str, delivery: UUID | None, reference: str, *, permanent: bool
) -> Told | Nothing:
    if word == "delayed":
        return "delayed"
    reasons: dict[Word, Reason] = {"bounced": Reason.BOUNCED, "complained": Reason.COMPLAINED}
    return Told(
        provider=provider,
        delivery=delivery,
        reference=reference,
        state=DeliveryState.DELIVERED if word == "delivered" else DeliveryState.BOUNCED,
        reason=reasons.get(word),
        permanent=permanent,
        answer=fit_to_keep(answer) or word,
    )
