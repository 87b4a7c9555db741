"""What identity does when it hears of something."""

from __future__ import annotations

from collections.abc import Mapping

from services.identity.staff import placements
from shared.bus.consumer import Handler
from staffgate.contracts.authz import PlacementsChanged
from staffgate.contracts.event import Event

HANDLERS: Mapping[type[Event], Handler] = {PlacementsChanged: placements.note_placements}
