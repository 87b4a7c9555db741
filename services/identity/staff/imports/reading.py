"""From bytes to rows: which encoding, which separator, which columns. What can't be read at all is refused as a whole.

Nothing holds the file's text: rows are made one after the other, and none of them takes longer than its own length.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import msgspec

from services.identity.staff.imports.cells import plain
from shared.errors import Invalid, Malformed
from staffgate.contracts.identity import COLUMNS, FAULT_COLUMNS

MOST_ROWS = 10_000
_MOST_LINES = 50_000  # blank rows too
_LONGEST_ROW = 32_768  # characters; more is a quotation mark that nobody closed
_MOST_CELLS = 100  # of a row; what is behind them is not even looked at
_SEPARATORS = (",", ";", "\t")
_NEEDED = ("type", "name", "email")
# zip (and with it .xlsx, .ods), gzip, the old .xls, PDF
_OTHERS = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"\xd0\xcf\x11\xe0", b"%PDF", b"7z\xbc\xaf", b"BZh", b"\xfd7zXZ")


class Row(msgspec.Struct, frozen=True):
    """As a spreadsheet counts: the header is row 1. `cells` belong to the sheet's columns; what is too many follows.
    A blank row has none."""

    number: int
    cells: list[str]


class Sheet(msgspec.Struct, frozen=True):
    """`columns` without those of ErrorDetail.csv. `rows` raises where the file goes wrong further down."""

    columns: list[str]
    rows: Iterator[Row]


def read(content: bytes) -> Sheet:
    """Raise Malformed for what is no text, and Invalid for a table that is none of staff."""
    lines = _Lines(content)
    first = lines.first()
    separator = max(_SEPARATORS, key=lambda one: len(_known(first, one)))
    records = csv.reader(lines, delimiter=separator, strict=True)
    header = [plain(cell.strip()).casefold().replace(" ", "_") for cell in (_next(records, 1) or [])]
    kept = _kept(header)
    return Sheet([header[place] for place in kept], _rows(records, lines, len(header), kept))


def _known(line: str, separator: str) -> set[str]:
    cells = {plain(cell.strip(' "\t\r\n')).casefold().replace(" ", "_") for cell in line.split(separator)}
    return cells & {*COLUMNS, *FAULT_COLUMNS}


def _kept(header: list[str]) -> list[int]:
    """The places of the columns that are the file's own."""
    if not {*COLUMNS} & {*header}:
        raise Invalid("header_missing", f"The first row has to name the columns: {', '.join(COLUMNS)}.")
    while header and not header[-1]:
        header.pop()  # empty columns at the end, as spreadsheets leave them
    known = {*COLUMNS, *FAULT_COLUMNS}
    if unknown := [name for name in header if name not in known]:
        names = ", ".join(repr(name[:40]) for name in unknown[:5])
        raise Invalid("column_unknown", f"No such column: {names}. There are {', '.join(COLUMNS)}.")
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise Invalid("column_twice", f"More than one column is called {twice[0]!r}; leave one.")
    if missing := [name for name in _NEEDED if name not in header]:
        raise Invalid("column_missing", f"These columns have to be there: {', '.join(missing)}.")
    return [place for place, name in enumerate(header) if name not in FAULT_COLUMNS]


def _rows(records: Iterator[list[str]], lines: _Lines, width: int, kept: list[int]) -> Iterator[Row]:
    number, found = 1, 0
    while (record := _next(records, number + 1)) is not None:
        lines.length = 0
        number += 1
        cells = [plain(cell.strip()) for cell in record[:_MOST_CELLS]]
        if number > _MOST_LINES or (any(cells) and (found := found + 1) > MOST_ROWS):
            raise Invalid("rows_too_many", f"A file has at most {MOST_ROWS} rows; send the rest in another.")
        own = [cells[place] if place < len(cells) else "" for place in kept]
        blank = not any(own) and not any(cells[width:])
        yield Row(number, [] if blank else own + [cell for cell in cells[width:] if cell])


def _next(records: Iterator[list[str]], number: int) -> list[str] | None:
    try:
        return next(records, None)
    except csv.Error as fault:
        detail = f"Row {number}: its quotation marks don't pair up. A cell with quotation marks doubles each of them."
        raise Malformed("quotes_wrong", detail) from fault


class _Lines:
    """The file's lines, decoded on the way. `length` is what was read since the last row was taken."""

    def __init__(self, content: bytes) -> None:
        if content.startswith(_OTHERS):
            detail = (
                'This is no text: a spreadsheet, an archive or the like. Save the sheet as "CSV UTF-8" and send that.'
            )
            raise Malformed("file_not_text", detail)
        self._encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        self._text = io.TextIOWrapper(io.BytesIO(content), encoding=self._encoding, errors="strict", newline="")
        self._first: str | None = None
        self.length = 0

    def first(self) -> str:
        """The header's line, which stays to be read."""
        self._first = self._line()
        if not self._first.strip():
            raise Invalid("file_empty", f"The first row has to name the columns: {', '.join(COLUMNS)}.")
        return self._first

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line, self._first = self._line() if self._first is None else self._first, None
        if not line:
            raise StopIteration
        self.length += len(line)
        if self.length > _LONGEST_ROW:
            detail = f"A row is longer than {_LONGEST_ROW} characters; is there a quotation mark that nothing closes?"
            raise Invalid("row_too_long", detail)
        return line

    def _line(self) -> str:
        try:
            line = self._text.readline(_LONGEST_ROW + 1)
        except UnicodeError as fault:
            name = "UTF-16" if self._encoding == "utf-16" else "UTF-8"
            detail = f'The file is not in {name}. Save the sheet as "CSV UTF-8" and send that.'
            raise Malformed("encoding_wrong", detail) from fault
        if "\0" in line:
            raise Malformed(
                "file_not_text", 'The file has NUL bytes in it. Save the sheet as "CSV UTF-8" and send that.'
            )
        return line
