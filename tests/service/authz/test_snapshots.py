"""What a replica remembers, on real PostgreSQL: dropped at once, never installed stale, bypassed while deaf."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from prometheus_client import REGISTRY

from services.authz.source import Stored
from shared.bus.memory import MemoryBus
from shared.bus.port import Message
from shared.errors import Unavailable
from shared.service import Role
from staffgate.contracts.authz import PermissionsChanged
from staffgate.contracts.identity import StaffStatus, StaffSuspended
from tests.service.authz.conftest import Authz, Gate, Organisation, Replica, Someone, registered, until

ASKED = ("sms.read", "inbox:sales")


def asked(source: str) -> float:
    """How many questions were answered from there: `memory`, `source` (something was loaded), or `bypassed`."""
    return REGISTRY.get_sample_value("authz_mirror_questions_total", {"source": source}) or 0


def gauge(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(f"authz_mirror_{name}", labels)
    assert value is not None
    return value


@pytest_asyncio.fixture
async def jane(acme: Organisation) -> Someone:
    jane = await acme.add()
    assert (await acme.grant(jane, "read")).status == 200
    await acme.revision()
    return jane


async def test_the_second_question_is_answered_from_memory(acme: Organisation, jane: Someone) -> None:
    assert await acme.may(jane, *ASKED)
    before = asked("source"), asked("memory")
    assert await acme.may(jane, *ASKED)
    assert (asked("source"), asked("memory")) == (before[0], before[1] + 1)


async def test_what_concerns_others_drops_nothing(acme: Organisation, jane: Someone) -> None:
    luke = await acme.add()
    assert await acme.may(jane, *ASKED)
    assert (await acme.grant(luke, "use")).status == 200
    await acme.revision()
    before = asked("source")
    assert await acme.may(jane, *ASKED)
    assert asked("source") == before


async def test_what_expires_is_not_believed_any_longer(acme: Organisation, jane: Someone) -> None:
    await acme.register("inbox:sales")
    ends = acme.authz.clock.now() + timedelta(seconds=2)
    body = {"target": {"item": "inbox:sales"}, "level": "deny", "expires_at": ends.isoformat()}
    path = f"/v1/staff/{jane.id}/grants"
    assert (await acme.authz.ask("PUT", path, token=acme.ray.token, json=body)).status == 200
    await acme.revision()
    assert not await acme.may(jane, *ASKED)
    assert not await acme.may(jane, *ASKED)
    before = asked("source")
    acme.authz.clock.advance(seconds=2)
    assert await acme.may(jane, *ASKED), "nothing was announced, and nothing had to be"
    assert asked("source") == before + 1


async def test_without_a_heartbeat_nothing_is_believed_until_the_next_one(acme: Organisation, jane: Someone) -> None:
    assert await acme.may(jane, *ASKED)
    before = asked("bypassed")
    acme.authz.clock.advance(seconds=3)
    assert await acme.may(jane, *ASKED)
    assert asked("bypassed") == before + 1
    ready = await acme.authz.ask("GET", "/readyz")
    assert (ready.status, ready.json["degraded"]) == (200, True), "each answer is right, it only takes longer"
    assert ready.json["checks"]["mirror"].startswith("ConnectionError: stale: the last heartbeat is 3.0 s old")
    assert gauge("believed") == 0
    assert gauge("heartbeat_age_seconds") == 3
    await until(lambda: gauge("believed"))
    assert gauge("heartbeat_age_seconds") == 0
    remembered = asked("memory")
    assert [await acme.may(jane, *ASKED) for _ in range(2)] == [True, True]
    assert asked("memory") == remembered + 1
    assert not (await acme.authz.ask("GET", "/readyz")).json["degraded"]


async def test_neither_heartbeats_nor_a_database_is_no_answer(
    acme: Organisation, jane: Someone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never an old one: while memory is not believed and nothing can be read, nobody is told anything."""

    async def away(*_: object) -> None:
        raise Unavailable("database_away", "The database can't be reached right now; try again.")

    assert await acme.may(jane, *ASKED)
    monkeypatch.setattr(Stored, "standing", away)
    monkeypatch.setattr("services.authz.heartbeat.read", away)
    assert await acme.may(jane, *ASKED), "in memory, and believed"
    acme.authz.clock.advance(seconds=3)
    body = {
        "subject": {"type": "staff", "id": str(jane.id)},
        "action": {"name": "sms.read"},
        "resource": {"type": "inbox", "id": "sales"},
    }
    answer = await acme.authz.ask("POST", "/access/v1/evaluation", token=acme.authz.product, json=body)
    assert answer.problem == (503, "database_away")


