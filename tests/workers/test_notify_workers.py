"""notify's worker role with two workers, as it is run: they share two hundred messages, and nobody gets one twice or none."""

from __future__ import annotations

from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aio_pika
import asyncpg
from prometheus_client.parser import text_string_to_metric_families

from deploy.local.rabbitmq import RabbitMQ
from services.notify.provider.settings import SmtpSettings
from shared.bus.topology import NOTIFY_MESSAGES
from shared.clock import SystemClock
from tests.conftest import fresh_database
from tests.service.notify.conftest import (
    ADDRESS_KEY,
    IDS,
    ISSUER,
    SEAL,
    WIDE,
    Mailbox,
    limits,
    link_issued,
    providers,
    smtp_server,
    until,
)
from tests.workers.running import Running, running
from tests.workers.test_authz_workers import tell

MANY = 200


async def test_two_share_what_there_is_and_nobody_gets_one_twice_or_none(
    postgres: str, rabbitmq: RabbitMQ, tmp_path: Path
) -> None:
    database, mailbox = await fresh_database(postgres, "notify"), Mailbox()
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(smtp_server(mailbox))
        mail = SmtpSettings(name="mail", url=f"smtp://127.0.0.1:{port}?tls=none", sender="no-reply@staffgate.example")
        settings: dict[str, Any] = {
            "database_url": database.app, "migration_url": database.owner, "amqp_url": rabbitmq.url,
            "identity_url": ISSUER, "client_secret": "secret", "seal_key": SEAL, "address_key": ADDRESS_KEY,
            "limits": limits(WIDE), "providers": providers(mail),
        }  # fmt: skip
        workers = running(tmp_path, 2, module="services.notify", arguments=("--role", "worker"), **settings)
        notify = await stack.enter_async_context(workers)
        await notify.ready(2)
        await both_read(rabbitmq)
        owner = await asyncpg.connect(database.owner)
        stack.push_async_callback(owner.close)
        # The broker is other tests' too, and may bring what is theirs: these are ours by their ids and addresses.
        addresses = [f"{IDS.uuid().hex}@acme.example" for _ in range(MANY)]
        links = {to: link_issued(SystemClock(), staff=IDS.uuid(), to=to) for to in addresses}
        await tell(rabbitmq, *links.values())
        ids = [link.link for link in links.values()]

        async def over() -> bool:
            sql = "SELECT count(*) FROM delivery WHERE id = ANY($1) AND state NOT IN ('queued', 'sending')"
            return bool(await owner.fetchval(sql, ids) == MANY)

        await until(over, 60)
        took_part = {number: sent for number, sent in (await sent_by(notify)).items() if sent}
        notify.process.terminate()
        assert await notify.ended() == 0
        rows = await owner.fetch("SELECT state, attempts FROM delivery WHERE id = ANY($1)", ids)
        assert Counter((row["state"], row["attempts"]) for row in rows) == {("sent", 1): MANY}
    arrived = Counter(mail["X-RcptTo"] for mail in mailbox.mails)
    assert {to: arrived[to] for to in links} == dict.fromkeys(links, 1)
    assert took_part.keys() == {"1", "2"}


async def both_read(rabbitmq: RabbitMQ) -> None:
    """Who is ready may not have reached the broker yet."""
    connection = await aio_pika.connect(rabbitmq.url)
    async with connection:
        channel = await connection.channel()

        async def attached() -> bool:
            queue = await channel.declare_queue(NOTIFY_MESSAGES.name, passive=True)
            return queue.declaration_result.consumer_count == 2

        await until(attached, 60)


async def sent_by(notify: Running) -> dict[str, float]:
    """How many messages each worker has sent."""
    _, text = await notify.ask("/metrics")
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == "notify_deliveries_total" and sample.labels["outcome"] == "sent":
                worker = sample.labels["worker"]
                found[worker] = found.get(worker, 0) + sample.value
    return found
