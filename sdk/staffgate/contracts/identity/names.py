"""Names, addresses and secrets as they may be written, and the words of accounts and factors."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta

# `$` alone would let a line feed through at the end, and with it another header into an e-mail.
END = r"$(?!\n)"
TEXT = r"[^\x00-\x1f\x7f<>]"
_IN_EMAIL = r"[^@\s\x00-\x1f\x7f,;<>()\[\]\\\"]"
_IN_DOMAIN = r"[^@\s.\x00-\x1f\x7f,;<>()\[\]\\\"]"

# Fillers of the Korean alphabet: letters by their category, and nothing shows where one stands.
_BLANK = r"\u115f\u1160\u3164\uffa0"
_WORD = rf"[^\W{_BLANK}]"

# One shape for both, so that `Organisation\Person` has exactly one reading: a letter or digit first, no separator inside.
Username = Annotated[str, Meta(min_length=2, max_length=64, pattern=rf"^[^\W_{_BLANK}](?:{_WORD}|[.\-])*" + END)]
# No dots: mail programs make a link of `acme.example\Jane`.
OrganisationUsername = Annotated[
    str, Meta(min_length=2, max_length=64, pattern=rf"^[^\W_{_BLANK}](?:{_WORD}|-)*" + END)
]
PersonName = Annotated[str, Meta(min_length=1, max_length=120, pattern=rf"^{TEXT}*[^\s\x00-\x1f\x7f<>]{TEXT}*" + END)]
Email = Annotated[str, Meta(max_length=254, pattern=rf"^{_IN_EMAIL}+@{_IN_EMAIL}+\.{_IN_DOMAIN}+" + END)]
Mobile = Annotated[
    str,
    Meta(
        min_length=5,
        max_length=32,
        pattern=r"^\+[0-9 ()\-]+" + END,
        description="International form, +61 400 000 000",
    ),
]
Password = Annotated[
    str, Meta(max_length=256, description="8 to 256 characters; no other rule than that it is hard to guess")
]
Locale = Annotated[
    str,
    Meta(
        max_length=12,
        pattern=r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?" + END,
        description="A tag of BCP 47: de, de-AT, zh-Hant",
    ),
]
Secret = Annotated[str, Meta(min_length=1, max_length=512)]


class StaffStatus(StrEnum):
    """invited (shown as not activated) -> active <-> suspended -> deleted. An account that is invited can be deleted too."""

    INVITED = "invited"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    DELETED = "deleted"


class FactorKind(StrEnum):
    """The second factors, the strongest first. E-mail and SMS are the weaker ones; recovery codes stand in for a lost one."""

    PASSKEY = "passkey"
    TOTP = "totp"
    RECOVERY = "recovery"
    SMS = "sms"
    EMAIL = "email"


class LinkPurpose(StrEnum):
    """What a link of an e-mail is good for, and nothing else."""

    CONFIRM = "confirm"
    ACTIVATE = "activate"
    RESET = "reset"
    EMAIL = "email"