async def test_a_load_that_races_with_a_revoke_is_not_remembered(
    acme: Organisation, jane: Someone, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await acme.grant(jane, "use")).status == 200
    await acme.revision()
    gate = Gate(monkeypatch)
    early = asyncio.create_task(acme.explained(jane, *ASKED))
    await gate.reached.wait()
    assert (await acme.grant(jane, "deny")).status == 200
    late = await acme.explained(jane, *ASKED)
    assert late.json["decision"] is False, "asked after the revoke, so it does not join the load that began before"
    gate.go.set()
    assert (await early).json["decision"] is False, "what it waited for was overtaken, and something newer is known"
    assert (await acme.explained(jane, *ASKED)).json["decision"] is False


async def test_many_questions_at_once_make_one_load(
    acme: Organisation, jane: Someone, monkeypatch: pytest.MonkeyPatch
) -> None:
    await acme.grant(jane, "use")
    await acme.revision()
    gate, loads = Gate(monkeypatch), []
    read = gate.read

    async def counted(tx: Any, org: UUID, staff: Any) -> Any:
        loads.append(staff)
        return await read(tx, org, staff)

    gate.read = counted
    before = asked("source")
    questions = [asyncio.create_task(acme.may(jane, *ASKED)) for _ in range(20)]
    await until(lambda: asked("source") == before + 20)
    gate.go.set()
    assert await asyncio.gather(*questions) == [True] * 20
    assert loads == [[jane.id]]


async def test_deaf_nothing_is_remembered_and_nothing_is_stale(acme: Organisation, jane: Someone) -> None:
    deaf_bus = MemoryBus()
    deaf = await acme.authz.replica(deaf_bus)
    assert (await acme.explained(jane, *ASKED, on=deaf)).json["decision"] is True
    await deaf_bus.close()
    before = asked("bypassed")
    for level in ("deny", "read", "deny"):
        assert (await acme.grant(jane, level)).status == 200
        answer = await acme.explained(jane, *ASKED, on=deaf)
        assert answer.json["decision"] is (level == "read")
    assert asked("bypassed") == before + 3
    assert (await deaf.ask("GET", "/readyz")).json["checks"]["database"] == "ok"


async def test_hearing_again_begins_with_nothing(acme: Organisation, jane: Someone) -> None:
    other_bus = MemoryBus()  # hears nothing of what the first replica tells
    other = await acme.authz.replica(other_bus)
    assert (await acme.explained(jane, *ASKED, on=other)).json["decision"] is True
    assert (await acme.grant(jane, "deny")).status == 200
    assert (await acme.explained(jane, *ASKED, on=other)).json["decision"] is True, "the probe can see a stale answer"
    await other_bus.start()
    assert (await acme.explained(jane, *ASKED, on=other)).json["decision"] is False


@pytest_asyncio.fixture
async def silent(acme: Organisation, jane: Someone) -> AsyncIterator[Replica]:
    """A replica that remembers Jane's Read, and has not heard of the Deny that she has got since."""
    replica = await acme.authz.replica(MemoryBus())
    assert (await acme.explained(jane, *ASKED, on=replica)).json["decision"] is True
    assert (await acme.grant(jane, "deny")).status == 200
    yield replica


async def test_a_replica_knows_its_own_changes_before_the_bus_tells_it(
    acme: Organisation, jane: Someone, silent: Replica
) -> None:
    for level in ("use", "deny"):
        assert (await acme.grant(jane, level, on=silent)).status == 200
        answer = await acme.explained(jane, *ASKED, on=silent)
        assert answer.json["decision"] is (level == "use")
    granted = (await silent.ask("GET", f"/v1/staff/{jane.id}/grants", token=acme.ray.token)).json["grants"][0]
    path = f"/v1/staff/{jane.id}/grants/{granted['id']}"
    assert (await silent.ask("DELETE", path, token=acme.ray.token)).status == 200
    reason = (await acme.explained(jane, *ASKED, on=silent)).json["context"]["reason"]
    assert reason == "default"


