"""One row, by the very rules for adding one person: somebody to be written, or what is wrong with each cell."""

from __future__ import annotations

from typing import Any

import msgspec

from services.identity.staff.accounts import drafted, require_no_more_than_own
from services.identity.staff.imports import faults
from services.identity.staff.imports.faults import Fault
from services.identity.store.staff import NewStaff
from services.identity.telephone import e164
from shared.errors import Refusal
from shared.ids import Ids
from staffgate.contracts.caller import Person
from staffgate.contracts.identity import AddStaff

_TYPES = {field.name: field.type for field in msgspec.structs.fields(AddStaff)}
_NEEDED = ("type", "name", "email")
_WORDS = ("type", "default_level")  # of a list, in whatever case
_SWITCHES = ("portal", "route_anywhere")
_YES_OR_NO = {"yes": True, "no": False, "true": True, "false": False, "1": True, "0": False}
_LONGEST = {"name": 120, "email": 254, "username": 64, "extension": 16, "mobile": 32, "locale": 12}
_PLACES = ("role", "team")


class Checked(msgspec.Struct, frozen=True):
    """`person` is there where nothing is wrong with the row by itself. Role and team are names yet."""

    person: NewStaff | None
    role: str
    team: str
    faults: list[Fault]


def check(ids: Ids, caller: Person, columns: list[str], cells: list[str]) -> Checked:
    texts = dict.fromkeys(columns, "") | dict(zip(columns, cells, strict=False))
    role, team = (texts.pop(place, "") for place in _PLACES)
    values: dict[str, Any] = {}
    found = [faults.TOO_MANY] if len(cells) > len(columns) else []
    for column, text in texts.items():
        value = _value(column, text)
        if isinstance(value, Fault):
            found.append(value)
        elif value is not None:
            values[column] = value
    person = None
    if not found:
        drawn = _drafted(ids, caller, values)
        person, found = (None, [drawn]) if isinstance(drawn, Fault) else (drawn, [])
    return Checked(person, role, team, found)


def _drafted(ids: Ids, caller: Person, values: dict[str, Any]) -> NewStaff | Fault:
    try:
        wanted = msgspec.convert(values, AddStaff)
        require_no_more_than_own(caller, wanted)
        return drafted(ids, wanted)
    except Refusal as refusal:
        return faults.refused(refusal.code, refusal.detail)


def _value(column: str, text: str) -> Any:
    """What the cell says, None where it says nothing, or what is wrong with it."""
    if not text:
        return faults.missing(column) if column in _NEEDED else None
    if column == "type" and text.casefold() == "owner":
        return faults.OWNER
    if len(text) > _LONGEST.get(column, len(text)):
        return faults.too_long(column, _LONGEST[column])
    value = _read(column, text)
    try:
        if column == "mobile":
            e164(text)
        return msgspec.convert(value, _TYPES[column])
    except (Refusal, msgspec.ValidationError):
        return faults.invalid(column)


def _read(column: str, text: str) -> object:
    if column in _SWITCHES:
        return _YES_OR_NO.get(text.casefold(), text)
    return text.casefold() if column in _WORDS else text
