"""Real people enter the codes that they are sent, and SMS pumping never does.

Who pumps gets a share of what an SMS costs, and has codes sent to numbers that nobody reads: thousands of them, often side
by side. So it is looked at how many codes were used: of a number prefix, of an organisation, of where they are asked for.
A number that has used a code before is held up by none of it: in a prefix under attack those who get codes every day go
on getting them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

import msgspec
import structlog

from services.notify.limit.keys import Keys
from services.notify.limit.numbers import Number
from services.notify.limit.settings import DAY, HOUR, Conversion
from services.notify.store import conversions as store
from services.notify.store import usage
from services.notify.store.conversions import Record, SentCode
from shared.bus.envelope import Envelope
from shared.db import Tx
from staffgate.contracts.identity import CodeUsed

_OLD = timedelta(minutes=5)  # a code is good for five minutes: who has not used it by then never will
_MOMENT = timedelta(minutes=1)

log = structlog.get_logger()


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A code that is about to be sent, and what is learnt from whether it is used."""

    delivery: UUID
    org: UUID
    number: bytes
    prefix: bytes
    source: bytes | None
    proven: bool

    @property
    def watched(self) -> Mapping[str, bytes]:
        """What may be blocked, by kind."""
        found = {"prefix": self.prefix, "organisation": self.org.bytes}
        return found | {"source": self.source} if self.source else found


class Guard:
    def __init__(self, settings: Conversion, keys: Keys) -> None:
        self._settings = settings
        self._keys = keys

    async def trial(self, tx: Tx, delivery: UUID, org: UUID, to: Number, source: str) -> Trial:
        number = self._keys.of("number", to.e164)
        since = tx.database.clock.now() - timedelta(days=self._settings.proven_days)
        return Trial(
            delivery=delivery,
            org=org,
            number=number,
            prefix=self._keys.of("prefix", to.prefix),
            source=self._keys.of("source", source) if source else None,
            proven=await store.is_proven(tx, number, since),
        )

    async def blocks(self, tx: Tx, trial: Trial) -> bool:
        """Whether that is known already: what pumps is turned away before it keeps anybody waiting."""
        return not trial.proven and await usage.is_blocked(tx, [*trial.watched.values()], tx.database.clock.now())

    async def refuses(self, tx: Tx, trial: Trial) -> bool:
        """Whoever asks holds the suite: two at once would each be the last that is let through."""
        now = tx.database.clock.now()
        if trial.proven:
            return False
        records = await store.records_anywhere(
            tx, trial.prefix, trial.org, trial.source, now - _OLD, now - HOUR, now - DAY
        )
        for record in records:
            if (pause := self.pause(record)) and record.kind in trial.watched:
                await self._block(tx, trial, record.kind, now, pause)
                return True
        return False

    def pause(self, record: Record) -> timedelta | None:
        """For how long nothing more is sent there. If only codes that somebody may still be typing in make it look bad, a
        moment: enough of them used, and it goes on."""
        an_hour, a_day = self._least(record.kind)
        judged, day_judged = record.used + record.old, record.day_used + record.day_old
        if self._bad(judged, record.used, an_hour) or self._bad(day_judged, record.day_used, a_day):
            return timedelta(minutes=self._settings.blocked_minutes)
        # As many as it takes to be judged may be on their way unused: a shift begins, and all of it logs in.
        pressing = judged + max(0, record.waiting - an_hour)
        if self._bad(pressing, record.used, an_hour) or self._bad(record.day_sent, record.day_used, a_day):
            return _MOMENT
        return None

    async def note_sent(self, tx: Tx, trial: Trial) -> None:
        code = SentCode(**msgspec.structs.asdict(trial))
        await store.note_sent(tx, code, tx.database.clock.now())

    def _least(self, kind: str) -> tuple[int, int]:
        one = self._settings
        if kind == "prefix":
            return one.prefix_per_hour, one.prefix_per_day
        return one.others_per_hour, one.others_per_day

    def _bad(self, sent: int, used: int, least: int) -> bool:
        return sent >= least and used * 100 < self._settings.used_percent * sent

    async def _block(self, tx: Tx, trial: Trial, kind: str, now: datetime, pause: timedelta) -> None:
        if await usage.block(tx, trial.watched[kind], kind, now, now + pause):
            log.warning("limit.pumping", kind=kind, org=str(trial.org), minutes=round(pause.total_seconds() / 60))


async def note_used(tx: Tx, event: CodeUsed, envelope: Envelope) -> None:
    """The number is somebody's. E-mail costs nobody anything that another could earn."""
    if event.channel != "sms":
        return
    now = tx.database.clock.now()
    if number := await store.note_used(tx, event.org, event.code, now):
        await store.prove(tx, number, now)
