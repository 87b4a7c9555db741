"""A result as a run leaves it."""

from __future__ import annotations

from benchmarks.results import Absent, Claim, Result, result
from benchmarks.rounds import Sample, Target, measure

CLAIMS = (
    Claim(what="ours against a peer", of="ours", to="peer", least=10, noise=0.2),
    Claim(what="ours remembered", of="ours, asked before", to="peer", noise=0.3),
)


def kept(
    ours: float = 1000, remembered: float = 5000, peer: float | None = 50, *, absent: tuple[Absent, ...] = ()
) -> Result:
    """With so many decisions a second each; without the peer where that is None."""
    rates = {"ours": ours, "ours, asked before": remembered} | ({} if peer is None else {"peer": peer})
    targets = [Target(name, lambda _, rate=rate: Sample(round(rate), 1, 1, 1.5, 9)) for name, rate in rates.items()]  # type: ignore[misc]
    table = measure(targets, 3, 0.1, "ours", noise=lambda: [], say=lambda _: None)
    return result("made", table, claims=CLAIMS, versions={"peer": "1.0"}, absent=absent)
