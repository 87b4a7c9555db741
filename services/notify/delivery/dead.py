"""Dead letters: what was tried as often as it may be. Each can be replayed once before its deadline, or dropped.

It was reported when it died. What an administrator drops is reported again, with who did it: identity writes that down. An
administrator drops no warning, and what somebody needs to get in only with a factor that was shown a moment ago.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import UUID

import structlog

from services.notify.authority import require_administrator
from services.notify.delivery.deliveries import TRIES, failed, outcomes
from services.notify.kinds import is_security, warns
from services.notify.store import dead as store
from services.notify.store import deliveries as delivery_store
from services.notify.store.dead import Among, Dead, Standing
from shared.db import Database, Tx
from shared.errors import Busy, Conflict, Forbidden, NotFound
from shared.freshness import require_fresh
from staffgate.contracts.caller import Person
from staffgate.contracts.identity import LinkPurpose
from staffgate.contracts.notify import DeliveryState

_LINKS = frozenset(purpose.value for purpose in LinkPurpose)
_AT_ONCE = 100_000  # of an operator's list

log = structlog.get_logger()


class DeadLetters:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def replay(self, caller: Person, id: UUID) -> None:
        require_administrator(caller)
        async with self._db.begin(caller.org) as tx:
            await _replay(tx, caller.org, id, caller.staff)

    async def drop(self, caller: Person, id: UUID) -> None:
        """A webhook is between the suite and its products: whoever drops what they are told of an organisation would keep
        somebody's suspension from them. A warning is between the suite and a person: whoever took over an account, or
        is about to, would drop what tells of it."""
        require_administrator(caller)
        async with self._db.begin(caller.org) as tx:
            found = await _standing(tx, caller.org, id)
            if found.channel == "webhook":
                raise Forbidden("operators_only", "What products are told can be dropped by the suite's operator only.")
            if warns(found.template):
                raise Forbidden("warnings_stay", "What warns a person about their account can't be dropped.")
            if is_security(found.template):
                require_fresh(caller, self._db.clock)
            await _drop(tx, caller.org, id, caller.staff)

    # --- an operator's: in every organisation -----------------------------------------------------------------

    async def list(self, among: Among) -> list[Dead]:
        async with self._db.begin_anywhere() as tx:
            return await store.list_anywhere(tx, among, self._db.clock.now(), _AT_ONCE)

    async def replay_all(self, among: Among) -> int:
        """Those that can be; the number of them."""
        return await self._each(among, _replay)

    async def drop_all(self, among: Among) -> int:
        return await self._each(among, _drop)

    async def _each(self, among: Among, act: Callable[[Tx, UUID, UUID, UUID | None], Awaitable[None]]) -> int:
        """In a transaction of its own, so that one that can't holds up no other."""
        count = 0
        for dead in await self.list(among):
            with suppress(Conflict, NotFound):
                async with self._db.begin(dead.org) as tx:
                    await act(tx, dead.org, dead.id, None)
                count += 1
        return count


async def _standing(tx: Tx, org: UUID, id: UUID) -> Standing:
    found = await store.standing(tx, org, id)
    if found is None:
        raise NotFound("not_found", "There is no delivery of that id.")
    return found


async def _replay(tx: Tx, org: UUID, id: UUID, by: UUID | None) -> None:
    found, now = await _standing(tx, org, id), tx.database.clock.now()
    if found.state is not DeliveryState.DEAD:
        raise Conflict("not_dead", f"Only a dead delivery can be replayed; this one is {found.state}.")
    if found.replayed_at is not None:
        raise Conflict("already_replayed", "It was replayed already, and that can be done once.")
    if not found.sealed or found.deadline <= now:
        raise Conflict("too_late", "Its deadline is over; what it said is not kept any longer than that.")
    await store.replay(tx, org, id, now, TRIES)
    await _require_newest(tx, org, id, found)
    outcomes.labels(found.channel, found.template, "replayed").inc()
    log.info("delivery.replayed", delivery=str(id), channel=found.channel, template=found.template, by=_who(by))


async def _require_newest(tx: Tx, org: UUID, id: UUID, found: Standing) -> None:
    """A link that a newer one has taken the place of opens nothing any more."""
    if found.staff is None or found.template not in _LINKS:
        return
    await delivery_store.hold_messages_to(tx, org, found.staff, found.template)
    ended = await delivery_store.end_superseded(tx, org, found.staff, found.template, tx.database.clock.now())
    if id in {one.id for one in ended}:
        raise Conflict("superseded", "A newer link was sent since; this one opens nothing any more.")


async def _drop(tx: Tx, org: UUID, id: UUID, by: UUID | None) -> None:
    found = await _standing(tx, org, id)
    if found.state is DeliveryState.SENDING:
        raise Busy("being_sent", "It is being sent at this moment; look again.")
    if found.state not in (DeliveryState.QUEUED, DeliveryState.DEAD):
        raise Conflict("not_waiting", f"Only what waits or is dead can be dropped; this one is {found.state}.")
    now = tx.database.clock.now()
    dropped = await store.drop(tx, org, id, now)
    assert dropped is not None
    if dropped.staff and (by or found.state is DeliveryState.QUEUED):
        await tx.emit(failed(dropped, dropped.reason, at=now, by=by))
    outcomes.labels(found.channel, found.template, "dropped").inc()
    log.info("delivery.dropped", delivery=str(id), channel=found.channel, template=found.template, by=_who(by))


def _who(by: UUID | None) -> str:
    return str(by) if by else "an operator"
