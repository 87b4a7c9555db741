"""Whose word a receipt is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.provider.settings import SmtpSettings, TwilioSettings
from services.notify.receipt.signatures import HEADER, Signatures, signatures, signed, signed_form
from shared.http.head import Head

SECRET, OTHER = "a secret of sixteen".replace(" ", "-"), "another-secret-of-sixteen"
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
BODY = b'{"status":"delivered"}'


def mail(secret: str | None = SECRET) -> Signatures | None:
    return signatures(
        SmtpSettings(name="mail", url="smtp://x", sender="a@b.example", receipts_secret=secret),
        "https://notify.example",
    )


def head(value: str | None, **more: str) -> Head:
    headers = more | ({} if value is None else {HEADER: value})
    return Head(target="/v1/receipts/mail", content_type="application/json", headers=headers)


def v1(secret: str = SECRET, stamp: str = STAMP, body: bytes = BODY) -> str:
    return signed(secret.encode(), stamp, body)


def holds(value: str | None, *, body: bytes = BODY, now: datetime = NOW, secret: str = SECRET) -> bool:
    known = mail(secret)
    assert known is not None
    return known.match(head(value), body, now)


def test_a_signature_over_time_and_body_is_believed() -> None:
    assert holds(f"t={STAMP},v1={v1()}")
    assert holds(f" t={STAMP} , v0=x, v1=abc, v1={v1()}"), "others beside it do no harm"


@pytest.mark.parametrize(
    "value",
    [
        None, "", "t", "t=", f"t={STAMP}", f"v1={v1()}", v1(), f"t={STAMP},v1=", f"t={STAMP},v1={v1()[:-1]}",
        f"t={STAMP},v1={v1().upper()}", f"t={STAMP},v2={v1()}", f"t={STAMP},v1={v1(OTHER)}", f"t={STAMP}0,v1={v1()}",
        f"t={STAMP},t={STAMP},v1={v1()}", f"t=0x{STAMP},v1={v1()}", f"t=-{STAMP},v1={v1()}", f"t={'9' * 500},v1={v1()}",
        f"t={STAMP},v1={v1(body=b'')}", f"t=\N{SUPERSCRIPT TWO},v1={v1()}", f"t={STAMP},v1=\udcff\N{BUG}",
    ],
)  # fmt: skip
def test_any_other_is_not(value: str | None) -> None:
    assert not holds(value)


def test_it_is_for_this_body_and_this_time_only() -> None:
    good = f"t={STAMP},v1={v1()}"
    assert not holds(good, body=BODY + b" ")
    other = str(int(STAMP) + 1)
    assert not holds(f"t={other},v1={v1()}")


@pytest.mark.parametrize("minutes", [-4.9, 0, 4.9])
def test_it_is_good_for_five_minutes(minutes: float) -> None:
    assert holds(f"t={STAMP},v1={v1()}", now=NOW + timedelta(minutes=minutes))


@pytest.mark.parametrize("minutes", [-60 * 24 * 365, -5.1, 5.1, 60])
def test_and_not_longer(minutes: float) -> None:
    assert not holds(f"t={STAMP},v1={v1()}", now=NOW + timedelta(minutes=minutes))


def test_while_the_secret_is_changed_both_are_good() -> None:
    both = f"{OTHER} {SECRET}"
    assert holds(f"t={STAMP},v1={v1()}", secret=both)
    assert holds(f"t={STAMP},v1={v1(OTHER)}", secret=both)
    assert not holds(f"t={STAMP},v1={v1('a-third-one-of-sixteen')}", secret=both)


def test_without_a_secret_nothing_is_believed() -> None:
    assert mail(None) is None
    assert mail("") is None
    with pytest.raises(ValueError, match="shorter than 16"):
        mail("guessable")


# --- Twilio's ---------------------------------------------------------------------------------------------------

# From Twilio's own documentation and its libraries' tests.
DOCUMENTED: dict[str, Any] = {
    "CallSid": "CA1234567890ABCDE",
    "Digits": "1234",
    "From": "+14158675309",
    "To": "+18005551212",
    "Caller": "+14158675309",
}
THEIRS = "RSOYDt4T1cUTdK1PDd93/VVr8B8="


def twilio(public_url: str = "https://mycompany.com", token: str = "12345", secret: str | None = None) -> Signatures:  # noqa: S107
    named = TwilioSettings(name="sms", url=f"https://AC1:{token}@api.example", sender="+61400111111", receipts_secret=secret)  # fmt: skip
    known = signatures(named, public_url)
    assert known is not None
    return known


def form_holds(
    known: Signatures, fields: Any = DOCUMENTED, signature: str | None = THEIRS, target: str = "/myapp.php?foo=1&bar=2"
) -> bool:
    headers = {} if signature is None else {"x-twilio-signature": signature}
    asked = Head(target=target, content_type="application/x-www-form-urlencoded", headers=headers)
    return known.match(asked, urlencode(fields, doseq=True).encode(), NOW)


def test_twilio_signs_as_its_documentation_says() -> None:
    assert form_holds(twilio())
    assert form_holds(twilio("https://mycompany.com/"))
    assert form_holds(twilio(), dict(reversed(DOCUMENTED.items())))
    assert form_holds(twilio(), DOCUMENTED | {"Digits": ["1234", "1234"]}), "what stands there twice is signed once"


@pytest.mark.parametrize("signature", [None, "", "x", THEIRS.lower(), THEIRS + "=", "\udcff", "RSOYDt4T"])
def test_another_signature_of_a_form_is_none(signature: str | None) -> None:
    assert not form_holds(twilio(), signature=signature)


def test_it_is_for_this_address_and_these_fields_only() -> None:
    assert not form_holds(twilio(), target="/myapp.php?foo=1&bar=3")
    assert not form_holds(twilio("https://other.example"))
    assert not form_holds(twilio("http://mycompany.com"))
    assert not form_holds(twilio(token="12346"))
    assert not form_holds(twilio(), DOCUMENTED | {"Digits": "1235"})
    assert not form_holds(twilio(), DOCUMENTED | {"More": "1"})
    assert not form_holds(twilio(), {name: value for name, value in DOCUMENTED.items() if name != "To"})
    assert not form_holds(twilio(), DOCUMENTED | {f"a{n}": "1" for n in range(500)})


def test_the_token_before_is_good_while_it_is_changed() -> None:
    assert form_holds(twilio(token="new-token", secret="12345" * 4)) is False
    assert form_holds(twilio(token="0123456789abcdef", secret="x" * 16 + " " + "y" * 16)) is False
    old = twilio(token="0123456789abcdef")
    target, text = "/v1/receipts/sms", "https://mycompany.com/v1/receipts/smsMessageSidSM1"
    by_old = signed_form(b"0123456789abcdef", text)
    assert form_holds(old, {"MessageSid": "SM1"}, by_old, target)
    assert form_holds(twilio(token="new", secret="0123456789abcdef"), {"MessageSid": "SM1"}, by_old, target)


def test_without_a_public_address_nothing_of_twilios_is_believed() -> None:
    assert signatures(TwilioSettings(name="sms", url="https://AC1:t@x", sender="+61400111111"), "") is None


@given(st.binary(max_size=200), st.text(max_size=80), st.text(max_size=80))
def test_anything_can_be_asked(content: bytes, value: str, target: str) -> None:
    asked = Head(target=target, content_type="", headers={HEADER: value, "x-twilio-signature": value})
    mails = mail()
    assert mails is not None
    assert not mails.match(asked, content, NOW)
    assert not twilio().match(asked, content, NOW)
