"""How long a promise takes, over HTTP against the running suite: `./dev up --detach && ./dev bench`.

- commit to mailbox: from the moment that identity notes for the activation e-mail (before it commits) to its arrival at
  the SMTP server of the mailbox.
- revoke to deny: from sending the revoke to the moment from which every authz replica denies; the probe asks each of
  them without a pause, so each had the old answer in its cache.
- suspend to refusal: from sending the suspension to the moment from which all three services refuse the unexpired
  access token.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from deploy.local import record as records
from deploy.local.demo.people import link_in_email, log_in, open_link_and_set_password
from deploy.local.demo.stage import staged
from deploy.local.demo.story import Story
from deploy.local.demo.world import Door, newest_message
from deploy.local.keys import Keys


async def commit_to_mailbox(story: Story, count: int) -> list[float]:
    """Milliseconds. Paced at 20 a second, so that one does not queue behind the other."""
    people = [await add(story, n) for n in range(count)]
    since, sent = await newest_message(story.world), {}
    for n, staff in enumerate(people):
        path = f"/v1/staff/{staff}/activation-email"
        answer = await story.world.identity.post(path, token=story.ray.access, want=202)
        sent[address(story, n)] = datetime.fromisoformat(answer["sent_at"])
        await asyncio.sleep(0.05)
    arrived: dict[str, datetime] = {}
    while len(arrived) < count:
        found = await story.world.mailbox.ask("GET", "/messages", params={"since": str(since)})
        arrived = {mail["to"]: datetime.fromisoformat(mail["received_at"]) for mail in found.body}
    return [(arrived[to] - at).total_seconds() * 1000 for to, at in sent.items()]


async def revoke_to_deny(story: Story, count: int) -> list[float]:
    target = {"section": "sms", "item": "inbox:management"}
    took = []
    for _ in range(count):
        await story.grant(target, "use")
        await until(story, True)
        probe = asyncio.create_task(denied_everywhere(story))
        await asyncio.sleep(0.02)  # the probe has the old answer from everybody's cache by then
        started = time.perf_counter()
        await story.grant(target, "deny")
        took.append((await probe - started) * 1000)
    return took


async def denied_everywhere(story: Story) -> float:
    """Ask every replica without a pause; the time of the first denial of the last one."""

    async def first_denial(door: Door) -> float:
        while await story.decided(door, "sms.read", "management"):
            pass
        return time.perf_counter()

    return max(await asyncio.gather(*(first_denial(door) for door in story.world.authz)))


async def until(story: Story, want: bool) -> None:
    for door in story.world.authz:
        while await story.decided(door, "sms.read", "management") is not want:
            pass


async def suspend_to_refusal(story: Story, count: int) -> list[float]:
    doors = [(story.world.identity, "/v1/me"), (story.world.notify, "/v1/deliveries")]
    doors += [(door, "/v1/me/permissions") for door in story.world.authz]
    took = []
    for n in range(count):
        jane, login, mail = await activated(story, n)
        token = (await log_in(story.world, login, "email", mail)).access
        probe = asyncio.gather(*(refused(door, path, token) for door, path in doors))
        await asyncio.sleep(0.02)
        started = time.perf_counter()
        await story.world.identity.post(f"/v1/staff/{jane}/suspend", token=story.ray.access)
        took.append((max(await probe) - started) * 1000)
    return took


async def refused(door: Door, path: str, token: str) -> float:
    while (await door.ask("GET", path, token=token)).status != 401:
        pass
    return time.perf_counter()


async def activated(story: Story, n: int) -> tuple[str, str, str]:
    mail, since = f"suspended-{n}-{story.tag}@acme.example", await newest_message(story.world)
    body = {"type": "standard", "name": "Luke", "username": f"luke{n}", "email": mail}
    jane = (await story.world.identity.post("/v1/staff", body, token=story.ray.access, want=201))["id"]
    await story.world.identity.post(f"/v1/staff/{jane}/activation-email", token=story.ray.access, want=202)
    token = await link_in_email(story.world, mail, since)
    return jane, await open_link_and_set_password(story.world, token), mail


def address(story: Story, n: int) -> str:
    return f"crew-{n}-{story.tag}@acme.example"


async def add(story: Story, n: int) -> str:
    body = {"type": "standard", "name": "Luke", "username": f"crew{n}", "email": address(story, n)}
    return str((await story.world.identity.post("/v1/staff", body, token=story.ray.access, want=201))["id"])


def row(name: str, milliseconds: Sequence[float]) -> str:
    ordered = sorted(milliseconds)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"| {name} | {len(ordered)} | {statistics.median(ordered):.1f} | {p99:.1f} | {ordered[-1]:.1f} |"


async def measure(state: Path, count: int) -> None:
    record = records.running(state)
    if record is None:
        raise SystemExit("Staffgate is not running: start it with ./dev up --detach.")
    async with staged(record.urls, Keys(state), lambda _line: None) as story:
        for chapter in (story.register, story.select_username, story.add_jane, story.send_activation, story.activate):
            await chapter()
        print("| from .. to | times | median ms | p99 ms | worst ms |\n|---|---|---|---|---|")
        measures: list[tuple[str, Callable[[Story, int], Awaitable[Any]], int]] = [
            ("commit to mailbox", commit_to_mailbox, count),
            ("revoke to deny, two replicas", revoke_to_deny, count),
            ("suspend to refusal by all services", suspend_to_refusal, max(10, count // 10)),
        ]
        for name, take, times in measures:
            print(row(name, await take(story, times)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, default=Path(".state"))
    parser.add_argument("--long", action="store_true", help="300 times each instead of 30")
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.state, 300 if arguments.long else 30))


if __name__ == "__main__":
    main()
