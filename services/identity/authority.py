"""Who stands above whom: the owner, then administrators, then everybody else (permission model, section 1)."""

from __future__ import annotations

from shared.errors import Forbidden
from staffgate.contracts.caller import Person, StaffType

_RANK = {StaffType.STANDARD: 0, StaffType.ADMINISTRATOR: 1, StaffType.OWNER: 2}


def require_not_above(caller: Person, type: StaffType) -> None:
    """A type is above all levels: permission to edit staff accounts reaches no administrator's, and an administrator's
    never the owner's."""
    if _RANK[type] <= _RANK[caller.type]:
        return
    if type is StaffType.OWNER:
        raise Forbidden("owner_only", "This is for the organisation's owner.")
    raise Forbidden("administrators_only", "This is for the organisation's owner and administrators.")


def require_administrator(caller: Person) -> None:
    require_not_above(caller, StaffType.ADMINISTRATOR)
