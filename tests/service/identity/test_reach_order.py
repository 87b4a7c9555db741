"""What became of messages is told in any order and again: the message that left last says whether an address is good."""

from __future__ import annotations

from datetime import timedelta

import pytest

from staffgate.contracts.notify import MessageDelivered, Reason, SuppressionChanged
from tests.service.identity.conftest import Acme
from tests.service.identity.test_reach import IDS, became, bounced, failed, invited, tell, unreachable


@pytest.mark.checklist("M10")
async def test_of_all_that_is_told_of_an_address_the_message_that_left_last_counts(acme: Acme) -> None:
    """In any order and any of it again: the broker's retries come ten minutes late, and a provider's may a day."""
    jane, link = await invited(acme)
    left = acme.identity.clock.now()
    first, second, third = (left + timedelta(minutes=minutes) for minutes in (0, 5, 10))
    arrived, came_back = became(MessageDelivered, link, at=first), bounced(link, at=second)
    told = [
        (became(MessageDelivered, link, at=third), []),
        (arrived, []),
        (came_back, []),
        (bounced(link, at=third), [("email", "bounced")]),
        (came_back, [("email", "bounced")]),
        (became(MessageDelivered, link, at=third), [("email", "bounced")]),
    ]
    for event, seen in told:
        await tell(acme, event)
        assert await unreachable(acme, jane) == seen


@pytest.mark.checklist("M10")
async def test_that_a_message_arrived_is_told_late_and_clears_nothing_that_came_after_it(acme: Acme) -> None:
    jane, link = await invited(acme)
    left = acme.identity.clock.now()
    arrived = became(MessageDelivered, link, at=left)
    await tell(acme, bounced(link, at=left), arrived)
    assert await unreachable(acme, jane) == [("email", "bounced")], "taken first, and then sent back"
    await tell(acme, became(MessageDelivered, link, at=left + timedelta(seconds=1)), bounced(link, at=left), arrived)
    assert await unreachable(acme, jane) == []


async def test_what_was_refused_and_arrived_all_the_same_has_arrived(acme: Acme) -> None:
    jane, link = await invited(acme)
    left = acme.identity.clock.now()
    refused, arrived = failed(link, Reason.REJECTED, at=left), became(MessageDelivered, link, at=left)
    await tell(acme, refused)
    assert await unreachable(acme, jane) == [("email", "rejected")]
    await tell(acme, arrived, refused)
    assert await unreachable(acme, jane) == []


async def test_what_bounced_before_an_administrator_freed_the_address_does_not_come_back(acme: Acme) -> None:
    jane, link = await invited(acme)
    left = acme.identity.clock.now()
    back, late = bounced(link, at=left), bounced(link, at=left + timedelta(seconds=30))
    acme.identity.clock.advance(minutes=1)
    freed = SuppressionChanged(
        org=acme.org, suppression=IDS.uuid(), channel="email", reason="bounced", staff=jane, removed=True, by=acme.owner_id
    )  # fmt: skip
    await tell(acme, back, freed, back, late)
    assert await unreachable(acme, jane) == []
