"""What makes a password good enough: its length, and that it is hard to guess. There is no other rule (SP 800-63B-4).

The estimate is zxcvbn's, which knows thirty thousand common passwords and is told the organisation's and the person's
own words besides. It is work: off the event loop, please.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from zxcvbn_rs_py import zxcvbn

from services.identity.factor.factors import is_required
from services.identity.store.organisations import OrganisationRow
from services.identity.store.staff import StaffRow
from shared.errors import Invalid

_ALONE = 15  # code points, where no second factor is asked for (SP 800-63B-4 section 3.1.1.2)
_PRODUCT = "staffgate"
_SCORE = 3  # of 4: safely unguessable
# The estimate grows with the square of the length: 72 characters take up to half a second, 40 a tenth of one. What comes
# after them does not make a password weaker.
_ESTIMATED = 40


def minimum(person: StaffRow, organisation: OrganisationRow) -> int:
    """The length that this person's password needs. 8 are enough beside a second factor."""
    shortest = organisation.policy.password.minimum
    return shortest if is_required(person, organisation) else max(shortest, _ALONE)


def known_words(person: StaffRow, organisation: OrganisationRow) -> list[str]:
    """What an attacker would try first."""
    names = (person.name, person.username, person.email.partition("@")[0], organisation.name)
    whole = [person.username, organisation.username or "", organisation.number, _PRODUCT]
    return [*filter(None, whole), *(word for name in names for word in re.split(r"[\W_]+", name) if len(word) > 2)]


def require_strength(password: str, shortest: int, known: Sequence[str]) -> None:
    """`known` are words that must not be in it, whatever the case."""
    plain = unicodedata.normalize("NFC", password)
    if len(plain) < shortest:
        raise Invalid("password_too_short", f"A password has at least {shortest} characters here.")
    if word := _contained(plain, known):
        raise Invalid("password_too_obvious", f"Leave {word!r} out of the password: it is what others would try first.")
    if int(zxcvbn(plain[:_ESTIMATED], user_inputs=[*known]).score) < _SCORE:
        raise Invalid("password_too_weak", "This password is easy to guess; a few unrelated words make a good one.")


def _contained(password: str, known: Iterable[str]) -> str | None:
    folded = _folded(password)
    return next((word for word in known if len(word) > 2 and _folded(word) in folded), None)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
