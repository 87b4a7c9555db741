"""What authz does when it hears of something: facts of identity's, and hints of its own replicas."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from services.authz import imports, subjects
from services.authz.arrivals import Arrivals
from services.authz.items import Items
from shared.bus.consumer import Handler
from shared.bus.envelope import Undecodable, decode, open_envelope
from shared.bus.port import Message
from staffgate.contracts.authz import Heartbeat, PermissionsChanged
from staffgate.contracts.event import Event
from staffgate.contracts.identity import (
    OrganisationClosed,
    OrganisationNamed,
    OrganisationRegistered,
    StaffActivated,
    StaffAdded,
    StaffChanged,
    StaffDeleted,
    StaffImported,
    StaffReactivated,
    StaffSuspended,
)
from staffgate.contracts.items import ItemRegistered, ItemRemoved
from staffgate.mirror import Mirror

HANDLERS: Mapping[type[Event], Handler] = {
    OrganisationRegistered: subjects.note_organisation,
    OrganisationNamed: subjects.note_organisation,
    OrganisationClosed: subjects.note_closed,
    StaffAdded: subjects.note_person,
    StaffImported: imports.note_imported,
    StaffActivated: subjects.note_person,
    StaffChanged: subjects.note_person,
    StaffSuspended: subjects.note_person,
    StaffReactivated: subjects.note_person,
    StaffDeleted: subjects.note_deleted,
}


def item_handlers(items: Items) -> Mapping[type[Event], Handler]:
    """What products tell of their items."""
    return {ItemRegistered: items.note_registered, ItemRemoved: items.note_removed}


log = structlog.get_logger()


class Announcements:
    """Hints: each replica hears of every change, and forgets what it knew of those whom it concerns."""

    types = (PermissionsChanged.type, Heartbeat.type)

    def __init__(self, mirror: Mirror, arrivals: Arrivals) -> None:
        self._mirror = mirror
        self._arrivals = arrivals

    def heard(self, message: Message) -> None:
        try:
            event = decode(open_envelope(message.body))
        except Undecodable as fault:
            log.error("mirror.announcement_unreadable", error=str(fault))
            self._mirror.forget()
            return
        if isinstance(event, PermissionsChanged):
            self._mirror.announced(event)
            self._arrivals.note([event.org, *(event.people or ())])
        elif isinstance(event, Heartbeat):
            self._mirror.beaten(event)

    def lost(self) -> None:
        self._mirror.deaf()

    def restored(self) -> None:
        self._mirror.hearing()
