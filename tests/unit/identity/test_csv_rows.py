"""Whatever stands in a row, it is somebody or it is told what is wrong, by the rules for adding one person."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity.staff.imports.checking import Checked, check
from services.identity.store.staff import NewStaff
from shared.ids import RandomIds
from staffgate.contracts.caller import Person, StaffType
from staffgate.contracts.identity import COLUMNS, AddStaff

RAY = Person(staff=UUID(int=1), org=UUID(int=2), type=StaffType.OWNER, session=UUID(int=3))
GOOD = {"type": "standard", "name": "Luke", "email": "luke@acme.example", "username": "Luke"}


def checked(**cells: str) -> Checked:
    row = GOOD | cells
    return check(RandomIds(), RAY, [*COLUMNS], [row.get(column, "") for column in COLUMNS])


def person(**cells: str) -> NewStaff:
    found = checked(**cells).person
    assert found is not None
    return found


def test_what_is_left_empty_is_as_when_one_person_is_added() -> None:
    plain = msgspec.convert(GOOD, AddStaff)
    made = person()
    for field in ("default_level", "route_anywhere", "portal", "extension", "mobile", "locale"):
        assert getattr(made, field) == getattr(plain, field), field
    assert person(username="", extension="102").username == "102"


@pytest.mark.parametrize(("word", "means"), [("Yes", True), ("TRUE", True), ("1", True), ("no", False), ("0", False)])
def test_a_switch_is_read_in_any_way_that_a_spreadsheet_writes_it(word: str, means: bool) -> None:
    assert (person(portal=word).portal, person(route_anywhere=word).route_anywhere) == (means, means)


def test_each_cell_that_is_wrong_is_told_at_once() -> None:
    found = checked(type="", email="nowhere", extension="x", portal="maybe").faults
    assert [fault.column for fault in found] == ["type", "email", "extension", "portal"]


@pytest.mark.checklist("I05")
@pytest.mark.parametrize("word", ["owner", "Owner", "OWNER"])
def test_nobody_is_added_as_the_owner(word: str) -> None:
    assert [fault.code for fault in checked(type=word).faults] == ["owner_refused"]


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
cells: Any = st.lists(
    st.one_of(texts, st.sampled_from(["standard", "luke@acme.example", "+61491570006", "102"])), max_size=14
)


@given(cells)
@pytest.mark.checklist("I04")
def test_any_row_is_somebody_or_is_told_what_is_wrong(row: list[str]) -> None:
    found = check(RandomIds(), RAY, [*COLUMNS], row)
    assert (found.person is None) == bool(found.faults)
    msgspec.json.encode(found)
