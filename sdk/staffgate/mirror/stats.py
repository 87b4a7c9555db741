"""What a mirror tells of itself."""

from __future__ import annotations

import msgspec


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """The first block only ever grows. `revision_lag` is how many revisions heartbeats have listed that were not announced
    yet, in the organisation where it is most; without `believed`, memory is not used."""

    hits: int
    misses: int
    bypassed: int
    loads: int
    invalidated: int
    evictions: int
    gaps: int

    size: int
    people: int
    answers: int
    loading: int
    heartbeat_age: float | None
    revision_lag: int
    believed: bool
