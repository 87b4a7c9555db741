"""The file to begin with: the columns, and one person as an example, who is never added."""

from __future__ import annotations

from staffgate.contracts.identity import COLUMNS

NAME = "staff-template.csv"
EXAMPLE = {
    "type": "standard",
    "name": "Jane (an example: delete this row)",
    "email": "jane@acme.example",
    "username": "Jane",
    "extension": "101",
    "mobile": "+61 491 570 006",
    "locale": "en",
    "default_level": "deny",
    "route_anywhere": "no",
    "portal": "yes",
    "role": "Agent",
    "team": "",
}


def rows() -> list[list[str]]:
    return [[*COLUMNS], [EXAMPLE[column] for column in COLUMNS]]


def is_example(columns: list[str], cells: list[str]) -> bool:
    """Left as it was. Once anything in it is changed, it is a person."""
    return len(cells) == len(columns) and dict(zip(columns, cells, strict=True)) == {
        column: EXAMPLE[column] for column in columns
    }
