"""What authz does when it hears of something: facts of identity's, and hints of its own replicas."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from services.authz import subjects
from services.authz.arrivals import Arrivals
from services.authz.snapshots import Snapshots
from shared.bus.consumer import Handler
from shared.bus.envelope import Undecodable, decode, open_envelope
from shared.bus.port import Message
from staffgate.contracts.authz import PermissionsChanged
from staffgate.contracts.event import Event
from staffgate.contracts.identity import (
    OrganisationNamed,
    OrganisationRegistered,
    StaffActivated,
    StaffAdded,
    StaffReactivated,
    StaffSuspended,
)

HANDLERS: Mapping[type[Event], Handler] = {
    OrganisationRegistered: subjects.note_organisation,
    OrganisationNamed: subjects.note_organisation,
    StaffAdded: subjects.note_person,
    StaffActivated: subjects.note_person,
    StaffSuspended: subjects.note_person,
    StaffReactivated: subjects.note_person,
}

log = structlog.get_logger()


class Announcements:
    """Hints: each replica hears of every change, and forgets what it knew of those whom it concerns."""

    def __init__(self, snapshots: Snapshots, arrivals: Arrivals) -> None:
        self._snapshots = snapshots
        self._arrivals = arrivals

    def heard(self, message: Message) -> None:
        try:
            event = decode(open_envelope(message.body))
        except Undecodable as fault:
            log.error("snapshots.announcement_unreadable", error=str(fault))
            self._snapshots.forget_everything()
            return
        if isinstance(event, PermissionsChanged):
            self._snapshots.announced(event.org, event.previous, event.revision, event.people)
            self._arrivals.note([event.org, *(event.people or ())])

    def lost(self) -> None:
        self._snapshots.deaf()

    def restored(self) -> None:
        self._snapshots.hearing()
