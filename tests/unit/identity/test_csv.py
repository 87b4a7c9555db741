"""Cells and files as spreadsheets write and read them, and what is none."""

from __future__ import annotations

import csv
import io
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.identity.staff.imports import template
from services.identity.staff.imports.cells import neutral, plain, written
from services.identity.staff.imports.reading import MOST_ROWS, Row, read
from shared.errors import Invalid, Malformed, Refusal
from staffgate.contracts.identity import COLUMNS

HEADER = "type,name,email,username\n"


def rows(content: bytes) -> list[Row]:
    return [row for row in read(content).rows if row.cells]


def refusal(content: bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        rows(content)
    return caught.value


@pytest.mark.checklist("I03")
@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠"])
def test_a_cell_that_a_spreadsheet_would_run_is_written_as_text(first: str) -> None:
    line = written([[f"{first}1+1", f"'{first}x"]]).decode()
    cells = next(csv.reader(io.StringIO(line, newline="")))
    assert cells == [f"'{first}1+1", f"''{first}x"]


def test_other_cells_are_written_as_they_are() -> None:
    assert written([["Jane", "", "'", "O'Hara", "a=b", "''tis"]]) == b"Jane,,',O'Hara,a=b,''tis\r\n"


@given(st.text())
@example("'")
@example("''=1")
@pytest.mark.checklist("I03")
def test_what_was_written_is_read_as_it_was(cell: str) -> None:
    assert plain(neutral(cell)) == cell
    assert not neutral(cell).startswith(("=", "+", "-", "@", "\t", "\r", "\0"))


@given(st.lists(st.lists(st.text(st.characters(exclude_characters="\0", codec="utf-8")), min_size=2, max_size=2)))
@pytest.mark.checklist("I03", "I04")
def test_any_table_that_we_write_is_read_back_cell_by_cell(table: list[list[str]]) -> None:
    full = [["standard", name, email, "x"] for name, email in table]
    read_back = [row.cells for row in rows(HEADER.encode() + written(full))]
    assert read_back == [[plain(neutral(cell).strip()) for cell in row] for row in full]


def dialects() -> dict[str, bytes]:
    plainly = 'type,name,email,username\r\nstandard,"Laya\r\nof Sales",laya@acme.example,Läya\r\n'
    with_semicolons = plainly.replace(",", ";")
    return {
        "UTF-8": plainly.encode(),
        "UTF-8 with its mark": plainly.encode("utf-8-sig"),
        "UTF-16": plainly.encode("utf-16"),
        "UTF-16 big-endian": b"\xfe\xff" + plainly.encode("utf-16-be"),
        "semicolons": with_semicolons.encode(),
        "semicolons, UTF-16": with_semicolons.encode("utf-16"),
        "tabs": plainly.replace(",", "\t").encode(),
        "tabs, UTF-16": plainly.replace(",", "\t").encode("utf-16"),
        "without a last line end": plainly.rstrip().encode(),
        "a header in quotation marks": plainly.replace("type,name", '"Type","NAME"').encode(),
        "empty columns at the end": plainly.replace("username\r", "username,,\r").replace("Läya", "Läya,,").encode(),
        "a word more and blanks": plainly.replace("type,", " Type , ").replace(" , name", ",name").encode(),
    }


@pytest.mark.checklist("I04")
@pytest.mark.parametrize("dialect", [*dialects()])
def test_a_spreadsheets_dialect_makes_no_difference(dialect: str) -> None:
    assert rows(dialects()[dialect]) == [Row(2, ["standard", "Laya\r\nof Sales", "laya@acme.example", "Läya"])]


@pytest.mark.checklist("I04")
@pytest.mark.parametrize(
    ("content", "kind", "code"),
    [
        (b"", Invalid, "file_empty"),
        (b"\r\n", Invalid, "file_empty"),
        (b"PK\x03\x04" + b"x" * 100, Malformed, "file_not_text"),
        (b"\x1f\x8b" + b"x" * 100, Malformed, "file_not_text"),
        (b"\xd0\xcf\x11\xe0" + b"x" * 100, Malformed, "file_not_text"),
        (HEADER.encode() + b"standard,\0,x,y\n", Malformed, "file_not_text"),
        (HEADER.encode("utf-16-le"), Malformed, "file_not_text"),
        (HEADER.encode("utf-32"), Malformed, "file_not_text"),
        (HEADER.encode() + "standard,Läya,x,y\n".encode("latin-1"), Malformed, "encoding_wrong"),
        (HEADER.encode("utf-16")[:-1], Malformed, "encoding_wrong"),
        (HEADER.encode() + b'standard,"Laya,x,y\n', Malformed, "quotes_wrong"),
        (HEADER.encode() + b'standard,"La"ya,x,y\n', Malformed, "quotes_wrong"),
        (HEADER.encode() + b'standard,"' + b"x\n" * 40_000, Invalid, "row_too_long"),
        (HEADER.encode() + b"," * 40_000, Invalid, "row_too_long"),
        (b"x" * 40_000, Invalid, "row_too_long"),
        (b"Luke,luke@acme.example\n", Invalid, "header_missing"),
        (b"type,name\n", Invalid, "column_missing"),
        (b"type,name,email,NAME\n", Invalid, "column_twice"),
        (b"type,name,,email\n", Invalid, "column_unknown"),
        (HEADER.encode() + b"standard,x,y,z\n" * (MOST_ROWS + 1), Invalid, "rows_too_many"),
        (HEADER.encode() + b"\n" * 60_000, Invalid, "rows_too_many"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_is_none_is_refused_as_a_whole(content: bytes, kind: type[Refusal], code: str) -> None:
    found = refusal(content)
    assert (type(found), found.code) == (kind, code)
    assert "\0" not in found.detail


@pytest.mark.checklist("I05")
@pytest.mark.parametrize(
    "column",
    ["password", "password_hash", "org", "organisation", "id", "status", "email_confirmed_at", "verified", "totp"],
)
def test_a_column_that_nobody_may_set_is_refused_as_a_whole(column: str) -> None:
    assert refusal(f"type,name,email,{column}\nstandard,Luke,luke@acme.example,x\n".encode()).code == "column_unknown"


def test_rows_are_counted_as_a_spreadsheet_counts_them() -> None:
    content = HEADER + 'standard,"Laya\nof Sales",l@acme.example,L1\n\n,,,\nstandard,Han,h@acme.example,H1\n'
    assert [row.number for row in rows(content.encode())] == [2, 5]


def test_what_is_too_much_in_a_row_is_kept_to_be_told() -> None:
    (row,) = rows(HEADER.encode() + b"standard,Luke,l@acme.example,L1,more\n")
    assert row.cells == ["standard", "Luke", "l@acme.example", "L1", "more"]


def test_the_columns_of_error_detail_are_passed_over_wherever_they_stand() -> None:
    sheet = read(b"row,column,code,text,type,name,email\n7,email,email_invalid,Mend it,standard,Luke,l@acme.example\n")
    assert sheet.columns == ["type", "name", "email"]
    assert [row.cells for row in sheet.rows] == [["standard", "Luke", "l@acme.example"]]


@pytest.mark.checklist("I06")
def test_the_example_of_the_template_is_known_again() -> None:
    sheet = read(written(template.rows()))
    assert sheet.columns == [*COLUMNS]
    (row,) = sheet.rows
    assert template.is_example(sheet.columns, row.cells)
    assert not template.is_example(sheet.columns, [*row.cells[:1], "Jane", *row.cells[2:]])


bits: Any = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(lambda text: text.encode(errors="surrogatepass")),
    st.lists(st.sampled_from(["type", "name", "email", ",", ";", "\t", '"', "\n", "\r", "'", "=", "é", "\0", "x"])).map(
        lambda parts: ("type,name,email\n" + "".join(parts)).encode()
    ),
    st.text(max_size=60).map(lambda text: ("type,name,email\n" + text).encode("utf-16", errors="surrogatepass")),
)


@given(bits)
@pytest.mark.checklist("I04")
def test_whatever_comes_is_read_or_refused(content: bytes) -> None:
    try:
        found = rows(content)
    except (Invalid, Malformed) as refused:
        assert len(refused.detail) > 10  # noqa: PT017
    else:
        for row in found:
            "".join(row.cells).encode()


@pytest.mark.checklist("I04")
def test_a_file_is_never_held_as_text() -> None:
    line = b"standard,Luke of the Sales Team in the North,luke@acme.example," + b"L" * 400 + b"\n"
    content = HEADER.encode() + line * 9000
    tracemalloc.start()
    count = sum(1 for _ in read(content).rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (count, peak < 500_000) == (9000, True), peak


@pytest.mark.checklist("I04")
def test_no_row_however_it_is_made_takes_long() -> None:
    """The loop is never held: the longest step over five megabytes of the worst."""
    for line in (
        b"standard,Luke,luke@acme.example,Luke\n",
        b'"' + b"x\n" * 15_000 + b'",a,b,c\n',
        b"\n",
        b"," * 30_000 + b"\n",
    ):
        steps, before = [], time.thread_time()
        try:
            for _ in read(HEADER.encode() + line * ((5 << 20) // len(line))).rows:
                steps.append(time.thread_time() - before)
                before = time.thread_time()
        except Invalid as refused:
            assert refused.code == "rows_too_many"  # noqa: PT017
        assert max(steps) < 0.02
