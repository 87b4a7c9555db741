"""What people type to say who they are: one reading of a name, whatever the case or the keyboard."""

from __future__ import annotations

import unicodedata

# Names that a stranger would take for the platform's own, and the form of the numbers that are given out.
_RESERVED = ("admin", "administrator", "api", "help", "login", "owner", "root", "staffgate", "support", "system", "www")
_NUMBER_PREFIX = "org-"

# Keyboards of East Asia write these where others write the backslash; to a reader they are one. What has no width comes
# along when a login is copied out of an e-mail, where it keeps mail programs from making links of dots.
_SEPARATORS = {ord("＼"): "\\", ord("﹨"): "\\"} | dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"))

# What is taken for each Latin letter once the case is folded: digits, and letters of the Cyrillic and the Greek alphabet.
# Not every pair that there is (Unicode TR 39 has thousands), but those that people fall for.
_TAKEN_FOR = {
    "a": "аα", "b": "вβь", "c": "сϲ", "d": "ԁ", "e": "еεҽ", "h": "һнη", "j": "јϳ", "k": "кκ", "l": "1iіιıӏ",
    "m": "мμ", "n": "пν", "o": "0оοσօ", "p": "рρ", "q": "ԛ", "r": "гᴦ", "s": "ѕ", "t": "тτ", "u": "υս",
    "v": "ѵ", "w": "ԝωш", "x": "хχ", "y": "уγ",
}  # fmt: skip
_LOOKALIKES = str.maketrans({one: letter for letter, ones in _TAKEN_FOR.items() for one in ones})
_LOOKALIKES |= dict.fromkeys(map(ord, "\u115f\u1160\u3164\uffa0"), "")  # letters that show nothing
_LOOKALIKE_PAIRS = (("rn", "m"), ("vv", "w"))


def key(name: str) -> str:
    """Two names are the same when their keys are (NFKC and case folding, until neither changes anything more)."""
    folded = name
    while (again := unicodedata.normalize("NFKC", folded).strip().casefold()) != folded:
        folded = again
    return folded


def skeleton(name: str) -> str:
    """What is left when letters that look alike are one. Two organisations never have usernames of one skeleton."""
    look = name
    while (again := _looks(key(look))) != look:
        look = again
    return look


def _looks(folded: str) -> str:
    bare = "".join(one for one in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(one))
    look = bare.translate(_LOOKALIKES)
    for pair, one in _LOOKALIKE_PAIRS:
        look = look.replace(pair, one)
    return look


def reserved(name: str) -> bool:
    """And so is what only looks like one of them."""
    look = skeleton(name)
    return look in {skeleton(one) for one in _RESERVED} or look.startswith(skeleton(_NUMBER_PREFIX))


def number(legible: str) -> str:
    """The organisation's number, good at login from the first minute."""
    return f"ORG-{legible}"


def split_login(login: str) -> tuple[str, str] | None:
    """`AcmeCrates\\Jane`, with or without spaces around the backslash, as two keys; None where it can't be read so."""
    organisation, separator, person = login.translate(_SEPARATORS).partition("\\")
    if not separator or "\\" in person or "\0" in login or not organisation.strip() or not person.strip():
        return None
    return key(organisation), key(person)
