"""Whether a message may be sent at all: asked right before it is sent, not when it was queued."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import msgspec
import structlog
from prometheus_client import Counter

from services.notify.channels.gsm7 import segments
from services.notify.channels.port import Outgoing
from services.notify.limit import numbers
from services.notify.limit.conversion import Guard
from services.notify.limit.keys import Keys
from services.notify.limit.numbers import Number
from services.notify.limit.policies import Policies
from services.notify.limit.rules import Rule, family, locks, rules, source_of
from services.notify.limit.settings import Limits
from services.notify.provider.routes import Routes
from services.notify.store import usage
from services.notify.store.deliveries import Claim
from services.notify.store.usage import Counted, Share, Windows
from services.notify.suppression.suppressions import Suppressions
from shared.db import Tx
from staffgate.contracts.notify import Reason

_LARGE, _PARTS = 5_000, 8

log = structlog.get_logger()
kept_back = Counter(
    "notify_kept_back_total", "Messages that a limit kept back, for now or for good", ["channel", "reason"]
)


class Admitted(msgspec.Struct, frozen=True):
    """It may go. `country` is where an SMS goes to, which says who can take it there."""

    country: str | None = None


class Held(msgspec.Struct, frozen=True):
    """Not now; look again then."""

    until: datetime
    answer: str


class Refused(msgspec.Struct, frozen=True):
    reason: Reason
    answer: str


Verdict = Admitted | Held | Refused


class Admission:
    def __init__(
        self, limits: Limits, keys: Keys, policies: Policies, routes: Routes, suppressions: Suppressions
    ) -> None:  # fmt: skip
        self._limits = limits
        self._keys = keys
        self._policies = policies
        self._routes = routes
        self._suppressions = suppressions
        self._guard = Guard(limits.conversion, keys)

    async def judge(self, tx: Tx, claim: Claim, message: Outgoing) -> Verdict:
        """Within the transaction that gives the message to a provider: what is counted is counted if that is committed.
        Once for each delivery, however often it is tried; a retry is only asked whether its address is still good."""
        verdict = await self._judge(tx, claim, message)
        if isinstance(verdict, Held):
            kept_back.labels(claim.channel, "held").inc()
        elif isinstance(verdict, Refused):
            kept_back.labels(claim.channel, verdict.reason).inc()
        return verdict

    async def note_unreachable(self, tx: Tx, claim: Claim) -> None:
        """Its provider says that there is nobody: the next message to that address is not even tried."""
        await self._suppressions.note_unreachable(tx, claim)

    async def _judge(self, tx: Tx, claim: Claim, message: Outgoing) -> Verdict:
        if await self._suppressions.holds(tx, claim, message.to):
            return Refused(Reason.SUPPRESSED, "nothing is sent to this address any more")
        to: Number | None = None
        if claim.channel == "sms":
            to = numbers.number(message.to)
            if refusal := await self._refused(tx, claim, to):
                return refusal
        country = to.country if to else None
        routes = self._routes.known(claim.channel, country)
        if claim.admitted or not routes:  # where nobody sends, nothing is used up
            return Admitted(country)
        parts = segments(message.text) if to else 1
        # Whoever takes it in the end: it costs no more than this.
        price = parts * max(route.price(country) for route in routes)
        return await self._count(tx, claim, message, to, price)

    async def _refused(self, tx: Tx, claim: Claim, to: Number | None) -> Refused | None:
        """What the number alone says."""
        if to is None:
            return Refused(Reason.REJECTED, "this is no telephone number")
        if to.kind:
            return Refused(Reason.NUMBER_KIND, f"no SMS is sent to numbers of this kind: {to.kind}")
        if to.country is None or not await self._policies.sends_to(tx, claim.org, to.country):
            return Refused(Reason.COUNTRY, f"the organisation sends no SMS there: {to.country or 'no country'}")
        return None

    async def _count(self, tx: Tx, claim: Claim, message: Outgoing, to: Number | None, price: int) -> Verdict:
        trial = await self._guard.trial(tx, claim.id, claim.org, to, source_of(claim, message)) if to else None
        if trial and await self._guard.blocks(tx, trial):
            return _PUMPING
        if to or price:
            await usage.hold_suite(tx)
        if trial and await self._guard.refuses(tx, trial):
            return _PUMPING
        under = rules(self._limits, self._keys, claim, message, to, proven=bool(trial and trial.proven))
        if not to:  # SMS are counted by nobody else meanwhile
            await usage.hold_keys(tx, locks(under))
        share, now = self._share(claim, price, tx.database.clock.now()), tx.database.clock.now()
        counted = await usage.count(tx, _windows(under), share, now)
        if not counted.counted:
            return await self._too_many(tx, claim, under, share, counted, now)
        if trial:
            await self._guard.note_sent(tx, trial)
        return Admitted(to.country if to else None)

    def _share(self, claim: Claim, price: int, now: datetime) -> Share:
        """Large days are divided: who counts in one part waits for nobody in another. The last few of such a day may be
        kept back although there is room in another part; never is one too many let through."""
        most = self._limits.per_day(claim.channel)
        parts = _PARTS if most >= _LARGE else 1
        part = claim.id.int % parts
        return Share(
            org=claim.org,
            day=now.astimezone(UTC).date(),
            channel=claim.channel,
            family=family(claim.template),
            part=part,
            most=most // parts + (part < most % parts),
            price=price,
            budget=self._limits.organisation_budget_per_day,
            suite_budget=self._limits.suite_budget_per_day,
        )

    async def _too_many(
        self, tx: Tx, claim: Claim, under: list[Rule], share: Share, counted: Counted, now: datetime
    ) -> Verdict:
        tomorrow = datetime.combine(share.day + timedelta(days=1), time(), UTC)
        if counted.full is not None and counted.until is not None:
            return _later(claim, counted.until, Reason.LIMITED, f"too many to {under[counted.full].name}")
        if counted.messages >= share.most:
            return _later(claim, tomorrow, Reason.LIMITED, "too many of the organisation's today")
        kind = "organisation_budget" if counted.spent + share.price > share.budget else "suite_budget"
        key = self._keys.of(kind, str(share.day), *([str(claim.org)] if kind == "organisation_budget" else []))
        if await usage.block(tx, key, kind, now, tomorrow):
            log.error("limit.over_budget", kind=kind, org=str(claim.org), day=str(share.day))
        return _later(claim, tomorrow, Reason.OVER_BUDGET, "the day's money is spent")


_PUMPING = Refused(Reason.PUMPING, "codes to numbers like this one are not being used")


def _windows(under: list[Rule]) -> Windows:
    return Windows(
        keys=[rule.key for rule in under],
        within=[rule.within for rule in under],
        most=[rule.most for rule in under],
    )


def _later(claim: Claim, until: datetime, reason: Reason, answer: str) -> Held | Refused:
    """Somebody waits for a code, and can ask for another one; what nobody waits for is kept until there is room."""
    if family(claim.template) == "codes" or until >= claim.deadline:
        return Refused(reason, answer)
    return Held(until, answer)
