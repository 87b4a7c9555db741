"""What each language says for the sentences of the source, as gettext has it: a file of its own for each (PO).

They are read when notify starts; `python -m deploy.words` brings them up to date with the source.
"""

from __future__ import annotations

from gettext import NullTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

from services.notify.content.tags import SOURCE

FOLDER = Path(__file__).parent / "locales"


def file(tag: str) -> Path:
    return FOLDER / tag.replace("-", "_") / "LC_MESSAGES" / "messages.po"


def read(tag: str) -> Catalog:
    with file(tag).open("rb") as lines:
        return read_po(lines, locale=tag.replace("-", "_"), abort_invalid=True)


def translations(tag: str) -> NullTranslations:
    """What a catalog does not say is said in the source's words."""
    if tag == SOURCE:
        return NullTranslations()
    compiled = BytesIO()
    write_mo(compiled, read(tag))
    compiled.seek(0)
    return Translations(compiled)
