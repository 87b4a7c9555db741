"""The four levels in which a permission is given (permission model, section 1)."""

from enum import StrEnum


class Level(StrEnum):
    """Deny = {} · Read = {view} · Use = {view, create, edit} · Full = {view, create, edit, delete}."""

    DENY = "deny"
    READ = "read"
    USE = "use"
    FULL = "full"
