"""Who may do what concerns a whole organisation."""

from __future__ import annotations

from shared.errors import Forbidden
from staffgate.contracts.caller import Person


def require_administrator(caller: Person) -> None:
    if not caller.administers:
        raise Forbidden("administrators_only", "This is for the organisation's owner and administrators.")
