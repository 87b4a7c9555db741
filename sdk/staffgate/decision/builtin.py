"""The roles that every organisation has: the four of the data access levels, and the PBX scopes (sections 3 and 5).

The page fixes whose rows each of the four reaches. What it leaves open is what they may do there, and there they get
what their texts name and no more: a role that says nothing of a section leaves it to the person's other permissions.
"""

from __future__ import annotations

from collections.abc import Iterable

from staffgate.contracts.authz import BaseAction, Entry, Role, Target
from staffgate.contracts.level import DataAccess

_READ: tuple[BaseAction, ...] = ("view",)
_CHANGE: tuple[BaseAction, ...] = ("view", "edit")
_USE: tuple[BaseAction, ...] = ("view", "create", "edit")
_FULL: tuple[BaseAction, ...] = ("view", "create", "edit", "delete")
_ALL: tuple[BaseAction, ...] = ("view", "create", "edit", "delete", "download", "approve")


def _on(actions: tuple[BaseAction, ...], *sections: str) -> tuple[Entry, ...]:
    return tuple(Entry(target=Target(section=section), actions=actions) for section in sections)


def _everything(actions: tuple[BaseAction, ...]) -> tuple[Entry, ...]:
    return (Entry(target=Target(), actions=actions),)


ADMIN = Role(id="admin", name="Admin", data_access=DataAccess.FULL, entries=_everything(_ALL))

MANAGER = Role(
    id="manager",
    name="Manager",
    data_access=DataAccess.DEPARTMENT,
    entries=(
        *_on(_ALL, "sms", "contacts", "campaigns"),
        *_on(("view", "download"), "reporting"),
        *_on(_USE, "channels"),
        *_on(_CHANGE, "core.staff", "core.teams"),
        *_on(_READ, "portal", "core.permissions", "core.roles"),
    ),
)

LEADER = Role(
    id="leader",
    name="Leader",
    data_access=DataAccess.TEAM,
    entries=(
        *_on(_FULL, "sms", "contacts"),
        *_on(("view", "download"), "reporting"),
        *_on(_USE, "channels", "campaigns"),
        *_on(_READ, "portal", "core.staff", "core.teams"),
    ),
)

AGENT = Role(
    id="agent",
    name="Agent",
    data_access=DataAccess.RESTRICTED,
    entries=(
        *_on(_USE, "sms", "contacts", "channels"),
        *_on(_READ, "portal", "campaigns", "reporting", "core.staff"),
    ),
)

BASIC_USER = Role(
    id="pbx.basic-user",
    name="Basic User",
    data_access=DataAccess.RESTRICTED,
    entries=(
        *_on(_CHANGE, "pbx.extensions", "pbx.own-settings", "pbx.attendant-console"),
        *_on(_READ, "portal", "pbx.call-history", "pbx.apps"),
        *_on(("view", "create"), "pbx.web-phone"),
    ),
)

OFFICE_MANAGER = Role(
    id="pbx.office-manager",
    name="Office Manager",
    data_access=DataAccess.FULL,
    entries=(
        *_on(_FULL, "pbx.settings", "pbx.attendants", "pbx.queues", "pbx.time-frames"),
        *_on(_CHANGE, "pbx.users"),
    ),
    builds_on=BASIC_USER,
)

CALL_CENTER_AGENT = Role(
    id="pbx.call-center-agent",
    name="Call Center Agent",
    data_access=DataAccess.RESTRICTED,
    entries=(
        *_on(_CHANGE, "pbx.agent"),
        *_on(_READ, "pbx.queues"),
        Entry(target=Target(section="pbx.queues", feature="queue.join"), actions=_CHANGE),
    ),
    builds_on=BASIC_USER,
)

CALL_CENTER_SUPERVISOR = Role(
    id="pbx.call-center-supervisor",
    name="Call Center Supervisor",
    data_access=DataAccess.FULL,
    entries=(
        *_on(_READ, "pbx.supervisor"),
        *_on(("view", "download"), "pbx.reports"),
        *_on(_CHANGE, "pbx.queues", "pbx.time-frames"),
    ),
    builds_on=BASIC_USER,
)

# A denial of everything, and not only the lack of an allowance: otherwise the account's default level would answer.
NO_PORTAL = Role(id="pbx.no-portal", name="No Portal", data_access=DataAccess.RESTRICTED, entries=_everything(()))

PBX_SCOPES = (BASIC_USER, OFFICE_MANAGER, CALL_CENTER_AGENT, CALL_CENTER_SUPERVISOR, NO_PORTAL)
PBX = "pbx."  # what the ids of the PBX scopes begin with; a person has one at most


def _by_id(roles: Iterable[Role]) -> dict[str, Role]:
    return {role.id: role for role in roles}


BUILT_IN: dict[str, Role] = _by_id((ADMIN, MANAGER, LEADER, AGENT, *PBX_SCOPES))
