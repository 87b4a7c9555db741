"""JSON pointers (RFC 6901): `/messages/0/status` names one value in a document."""

from __future__ import annotations

import re

_INDEX = re.compile(r"0|[1-9][0-9]{0,5}")


def found(document: object, pointer: str) -> str | None:
    """The value there as a text; None where there is nothing, or nothing that is one word: an object, a list, null."""
    for token in pointer.split("/")[1:]:
        document = _member(document, token.replace("~1", "/").replace("~0", "~"))
    if isinstance(document, bool):
        return "true" if document else "false"
    return str(document) if isinstance(document, str | int) and document != "" else None


def _member(document: object, name: str) -> object:
    if isinstance(document, dict):
        return document.get(name)
    if isinstance(document, list) and _INDEX.fullmatch(name) and int(name) < len(document):
        return document[int(name)]
    return None
