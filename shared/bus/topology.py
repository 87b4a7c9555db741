"""Every queue of the suite, in one place: the one truth about who hears what.

Each service declares all of them when it connects, so that an event which is published before its reader was ever
started waits for it. (Left to the readers, whatever identity tells before authz first came up would be gone: an event
that no queue is bound to is confirmed, and dropped.)

Per queue: the quorum work queue, one queue per retry delay (a TTL per message would let a long wait hold up a short
one), and the parking lot. Failed messages are republished to a delay queue by the consumer, never dead-lettered in a
circle: RabbitMQ drops a message that goes round without a rejection. The delivery limit is for processes that die
before they can settle, and leads to the parking lot.
"""

from __future__ import annotations

from collections.abc import Sequence

from aio_pika.abc import AbstractChannel, AbstractExchange

from shared.bus.port import Queue
from staffgate.contracts import authz, identity, items, notify

EXCHANGE = "events"
PARKED = "parked"
_LIMIT = 20  # crashes park every unsettled neighbour too, hence the wide limit and the small prefetch
_NEVER = 1_000_000  # RabbitMQ 4 gives quorum queues a limit of 20 unless told otherwise; looking must not lose

AUTHZ_STAFF = Queue(
    name="authz.staff",
    types=(
        identity.OrganisationRegistered.type,
        identity.OrganisationNamed.type,
        identity.OrganisationClosed.type,
        identity.StaffAdded.type,
        identity.StaffImported.type,
        identity.StaffActivated.type,
        identity.StaffChanged.type,
        identity.StaffSuspended.type,
        identity.StaffReactivated.type,
        identity.StaffDeleted.type,
    ),
)
IDENTITY_PLACEMENTS = Queue(name="identity.placements", types=(authz.PlacementsChanged.type,))
# Who can't be reached, and is again; and who changed the list of addresses that nothing is sent to.
IDENTITY_MESSAGES = Queue(
    name="identity.messages",
    types=(
        notify.MessageDelivered.type,
        notify.MessageFailed.type,
        notify.MessageBounced.type,
        notify.SuppressionChanged.type,
    ),
)
AUTHZ_ITEMS = Queue(name="authz.items", types=(items.ItemRegistered.type, items.ItemRemoved.type))
# Somebody waits for a code: it does not stand behind ten thousand invitations.
NOTIFY_CODES = Queue(name="notify.codes", types=(identity.CodeIssued.type, identity.CodeUsed.type))
NOTIFY_MESSAGES = Queue(name="notify.messages", types=(identity.LinkIssued.type, identity.NoticeIssued.type))
# What products need to know: those on the bus bind queues of their own, and to the others notify posts it.
NOTIFY_WEBHOOKS = Queue(
    name="notify.webhooks",
    types=(
        *AUTHZ_STAFF.types,
        identity.OrganisationTransferred.type,
        identity.AvailabilityChanged.type,
        notify.MessageDelivered.type,
        notify.MessageFailed.type,
        notify.MessageBounced.type,
    ),
)

QUEUES = (
    AUTHZ_STAFF,
    AUTHZ_ITEMS,
    IDENTITY_PLACEMENTS,
    IDENTITY_MESSAGES,
    NOTIFY_CODES,
    NOTIFY_MESSAGES,
    NOTIFY_WEBHOOKS,
)


def retry_queue(queue: str, delay: float) -> str:
    return f"{queue}.retry.{delay:g}s"


def parked_queue(queue: str) -> str:
    return f"{queue}.parked"


async def declare(channel: AbstractChannel, queues: Sequence[Queue], tiers: Sequence[float]) -> AbstractExchange:
    """Bring the broker to this page; where something of that name is different there, it says so and fails."""
    events = await channel.declare_exchange(EXCHANGE, "topic", durable=True)
    for queue in queues:
        await _declare_queue(channel, events, queue, tiers)
    return events


async def _declare_queue(
    channel: AbstractChannel, events: AbstractExchange, queue: Queue, tiers: Sequence[float]
) -> None:
    # The parking lot first: at-least-once dead-lettering to a queue that is missing keeps messages for ever.
    parked = await channel.declare_exchange(PARKED, "direct", durable=True)
    lot = await channel.declare_queue(
        parked_queue(queue.name),
        durable=True,
        arguments={"x-queue-type": "quorum", "x-delivery-limit": _NEVER},
    )
    await lot.bind(parked, queue.name)
    work = await channel.declare_queue(
        queue.name,
        durable=True,
        arguments={"x-queue-type": "quorum", "x-delivery-limit": _LIMIT, **_dead_letter(PARKED, queue.name)},
    )
    for type in queue.types:
        await work.bind(events, type)
    for delay in tiers:
        await channel.declare_queue(
            retry_queue(queue.name, delay),
            durable=True,
            arguments={
                "x-queue-type": "quorum",
                "x-message-ttl": int(delay * 1000),
                "x-delivery-limit": _NEVER,
                **_dead_letter("", queue.name),
            },
        )


def _dead_letter(exchange: str, key: str) -> dict[str, str | int]:
    return {
        "x-dead-letter-exchange": exchange,
        "x-dead-letter-routing-key": key,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
