"""`python -m deploy.local.demo --state DIR`: exits with 1 at the first step that is not as it should be."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path

import aiohttp

from deploy.local import record as records
from deploy.local.demo.stage import staged
from deploy.local.demo.story import Story
from deploy.local.demo.world import Astray
from deploy.local.keys import Keys
from staffgate.client import Refused, ServiceAway


async def play(state: Path) -> int:
    record = records.running(state)
    if record is None:
        print("Staffgate is not running: start it with ./dev up --detach.", file=sys.stderr)
        return 1
    async with staged(record.urls, Keys(state), lambda line: print(f"     {line}", flush=True)) as story:
        return await tell(story)


async def tell(story: Story) -> int:
    began = time.perf_counter()
    for number, (title, chapter) in enumerate(story.chapters, 1):
        print(f"{number:>3}. {title}", flush=True)
        try:
            await chapter()
        except (Astray, Refused, ServiceAway, aiohttp.ClientError) as fault:
            print(f"  !! {fault}\n\nThe story stopped at step {number}. ./dev logs shows what the services say.")
            return 1
    print(f"\nThe whole story in {time.perf_counter() - began:.1f} s. Read Jane's mail at {story.world.mailbox.url}")
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(prog="./dev demo", description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    raise SystemExit(asyncio.run(play(parser.parse_args().state)))


if __name__ == "__main__":
    main()
