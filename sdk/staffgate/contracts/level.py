"""The three ladders on which a permission is given (permission model, sections 1 to 3)."""

from enum import StrEnum


class Level(StrEnum):
    """Deny = {} · Read = {view} · Use = {view, create, edit} · Full = {view, create, edit, delete}."""

    DENY = "deny"
    READ = "read"
    USE = "use"
    FULL = "full"


class DataAccess(StrEnum):
    """Whose rows a role reaches: own only · own team's · own team's and every team's below it · the organisation's."""

    RESTRICTED = "restricted"
    TEAM = "team"
    DEPARTMENT = "department"
    FULL = "full"


class AccessLevel(StrEnum):
    """What somebody has of one product in one contract: nothing · Read · Full with download and approve, the last two."""

    WITHOUT = "without"
    USER = "user"
    ADMINISTRATOR = "administrator"
    OWNER = "owner"
