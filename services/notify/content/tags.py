"""The languages that messages are written in, and which of them somebody reads who asks for another.

A tag is one of BCP 47: `de`, `de-AT`, `zh-Hant`, `zh-TW`.
"""

from __future__ import annotations

from functools import lru_cache

from babel import Locale, UnknownLocaleError

SOURCE = "en"
LOCALES = (SOURCE, "de", "es", "fr", "zh-Hant")


def chosen(*wanted: str) -> str:
    """The first wish that there is a language for: a person's, an organisation's, and so on."""
    return next((tag for one in wanted if (tag := matched(one))), SOURCE)


@lru_cache(maxsize=256)
def matched(wanted: str) -> str | None:
    """The language in the script that its country writes (`zh-TW` is `zh-Hant`), or whichever way it is written; None
    where there is neither."""
    locale = _parsed(wanted)
    if locale is None:
        return None
    return next((tag for tag in (f"{locale.language}-{locale.script}", locale.language) if tag in LOCALES), None)


def _parsed(wanted: str) -> Locale | None:
    """As much of a tag as is known: of a country that there isn't, the language is left."""
    parts = wanted[:35].replace("_", "-").split("-")
    for length in range(len(parts), 0, -1):
        try:
            return Locale.parse("-".join(parts[:length]), sep="-", resolve_likely_subtags=True)
        except (ValueError, UnknownLocaleError):
            continue
    return None
