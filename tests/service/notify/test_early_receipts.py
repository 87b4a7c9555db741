"""Receipts that come before their time: before it was written down that the message was sent, or what it is called."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from services.notify.channels.port import Told
from services.notify.receipt.receipts import Receipts
from services.notify.store import deliveries as store
from services.notify.store.deliveries import Finished, Lane
from services.notify.suppression.addresses import Addresses
from services.notify.suppression.suppressions import Suppressions
from staffgate.contracts.notify import DeliveryState, Reason
from tests.service.notify.conftest import IDS, Running, code_issued, database_of, until
from tests.service.notify.telling import events, state, telling, twilio_says
from tests.unit.notify.reports.samples import TOKENS

__all__ = ["telling"]


def receipts(notify: Running, db: Any) -> Receipts:
    return Receipts(db, Suppressions(db, Addresses(bytes(32))), [], "", TOKENS)


def delivered(id: UUID | None = None, **more: Any) -> Told:
    return Told(provider="mail", delivery=id, state=DeliveryState.DELIVERED, **more)


async def claimed(notify: Running, db: Any, *, provider: str = "mail") -> Any:
    """A delivery in the hands of a sender that has given it to this provider and has no answer yet."""
    notify.clock.advance(seconds=1)
    id, now = IDS.uuid(), db.clock.now()
    new = store.NewDelivery(
        org=IDS.uuid(), id=id, staff=IDS.uuid(), channel="email", template="activate", priority=10, sealed="x",
        last_attempt=9, issued_at=now, deadline=now.replace(year=2030), traceparent="",
    )  # fmt: skip
    async with db.begin_anywhere() as tx:
        await store.add(tx, new, now)
        (claim,) = await store.claim_anywhere(
            tx, Lane(channel="email", first=0, last=99), now, now.replace(year=2029), 10
        )
        assert await store.assign_anywhere(tx, claim, provider)
    return claim


async def start_and_stop(surroundings: Running) -> None:
    """So that the tables are there."""
    await (await surroundings.start())()


@pytest.mark.checklist("M10")
async def test_a_receipt_that_is_faster_than_the_record_settles_the_message(surroundings: Running) -> None:
    """Whoever was sending it finds it taken, and nobody sends it again: not the one who comes after a crash either."""
    await start_and_stop(surroundings)
    async with database_of(surroundings).opened() as db:
        for back in (False, True):
            claim = await claimed(surroundings, db)
            if back:  # the connection was lost after it had been handed over
                async with db.begin_anywhere() as tx:
                    now = db.clock.now()
                    assert await store.put_back_anywhere(tx, claim, "lost", now, unsure=True)
            await receipts(surroundings, db).tell(delivered(claim.id))
            assert await state(surroundings, claim.id) == ("delivered", None)
            surroundings.clock.advance(hours=1)
            async with db.begin_anywhere() as tx:
                sent = Finished(state=DeliveryState.SENT, answer="250", reference="R1")
                await store.finish_anywhere(tx, claim, sent, db.clock.now())
                assert not await store.assign_anywhere(tx, claim, "mail")
                lane = Lane(channel="email", first=0, last=99)
                assert await store.claim_anywhere(tx, lane, db.clock.now(), db.clock.now().replace(year=2029), 10) == []
            assert await state(surroundings, claim.id) == ("delivered", None)


async def test_a_message_that_nobody_was_given_is_settled_by_nobody(surroundings: Running) -> None:
    await start_and_stop(surroundings)
    async with database_of(surroundings).opened() as db:
        claim = await claimed(surroundings, db, provider="other")
        await receipts(surroundings, db).tell(delivered(claim.id))
        assert (await state(surroundings, claim.id))[0] == "sending"


@pytest.mark.checklist("M10")
@pytest.mark.parametrize("state_before", ["dead", "expired", "failed"])
async def test_what_was_given_up_unsure_is_settled_by_the_word_of_its_provider(
    surroundings: Running, state_before: str
) -> None:
    """It was given to somebody who did not answer. Were it left dead, it could be replayed, and would come twice."""
    await start_and_stop(surroundings)
    async with database_of(surroundings).opened() as db:
        claim = await claimed(surroundings, db)
        async with db.begin_anywhere() as tx:
            reason = {"dead": Reason.EXHAUSTED, "expired": Reason.TOO_LATE, "failed": Reason.REJECTED}[state_before]
            end = Finished(state=DeliveryState(state_before), answer="lost", reason=reason, unsure=True)
            assert await store.finish_anywhere(tx, claim, end, db.clock.now())
        await receipts(surroundings, db).tell(delivered(claim.id))
        row = await surroundings.row(claim.id, "delivered")
        assert (row["reason"], row["sealed"]) == (None, None)


@pytest.mark.checklist("M10")
async def test_of_a_reference_that_was_given_twice_the_newest_message_is_meant(surroundings: Running) -> None:
    """Those of SMPP servers begin anew."""
    await start_and_stop(surroundings)
    async with database_of(surroundings).opened() as db:
        old, new = await claimed(surroundings, db), await claimed(surroundings, db)
        for claim in (old, new):
            sent = Finished(state=DeliveryState.SENT, answer="250", reference="17")
            async with db.begin_anywhere() as tx:
                assert await store.finish_anywhere(tx, claim, sent, db.clock.now())
        await receipts(surroundings, db).tell(delivered(reference="17"))
        assert await state(surroundings, old.id) == ("sent", None)
        assert await state(surroundings, new.id) == ("delivered", None)


@pytest.mark.checklist("M10")
async def test_a_reference_that_is_not_known_yet_is_waited_for(surroundings: Running) -> None:
    """A provider's connection can be faster than our commit: what it said is kept, and not asked for again."""
    await start_and_stop(surroundings)
    async with database_of(surroundings).opened() as db:
        told, claim = receipts(surroundings, db), await claimed(surroundings, db)
        for _ in range(2):
            await told.tell(delivered(reference="R1"))
        surroundings.clock.advance(seconds=1)
        bounce = Told(provider="mail", reference="R1", state=DeliveryState.BOUNCED, reason=Reason.BOUNCED)
        await told.tell(bounce)
        await told.tell(delivered(reference="of another program"))
        assert await told.sweep() == 0
        async with db.begin_anywhere() as tx:
            end = Finished(state=DeliveryState.SENT, answer="250", reference="R1")
            assert await store.finish_anywhere(tx, claim, end, db.clock.now())
        assert await told.sweep() == 2
        assert await told.sweep() == 0
        assert await state(surroundings, claim.id) == ("bounced", "bounced")
        assert [type for type, _ in await events(surroundings, claim.id)] == ["delivered", "bounced"]
        surroundings.clock.advance(hours=2)
        assert await told.sweep() == 1, "whose it is nobody will know"
        assert await surroundings.owner.fetchval("SELECT count(*) FROM early_receipt") == 0


async def test_the_sweep_is_part_of_the_service(telling: Running) -> None:
    event = code_issued(telling.clock)
    await telling.publish(event)
    id, row = event.code, await telling.row(event.code, "sent")
    await telling.owner.execute("UPDATE delivery SET reference = NULL WHERE id = $1", id)
    assert await twilio_says(telling, None, MessageSid=row["reference"], MessageStatus="delivered") == 204
    assert await state(telling, id) == ("sent", None)
    await telling.owner.execute("UPDATE delivery SET reference = $2 WHERE id = $1", id, row["reference"])

    async def settled() -> bool:
        return (await state(telling, id))[0] == "delivered"

    await until(settled)
