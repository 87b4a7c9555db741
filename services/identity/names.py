"""What people type to say who they are: one reading of a name, whatever the case or the keyboard."""

from __future__ import annotations

import unicodedata

# Names that a stranger would take for the platform's own, and the form of the numbers that are given out.
_RESERVED = frozenset(
    ["admin", "administrator", "api", "help", "login", "owner", "root", "staffgate", "support", "system", "www"]
)
_NUMBER_PREFIX = "org-"


def key(name: str) -> str:
    """Two names are the same when their keys are (NFKC, then case folded)."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def reserved(name: str) -> bool:
    return key(name) in _RESERVED or key(name).startswith(_NUMBER_PREFIX)


def number(legible: str) -> str:
    """The organisation's number, good at login from the first minute."""
    return f"ORG-{legible}"


def split_login(login: str) -> tuple[str, str] | None:
    """`AcmeCrates\\Jane`, with or without spaces around the backslash, as two keys; None where it can't be read so."""
    organisation, separator, person = login.partition("\\")
    if not separator or "\\" in person or "\0" in login or not organisation.strip() or not person.strip():
        return None
    return key(organisation), key(person)