async def test_a_demanded_revision_is_read_anew(acme: Organisation, jane: Someone, silent: Replica) -> None:
    revision = await acme.revision()
    assert (await acme.explained(jane, *ASKED, on=silent)).json["decision"] is True
    answer = await acme.explained(jane, *ASKED, on=silent, min_revision=revision)
    assert (answer.json["decision"], answer.json["context"]["revision"]) == (False, revision)
    assert (await acme.explained(jane, *ASKED, on=silent)).json["decision"] is False, "and remembered"


async def test_a_revision_that_is_made_up_is_not_available(acme: Organisation, jane: Someone) -> None:
    body = {
        "subject": {"type": "staff", "id": str(jane.id)},
        "action": {"name": "sms.read"},
        "resource": {"type": "inbox", "id": "sales"},
        "context": {"min_revision": await acme.revision() + 1000},
    }
    started = asyncio.get_running_loop().time()
    answer = await acme.authz.ask("POST", "/access/v1/evaluation", token=acme.authz.product, json=body)
    assert answer.problem == (503, "revision_not_reached")
    assert asyncio.get_running_loop().time() - started < 2


async def test_a_revision_about_to_come_is_waited_for(acme: Organisation, jane: Someone) -> None:
    revision = await acme.revision()
    asked_before = asked("source")
    waiting = asyncio.create_task(acme.explained(jane, *ASKED, min_revision=revision + 1))
    await until(lambda: asked("source") > asked_before)
    assert (await acme.grant(jane, "use")).json["revision"] == revision + 1
    assert (await waiting).json["context"]["revision"] == revision + 1


async def test_a_gap_in_the_announcements_drops_the_organisation(
    acme: Organisation, jane: Someone, silent: Replica
) -> None:
    luke = await acme.add()
    told = (await acme.authz.told(acme.org, await acme.revision()))[-1]
    assert told.people == [luke.id]
    await acme.authz.publish(told, bus=silent.bus)
    assert (await acme.explained(jane, *ASKED, on=silent)).json["decision"] is False


async def test_an_announcement_that_can_not_be_read_drops_everything(
    acme: Organisation, jane: Someone, silent: Replica
) -> None:
    await silent.bus.publish([Message(id="x", type=PermissionsChanged.type, body=b"{}")])
    assert (await acme.explained(jane, *ASKED, on=silent)).json["decision"] is False


async def test_memory_is_bounded(acme: Organisation, jane: Someone) -> None:
    small = await acme.authz.replica(MemoryBus(), cache_size=4)  # three people, and the inboxes
    people = [jane, *[await acme.add(default="read") for _ in range(4)]]
    for who in people:
        assert (await acme.explained(who, *ASKED, on=small)).json["decision"] is True
    assert gauge("remembered", kind="people") == 3
    before = asked("memory")
    for who in people[2:]:
        await acme.explained(who, *ASKED, on=small)
    assert asked("memory") == before + 3
    await acme.explained(people[1], *ASKED, on=small)
    assert asked("memory") == before + 3


async def test_a_suspension_drops_what_was_remembered(acme: Organisation, jane: Someone) -> None:
    assert await acme.may(jane, *ASKED)
    await jane.becomes(StaffSuspended, status=StaffStatus.SUSPENDED)
    assert not await acme.may(jane, *ASKED)


async def test_http_and_worker_can_be_two_processes(authz: Authz) -> None:
    assert authz.first is not None
    await authz.first.stop()
    await authz.bus.start()
    authz.first = await authz.replica(role=Role.HTTP)
    worker = await authz.replica(role=Role.WORKER)
    assert (await worker.ask("GET", "/openapi.json")).status == 404
    acme = await registered(authz)
    jane = await acme.add()
    assert (await acme.grant(jane, "read")).status == 200
    assert await acme.may(jane, *ASKED)
