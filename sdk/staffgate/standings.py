"""What an announcement carries of the people whom it is about: enough to go on without asking."""

from __future__ import annotations

import msgspec

from staffgate.client.parts import PersonFacts
from staffgate.mirror import Resolve, Standing

_carried = msgspec.json.Decoder(PersonFacts)


def carried(standing: msgspec.Raw, resolve: Resolve) -> Standing | None:
    """None where it can't be read: whoever is asked about then is loaded, as if nothing had been carried."""
    try:
        return standing_of(_carried.decode(standing), resolve)
    except msgspec.DecodeError:
        return None


def standing_of(found: PersonFacts, resolve: Resolve) -> Standing:
    until = None if found.until is None else found.until.timestamp()
    snapshot = resolve(found.facts)
    # The snapshot's own text of the team, which is shared: another copy costs each person 85 bytes.
    return Standing(found.org, snapshot, snapshot.team, until)
