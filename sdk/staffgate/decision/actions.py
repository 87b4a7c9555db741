"""The six base actions as bits of a mask, and the levels as sets of them (permission model, section 1)."""

from __future__ import annotations

from staffgate.contracts.level import AccessLevel, Level

# Plain integers: an IntFlag makes a new object for every `&`, and `decide` would do nothing else.
Mask = int

VIEW: Mask = 1
CREATE: Mask = 2
EDIT: Mask = 4
DELETE: Mask = 8
DOWNLOAD: Mask = 16
APPROVE: Mask = 32

BASE_ACTIONS: dict[str, Mask] = {
    "view": VIEW,
    "create": CREATE,
    "edit": EDIT,
    "delete": DELETE,
    "download": DOWNLOAD,
    "approve": APPROVE,
}
NONE: Mask = 0
ALL: Mask = VIEW | CREATE | EDIT | DELETE | DOWNLOAD | APPROVE

LEVELS: dict[Level, Mask] = {
    Level.DENY: NONE,
    Level.READ: VIEW,
    Level.USE: VIEW | CREATE | EDIT,
    Level.FULL: VIEW | CREATE | EDIT | DELETE,
}

# Product access levels (section 2).
ACCESS_LEVELS: dict[AccessLevel, Mask] = {
    AccessLevel.WITHOUT: NONE,
    AccessLevel.USER: VIEW,
    AccessLevel.ADMINISTRATOR: ALL,
    AccessLevel.OWNER: ALL,
}


def names(mask: Mask) -> list[str]:
    """The base actions of a mask by name, in the order of section 1."""
    return [name for name, bit in BASE_ACTIONS.items() if mask & bit]


def within(mask: Mask, level: Level) -> bool:
    """Nobody hands out more than they have (section 6): does a giver with `mask` hold all of `level`?"""
    return LEVELS[level] & ~mask == 0


def level_of(mask: Mask) -> Level:
    """The highest level that a mask holds all of (section 1)."""
    return max((level for level in LEVELS if within(mask, level)), key=LEVELS.__getitem__)
