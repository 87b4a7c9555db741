"""Sound requests: what may be sent."""

from __future__ import annotations

from tests.service.notify.sound.world import Ground

# Jane may do nothing: these answer her 403, and what is about one person 404.
FORBIDDEN = frozenset[str]()
HIDDEN = frozenset[str]()


class Sending(Ground):
    pass
