"""What somebody proved when they logged in (RFC 8176), and how much that is worth (SP 800-63B-4).

E-mail is no out-of-band factor (section 3.1.3.1): it never reaches aal2, though it is offered where the organisation
allows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from staffgate.access import ENROL
from staffgate.contracts.identity import FactorKind

_ORDER = ["", ENROL, "aal1", "aal1+", "aal2"]
_AMR = {
    FactorKind.PASSKEY: ["hwk"],
    FactorKind.TOTP: ["otp"],
    FactorKind.RECOVERY: ["kba"],
    FactorKind.SMS: ["sms"],
    FactorKind.EMAIL: ["email"],
}
_ACR = {
    FactorKind.PASSKEY: "aal2",
    FactorKind.TOTP: "aal2",
    FactorKind.RECOVERY: "aal2",
    FactorKind.SMS: "aal2",
    FactorKind.EMAIL: "aal1+",
}
# A recovery code stands in for a lost strong factor, and is as hard to guess.
_STRENGTH = {
    FactorKind.PASSKEY: 3,
    FactorKind.TOTP: 3,
    FactorKind.RECOVERY: 3,
    FactorKind.SMS: 2,
    FactorKind.EMAIL: 1,
}


@dataclass(frozen=True)
class Evidence:
    """`amr` and `acr` as the access token carries them."""

    amr: list[str]
    acr: str

    @property
    def enrolling(self) -> bool:
        return self.acr == ENROL

    def on_top_of(self, amr: Sequence[str], acr: str) -> Evidence:
        """With what the session had already."""
        return Evidence([*amr, *(one for one in self.amr if one not in amr)], max(acr, self.acr, key=_ORDER.index))


def of(factor: FactorKind | None, *, password: bool = True) -> Evidence:
    """A factor, behind the password unless it stands by itself (a passkey that verified its user)."""
    first = ["pwd"] if password else []
    if factor is None:
        return Evidence(first, "aal1")
    return Evidence([*first, *_AMR[factor], *([] if password else ["user"])], _ACR[factor])


def shown(amr: Sequence[str]) -> FactorKind | None:
    """The way back from `of`: which factor it was, if any."""
    return next((kind for kind, words in _AMR.items() if set(words) <= set(amr)), None)


def to_enrol(factor: FactorKind | None) -> Evidence:
    """Enough to enrol a factor, and for nothing else."""
    return Evidence(["pwd", *(_AMR[factor] if factor else [])], ENROL)


def as_strong(factor: FactorKind, amr: Sequence[str]) -> bool:
    """As strong as the best that `amr` speaks of: who has read a mailbox can't make a session fresh that an app opened."""
    best = max((_STRENGTH[kind] for kind, words in _AMR.items() if words[0] in amr), default=0)
    return _STRENGTH[factor] >= best
