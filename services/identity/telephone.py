"""Telephone numbers, in one form: E.164. However it was typed, a number is the same number."""

from __future__ import annotations

import phonenumbers

from shared.errors import Invalid


def e164(typed: str | None) -> str | None:
    if typed is None:
        return None
    try:
        number = phonenumbers.parse(typed, None)
    except phonenumbers.NumberParseException as fault:
        raise _wrong() from fault
    if not phonenumbers.is_possible_number(number):
        raise _wrong()
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def masked(number: str) -> str:
    return f"{number[:3]}***{number[-2:]}"


def _wrong() -> Invalid:
    return Invalid("mobile_invalid", "Give the mobile number in international form, for example +61 491 570 006.")
