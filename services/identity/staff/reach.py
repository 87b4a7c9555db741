"""Whom messages reach: notify tells what became of each, and who can't be reached is shown beside their account.

Each message carries a name for the address that it went to (`Messages.contact`), so what is told of a former address, or
of one that was only proposed, says nothing of the one that counts. Owner and administrators are told when somebody can't
get in, or isn't warned, because a message failed: of each person once a day at most, of so many people a day, and never
of the failure of that very notice.

Events come in any order and again. Of the messages to an address the one that left last says whether it is good, so what is
told late of an earlier one changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from services.identity.log import audit
from services.identity.log.audit import Act
from services.identity.messages import Messages, login_name
from services.identity.store import organisations as organisation_store
from services.identity.store import reach as store
from services.identity.store import staff as staff_store
from services.identity.store.staff import StaffRow
from shared.bus.consumer import Handler
from shared.bus.envelope import Envelope
from shared.db import Tx
from staffgate.contracts.event import Event
from staffgate.contracts.identity import NoticeKind
from staffgate.contracts.notify import (
    MessageBounced,
    MessageDelivered,
    MessageEvent,
    MessageFailed,
    Reason,
    SuppressionChanged,
)

# The address is at fault. With every other reason it may be a provider's bad day, and the address is none the worse.
_OF_THE_ADDRESS = frozenset(
    {Reason.REJECTED, Reason.SUPPRESSED, Reason.BOUNCED, Reason.COMPLAINED, Reason.NUMBER_KIND, Reason.COUNTRY}
)
_OF_THIS = f"notice.{NoticeKind.UNDELIVERABLE}"
# Of one message: that it failed is told before that it arrived all the same, and that it came back after both.
_STEPS = {
    MessageFailed: timedelta(),
    MessageDelivered: timedelta(microseconds=1),
    MessageBounced: timedelta(microseconds=2),
}
_MOST_A_DAY = 10  # people: when a provider is away, the eleventh notice says nothing that ten did not


class Reach:
    def __init__(self, messages: Messages) -> None:
        self._messages = messages

    @property
    def handlers(self) -> Mapping[type[Event], Handler]:
        return {
            MessageDelivered: self.note_delivered,
            MessageFailed: self.note_failed,
            MessageBounced: self.note_failed,
            SuppressionChanged: self.note_suppression,
        }

    async def note_delivered(self, tx: Tx, event: MessageDelivered, envelope: Envelope) -> None:
        person = await staff_store.lock_staff(tx, event.org, event.staff)
        if person is None or not self._went_to(person, event) or not await _is_news(tx, event, envelope):
            return
        if await store.clear(tx, event.org, event.staff, event.channel):
            audit.note(tx, event.org, Act.USER_REACHABLE, about=event.staff, channel=event.channel)

    async def note_failed(self, tx: Tx, event: MessageFailed | MessageBounced, envelope: Envelope) -> None:
        if isinstance(event, MessageFailed) and event.reason is Reason.DROPPED:
            _note_dropped(tx, event)
            return
        # Held until the commit: the address is not changed meanwhile.
        person = await staff_store.lock_staff(tx, event.org, event.staff)
        if person is None or not self._went_to(person, event):
            return
        if event.reason in _OF_THE_ADDRESS and await _is_news(tx, event, envelope):
            await self._mark(tx, event)
        if event.security and event.template != _OF_THIS:
            await self._tell(tx, person, event)

    async def _mark(self, tx: Tx, event: MessageFailed | MessageBounced) -> None:
        org, staff, channel, reason = event.org, event.staff, event.channel, event.reason.value
        if await store.mark(tx, org, staff, channel, reason, tx.database.clock.now()):
            audit.note(tx, org, Act.USER_UNREACHABLE, about=staff, ok=False, channel=channel, reason=reason)

    async def note_suppression(self, tx: Tx, event: SuppressionChanged, envelope: Envelope) -> None:
        """Who changed the list stands in the organisation's log. An address that is free again counts as good."""
        audit.note(
            tx,
            event.org,
            Act.SUPPRESSION_CHANGED,
            by=event.by,
            about=event.staff,
            entry=str(event.suppression),
            channel=event.channel,
            reason=event.reason,
            removed=event.removed,
        )
        if event.removed and event.staff is not None:
            await store.hear(tx, event.org, event.staff, event.channel, envelope.time)
            await store.clear(tx, event.org, event.staff, event.channel)

    def _went_to(self, person: StaffRow, event: MessageEvent) -> bool:
        """The address that the person has now."""
        return event.channel in ("email", "sms") and self._messages.is_for(person, event.channel, event.contact)

    async def _tell(self, tx: Tx, person: StaffRow, event: MessageEvent) -> None:
        organisation = await organisation_store.organisation(tx, event.org)
        if organisation is None or organisation.closed_at is not None:
            return
        others = [one for one in await store.administrators(tx, event.org) if one.id != person.id]
        now = tx.database.clock.now()
        if not others or not await store.take_telling(tx, event.org, person.id, now, _MOST_A_DAY):
            return
        facts = {"colleague": person.name, "account": login_name(organisation, person)}
        facts |= {channel: "1" if event.channel == channel else "" for channel in ("email", "sms")}
        for one in others:
            await self._messages.send_notice(tx, one, organisation, NoticeKind.UNDELIVERABLE, **facts)


def _note_dropped(tx: Tx, event: MessageFailed) -> None:
    """By hand: whoever did it knows, and everybody else finds it in the organisation's log."""
    audit.note(
        tx,
        event.org,
        Act.MESSAGE_DROPPED,
        by=event.by,
        about=event.staff,
        message=str(event.message),
        channel=event.channel,
        template=event.template,
    )


async def _is_news(tx: Tx, event: MessageDelivered | MessageFailed | MessageBounced, envelope: Envelope) -> bool:
    at = (event.at or envelope.time) + _STEPS[type(event)]
    return await store.hear(tx, event.org, event.staff, event.channel, at)
