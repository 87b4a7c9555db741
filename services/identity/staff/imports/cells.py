"""Cells as they are written, so that no spreadsheet takes one for a formula; and as they are read back.

A cell that begins with one of these gets an apostrophe before it, and so does one that has it behind apostrophes of its
own: taking one away again always gives what was there.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable

# OWASP, CSV Injection; ASVS 5.0, 1.2.10. The wide forms are read as the narrow ones by some programs.
_ACTIVE = frozenset("=+-@\t\r\n\0＝＋－＠")
_MARK = "'"
BOM = "\ufeff"  # without it a spreadsheet takes UTF-8 for the machine's own old encoding


def neutral(cell: str) -> str:
    return _MARK + cell if _is_active(cell) else cell


def plain(cell: str) -> str:
    """What the neutral form stands for. A cell that is none is itself."""
    return cell[1:] if cell.startswith(_MARK) and _is_active(cell[1:]) else cell


def _is_active(cell: str) -> bool:
    return cell.lstrip(_MARK)[:1] in _ACTIVE


def written(rows: Iterable[Iterable[str]]) -> bytes:
    """RFC 4180, every cell neutral."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([neutral(cell) for cell in row] for row in rows)
    return text.getvalue().encode()


async def file(header: Iterable[str], batches: AsyncIterator[Iterable[Iterable[str]]]) -> AsyncIterator[bytes]:
    """A file, part by part."""
    yield BOM.encode() + written([header])
    async for rows in batches:
        yield written(rows)
