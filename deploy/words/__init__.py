"""The catalogs of notify's messages, held to the source: the sentences of its modules and templates, in every language.

A translator (a person, or a program such as Poedit or Weblate) fills in what is new; nothing is guessed from what was
said before, so a catalog has no entry that is only nearly right.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import write_po

from services.notify.content import catalogs
from services.notify.content.tags import LOCALES, SOURCE

COMMAND = "python -m deploy.words"
TAGS = tuple(tag for tag in LOCALES if tag != SOURCE)

_CONTENT = Path(catalogs.__file__).parent
_METHODS = [("templates/**", "jinja2.ext:babel_extract"), ("**.py", "python")]
_OPTIONS = {"templates/**": {"trimmed": "true", "silent": "false"}}
# `counted(value, one, many)`, and what gettext calls its own.
_KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "counted": (2, 3)}
# What a file is, and not when or by which version it was written: it changes only with what it says.
_HEADER = """\
msgid ""
msgstr ""
"Language: {locale}\\n"
"Plural-Forms: {plurals}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def sentences() -> Catalog:
    """Those of the source, with where they stand."""
    found = Catalog()
    for name, line, message, comments, context in extract_from_dir(_CONTENT, _METHODS, _OPTIONS, keywords=_KEYWORDS):
        found.add(message, locations=[(name, line)], auto_comments=comments, context=context)
    return found


def updated(tag: str) -> Catalog:
    """The catalog as it has to be stored: what is new in it is empty, and what is gone is gone."""
    known, catalog = catalogs.read(tag), Catalog(locale=tag.replace("-", "_"))
    for message in sentences():
        if message.id:
            told = known.get(message.id)
            catalog.add(message.id, told.string if told else None, locations=message.locations, flags=message.flags)
    return catalog


def written(catalog: Catalog) -> bytes:
    lines = BytesIO()
    write_po(lines, catalog, width=110, sort_output=True, include_lineno=False, omit_header=True)
    return _HEADER.format(locale=catalog.locale, plurals=catalog.plural_forms).encode() + lines.getvalue()


def untold(catalog: Catalog) -> Iterator[str]:
    """What is not said yet, or not surely."""
    for message in catalog:
        if message.id and (message.fuzzy or not all(forms(message.string))):
            yield forms(message.id)[0]


def forms(text: str | Sequence[str] | None) -> list[str]:
    """Of one and of many, where a sentence counts something."""
    return [text or ""] if text is None or isinstance(text, str) else [*text]
