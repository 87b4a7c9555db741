"""What can be wrong with a row: a code for programs, the column that it is in, and what to do about it."""

from __future__ import annotations

import msgspec

from staffgate.contracts.authz import PlacementRefusal


class Fault(msgspec.Struct, frozen=True):
    column: str
    code: str
    text: str


_MISSING = {
    "type": 'Write "standard" or "administrator".',
    "name": "Give the person's name.",
    "email": "Give an e-mail address: the activation link goes there.",
}
_INVALID = {
    "type": 'There are the types "standard" and "administrator".',
    "name": "A name has 1 to 120 characters, none of them a control character or < or >.",
    "email": "This is no e-mail address that mail can be sent to.",
    "username": "A username has 2 to 64 letters, digits, dots, hyphens and underscores, a letter or digit first.",
    "extension": "An extension has 1 to 16 digits, * or #.",
    "mobile": "Give the mobile number in international form, for example +61 491 570 006.",
    "locale": "Give the language as a tag, for example de, de-AT or zh-Hant.",
    "default_level": 'There are the levels "deny", "read", "use" and "full".',
    "route_anywhere": 'Write "yes" or "no".',
    "portal": 'Write "yes" or "no".',
}
_PLACED: dict[PlacementRefusal, str] = {
    "unknown": "Your organisation has no {column} of this name; make it first, or correct the name.",
    "ambiguous": "More than one {column} has this name; leave the cell empty, and place the person afterwards.",
    "not_yours_to_give": "You can't place anybody there: it has more than you have yourself.",
}
# Whose cell a refusal of the rules for adding one person is about.
_COLUMN_OF = {
    "administrators_only": "type",
    "more_than_own": "default_level",
    "username_missing": "username",
    "mobile_invalid": "mobile",
}

OWNER = Fault("type", "owner_refused", "An organisation has one owner, who hands it over; nobody is added as one.")
NAME_TAKEN = Fault("username", "username_taken", "Somebody in your organisation has, or had, this username.")
EXTENSION_TAKEN = Fault("extension", "extension_taken", "Somebody in your organisation has this extension.")
TOO_MANY = Fault("", "cells_too_many", "This row has more cells than the header; is a separator in one, unquoted?")


def missing(column: str) -> Fault:
    return Fault(column, f"{column}_missing", _MISSING[column])


def invalid(column: str) -> Fault:
    return Fault(column, f"{column}_invalid", _INVALID[column])


def too_long(column: str, most: int) -> Fault:
    return Fault(column, f"{column}_too_long", f"At most {most} characters.")


def twice(column: str, row: int) -> Fault:
    return Fault(column, f"{column}_twice", f"Row {row} of this file has the same {column}.")


def refused(code: str, detail: str) -> Fault:
    return Fault(_COLUMN_OF.get(code, ""), code, detail)


def unplaced(column: str, why: PlacementRefusal) -> Fault:
    return Fault(column, f"{column}_{why}", _PLACED[why].format(column=column))
