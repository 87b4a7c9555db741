"""Holding up whoever fails too often, at every replica alike: 1, 2, 4 ... seconds after a few free tries.

Counted are the account as it was typed, existing or not, so that the answer tells nothing; the network that it came
from; and the organisation, in wider budgets. What is kept is an HMAC of each. A known device is counted by itself
alone: no stranger's guesses hold up its person.
"""

from __future__ import annotations

import hmac
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.identity import names, networks
from services.identity.store import throttle as store
from services.identity.store.staff import StaffRow
from services.identity.store.throttle import FailureRow
from shared import trace
from shared.db import Tx
from shared.errors import TooMany


@dataclass(frozen=True)
class Budget:
    """`free` failures cost nothing, and `forgets` of them are forgotten an hour; `longest` seconds is the longest wait."""

    name: str
    free: int
    forgets: float
    longest: int


ACCOUNT = Budget("account", free=5, forgets=0.2, longest=900)
DEVICE = Budget("device", free=5, forgets=0.2, longest=900)
NETWORK = Budget("network", free=50, forgets=50, longest=900)
# Whoever floods a whole organisation holds its people up for a minute at most; those on known devices not at all.
ORGANISATION = Budget("organisation", free=500, forgets=1000, longest=60)


@dataclass(frozen=True)
class Counted:
    """One thing that failures are counted at."""

    key: bytes
    budget: Budget


class Throttle:
    def __init__(self, key: bytes) -> None:
        self._key = key
        self._trying: Counter[bytes] = Counter()

    def at(self, budget: Budget, *words: str) -> Counted:
        """Anything that failures can be counted at."""
        said = "\0".join([budget.name, *words])
        return Counted(hmac.digest(self._key, said.encode(errors="replace"), "sha256"), budget)

    def account(self, organisation: UUID | str, username_key: str) -> Counted:
        """An organisation that exists by its id: it has two names, and they are no two budgets."""
        return self.at(ACCOUNT, str(organisation), username_key)

    def network(self, ip: str) -> Counted:
        return self.at(NETWORK, networks.prefix(ip))

    def everything(self, organisation: UUID | str, username_key: str) -> list[Counted]:
        """What somebody on a device that is not known is counted at; the account is the first."""
        whole = self.at(ORGANISATION, str(organisation))
        return [self.account(organisation, username_key), self.network(trace.source().ip), whole]

    async def look(self, tx: Tx, counted: Sequence[Counted]) -> list[FailureRow]:
        """How it stands with each that has failures."""
        return await store.failures(tx, [one.key for one in counted])

    @contextmanager
    def trying(self, counted: Sequence[Counted]) -> Iterator[Mapping[bytes, int]]:
        """How many tries are being judged at this moment; this one is from now on. Ask before looking: whoever is not
        judged any more by then has been counted."""
        keys = [one.key for one in counted]
        ahead = {key: self._trying[key] for key in keys}
        self._trying.update(keys)
        try:
            yield ahead
        finally:
            self._trying.subtract(keys)
            for key in keys:
                if not self._trying[key]:
                    del self._trying[key]

    def require_patience(
        self, counted: Sequence[Counted], rows: Sequence[FailureRow], ahead: Mapping[bytes, int], now: datetime
    ) -> None:
        """Raise TooMany where it is too early. Tries that are not judged yet count as failed: many at once are worth no
        more than one after the other."""
        found = {row.key: row for row in rows}
        wait = max(_wait(one.budget, found.get(one.key), ahead[one.key], now) for one in counted)
        if wait > 0:
            raise TooMany("too_many_tries", "There were too many tries; wait before the next one.", retry_after=wait)

    async def fail(self, tx: Tx, counted: Sequence[Counted], *, in_a_row: bool = True) -> int:
        """Count one; how many there have been in a row at the first of them."""
        now, keys = tx.database.clock.now(), [one.key for one in counted]
        rows = await store.count_failure(tx, keys, [one.budget.forgets for one in counted], now, int(in_a_row))
        return next(row.failures for row in rows if row.key == keys[0])

    async def forget(self, tx: Tx, counted: Sequence[Counted]) -> None:
        await store.forget(tx, [one.key for one in counted])

    async def forgive(self, tx: Tx, person: StaffRow) -> None:
        """The account's back-off is over: somebody has shown by other means that it is theirs. The caller holds the
        person's row, if any: it comes before these."""
        await self.forget(tx, [self.account(person.org, names.key(person.username))])

    async def begin_anew(self, tx: Tx, person: StaffRow) -> None:
        await store.begin_anew(tx, self.account(person.org, names.key(person.username)).key)


def _wait(budget: Budget, row: FailureRow | None, ahead: int, now: datetime) -> int:
    """Seconds, 0 for none."""
    past = 0.0 if row is None else (now - row.failed_at).total_seconds()
    level = 0.0 if row is None else row.level
    wait = math.ceil(_pause(budget, level) - past)
    if ahead and _pause(budget, max(0.0, level - budget.forgets * past / 3600) + ahead):
        wait = max(wait, 1)
    return max(wait, 0)


def _pause(budget: Budget, level: float) -> int:
    """After so many failures."""
    over = round(level) - budget.free
    if over < 0:
        return 0
    return budget.longest if over > 20 else min(budget.longest, 2**over)
