"""A crowd in one authz replica: what each remembered person costs, how fast they are learnt, what moving a big team costs.

./dev bench crowd            5,000 people with 40 rules of their own each, a team of 500
./dev bench crowd --long     100,000 people, a team of 10,000
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from benchmarks.fleet import IDS, Fleet, Http, Organisation
from staffgate.decision import Catalogue, shipped

RULES = 40
CONNECTIONS = 16
_INBOXES = [f"inbox:{number}" for number in range(200)]


async def crowded(fleet: Fleet, people: int, team: int) -> tuple[Organisation, list[UUID], UUID, UUID]:
    """Written as identity's events and an admin's requests would have left it, without taking an hour for it."""
    organisation = await Organisation(fleet).founded(1)
    staff = [IDS.uuid() for _ in range(people)]
    org, owner = organisation.org, await asyncpg.connect(fleet.database.owner)
    root = await owner.fetchval("SELECT id FROM team WHERE org = $1", org)
    management, moved = await _teams(fleet, organisation, root)
    subjects = [(org, one, "standard", "active", "deny", False, 1) for one in staff]
    columns = ["org", "staff", "type", "status", "default_level", "route_anywhere", "version"]
    await owner.copy_records_to_table("subject", records=subjects, columns=columns)
    await owner.copy_records_to_table("subject_organisation", records=[(one, org) for one in staff])
    members = [(org, one, moved if number < team else root) for number, one in enumerate(staff)]
    await owner.copy_records_to_table("team_member", records=members, columns=["org", "staff", "team"])
    columns = ["org", "id", "staff", "section", "feature", "item", "level"]
    for start in range(0, people, 5000):
        rules = list(_rules(org, staff[start : start + 5000]))
        await owner.copy_records_to_table("permission_grant", records=rules, columns=columns)
    await owner.execute("ANALYZE")
    await owner.close()
    return organisation, staff, management, moved


async def _teams(fleet: Fleet, organisation: Organisation, root: UUID) -> tuple[UUID, UUID]:
    http, made = fleet.door(0), []
    for name in ("Management", "Operations"):
        body = {"name": name, "parent": str(root)}
        status, answer = await http.ask("POST", "/v1/teams", organisation.token, body)
        assert status in (200, 201), answer
        made.append(UUID(answer["team"]["id"]))
    return made[0], made[1]


def _rules(org: UUID, staff: list[UUID]) -> Iterator[tuple[Any, ...]]:
    catalogue, dice = Catalogue.from_manifests(shipped()), random.Random(7)
    features = [(feature.section, feature.name) for feature in catalogue.features.values()]
    sections = [*catalogue.sections]
    for one in staff:
        places = [("sms", "", item) for item in dice.sample(_INBOXES, RULES - 12)]
        places += [(section, "", "") for section in dice.sample(sections, 8)]
        places += [(section, feature, "") for section, feature in dice.sample(features, 4)]
        for section, feature, item in places:
            yield org, IDS.uuid(), one, section, feature, item, dice.choice(("deny", "read", "use", "full"))


async def learnt(fleet: Fleet, staff: list[UUID]) -> tuple[float, float]:
    """Seconds until the replica has everybody in memory, and the bytes by which it grew for each."""
    pid = fleet.replicas[0].pid
    assert pid is not None
    await _asked(fleet, staff[:200])
    before, started = _resident(pid), time.perf_counter()
    await _asked(fleet, staff[200:])
    return time.perf_counter() - started, (_resident(pid) - before) / (len(staff) - 200)


async def _asked(fleet: Fleet, staff: list[UUID]) -> None:
    left = iter(staff)

    async def asking(http: Http) -> None:
        token = fleet.product
        for number, one in enumerate(left):
            if number % 2000 == 1999:
                token = fleet.product
            body = {
                "subject": {"type": "staff", "id": str(one)},
                "action": {"name": "sms.send"},
                "resource": {"type": "inbox", "id": "7"},
            }
            status, answer = await http.ask("POST", "/access/v1/evaluation", token, body)
            assert status == 200, answer

    await asyncio.gather(*(asking(fleet.door(0)) for _ in range(CONNECTIONS)))


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


async def main(long: bool) -> None:
    people, team = (100_000, 10_000) if long else (5000, 500)
    async with Fleet(1, settings={"AUTHZ_CACHE_SIZE": str(people + 10)}) as fleet:
        organisation, staff, management, moved = await crowded(fleet, people, team)
        seconds, each = await learnt(fleet, staff)
        print(
            f"{people} people with {RULES} rules each: {(people - 200) / seconds:.0f} learnt a second over HTTP,",
            flush=True,
        )
        print(f"{each:.0f} bytes of resident memory each")
        warm = time.perf_counter()
        await _asked(fleet, staff[:2000])
        print(f"asked again: {2000 / (time.perf_counter() - warm):.0f} a second")
        http, before = fleet.door(0), await _metrics(fleet)
        started = time.perf_counter()
        body = {"parent": str(management)}
        status, answer = await http.ask("PUT", f"/v1/teams/{moved}/parent", organisation.token, body)
        took = (time.perf_counter() - started) * 1000
        assert status == 200, answer
        after = await _metrics(fleet)
        print(
            f"moving a team of {team}: {took:.1f} ms; of {people} remembered people {before - after:.0f} were forgotten"
        )


async def _metrics(fleet: Fleet) -> float:
    status, text = await fleet.door(0).send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    assert status == 200
    for row in text.decode().splitlines():
        if row.startswith('authz_mirror_remembered{kind="people"} '):
            return float(row.split()[1])
    raise LookupError("authz_mirror_remembered")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--long", action="store_true")
    asyncio.run(main(parser.parse_args().long))
