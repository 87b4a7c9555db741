"""How long a person who was put out can still do anything, over HTTP against the running suite: `./dev bench revocation`.

For every act that puts somebody out, again and again: a person is signed in, and their unexpired access token is shown
without a pause to identity, notify and each replica of authz. Measured is the last answer that was not a refusal, from
the moment that the administrator had their 2xx; and, beside it, from the moment that they asked.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench_latency import activated
from deploy.local import record as records
from deploy.local.demo.people import Tokens, log_in, refresh
from deploy.local.demo.stage import staged
from deploy.local.demo.story import Story
from deploy.local.demo.world import Door, require
from deploy.local.keys import Keys

# What the administrator sends: method, what comes after /v1/staff/{id}, and the status of having done it.
ACTS = {
    "suspend": ("POST", "/suspend", 200),
    "delete": ("DELETE", "", 204),
    "force logout": ("POST", "/logout", 204),
    "password reset": ("POST", "/password-link", 202),
}


@dataclass
class Taken:
    """Seconds. `after` may be negative: refused before the administrator knew."""

    after: float
    whole: float


async def put_out(story: Story, act: str, n: int) -> Taken:
    staff, login, mail = await activated(story, n)
    token = (await log_in(story.world, login, "email", mail)).access
    probes = asyncio.gather(*(last_success(door, path, token) for door, path in doors(story)))
    await asyncio.sleep(0.02)  # every probe has had an answer by then
    method, path, want = ACTS[act]
    asked = time.perf_counter()
    answer = await story.world.identity.ask(method, f"/v1/staff/{staff}{path}", token=story.ray.access)
    done = time.perf_counter()
    require(answer.status == want, f"{act} answered {answer.status}: {answer.text}")
    last = max(await probes)
    return Taken(last - done, last - asked)


def doors(story: Story) -> list[tuple[Door, str]]:
    services = [(story.world.identity, "/v1/me"), (story.world.notify, "/v1/deliveries")]
    return services + [(door, "/v1/me/permissions") for door in story.world.authz]


async def last_success(door: Door, path: str, token: str) -> float:
    """When the last answer came that was no 401. Ten refusals in a row are believed: none may be taken back."""
    last, refused = time.perf_counter(), 0
    while refused < 10:
        status = (await door.ask("GET", path, token=token)).status
        refused = refused + 1 if status == 401 else 0
        last = last if status == 401 else time.perf_counter()
    return last


def row(act: str, taken: Sequence[Taken]) -> str:
    after, whole = (sorted(getattr(one, name) * 1000 for one in taken) for name in ("after", "whole"))
    p99 = min(len(after) - 1, int(len(after) * 0.99))
    return (
        f"| {act} | {len(after)} | {statistics.median(after):.1f} | {after[p99]:.1f} | {after[-1]:.1f} |"
        f" {statistics.median(whole):.1f} | {whole[p99]:.1f} |"
    )


async def renewed(story: Story) -> None:
    """Ray's access token is good for five minutes."""
    status, tokens = await refresh(story.world, story.ray.refresh)
    require(status == 200, "Ray's refresh token was refused")
    story.ray = Tokens(tokens["access_token"], tokens["refresh_token"])


async def measure(state: Path, count: int) -> None:
    record = records.running(state)
    if record is None:
        raise SystemExit("Staffgate is not running: start it with ./dev up --detach.")
    async with staged(record.urls, Keys(state), lambda _line: None) as story:
        await story.register()
        print("| act | times | median ms after 2xx | p99 | worst | median ms after asking | p99 |")
        print("|---|---|---|---|---|---|---|")
        n = 0
        for act in ACTS:
            taken = []
            for _ in range(count):
                if n % 50 == 0:
                    await renewed(story)
                taken.append(await put_out(story, act, n))
                n += 1
            print(row(act, taken), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, default=Path(".state"))
    parser.add_argument("--long", action="store_true", help="200 times each instead of 20")
    arguments = parser.parse_args()
    asyncio.run(measure(arguments.state, 200 if arguments.long else 20))


if __name__ == "__main__":
    main()
