"""Telephone numbers: where they are, of which kind, and in one form before anything is counted."""

from __future__ import annotations

import msgspec
import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

_LAST = 4  # digits: ten thousand numbers, which whoever pumps SMS has rented together
# Whatever else there is costs more, or reaches nobody: premium rate, shared cost, toll free, VoIP, pagers, fixed lines.
_REACHED = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
_NAMES = {getattr(PhoneNumberType, name): name.lower() for name in vars(PhoneNumberType) if name.isupper()}


class Number(msgspec.Struct, frozen=True):
    """`kind` is None for a mobile one. Without a country it belongs to none: satellites, international services."""

    e164: str
    country: str | None
    kind: str | None

    @property
    def prefix(self) -> str:
        return self.e164[:-_LAST]


def number(typed: str) -> Number | None:
    """None for what is no telephone number."""
    try:
        parsed = phonenumbers.parse(typed, None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(parsed):
        return None
    kind = phonenumbers.number_type(parsed)
    country = phonenumbers.region_code_for_number(parsed)
    return Number(
        e164=str(phonenumbers.format_number(parsed, PhoneNumberFormat.E164)),
        country=country if country in phonenumbers.SUPPORTED_REGIONS else None,
        kind=None if kind in _REACHED else _NAMES.get(kind, "unknown"),
    )


def is_country(code: str) -> bool:
    return code in phonenumbers.SUPPORTED_REGIONS
