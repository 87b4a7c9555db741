"""Asked twice with one Idempotency-Key, done once."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from staffgate.contracts import identity as contract
from tests.locks import until_held_up
from tests.service.identity.conftest import Acme, Answer, log_in, register

JANE = {"type": "standard", "name": "Jane", "email": "jane@acme.example", "username": "Jane"}


async def add(acme: Acme, key: str, token: str = "", **more: str) -> Answer:
    headers = {"Idempotency-Key": key}
    return await acme.identity.ask("POST", "/v1/staff", token=token or acme.ray, headers=headers, json=JANE | more)


@pytest.mark.checklist("L03")
async def test_the_same_request_under_the_same_key_is_done_once(acme: Acme) -> None:
    first, second = await add(acme, "one"), await add(acme, "one")
    assert (first.status, second.status, second.text) == (201, 201, first.text)
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    await acme.identity.told(contract.StaffAdded, 2)
    assert len(acme.identity.heard.of(contract.StaffAdded)) == 2, "Ray, and Jane once"
    assert (await add(acme, "two")).status == 409, "another key is another request"


@pytest.mark.checklist("L03")
async def test_the_same_key_for_another_request_is_refused(acme: Acme) -> None:
    assert (await add(acme, "one")).status == 201
    other = await add(acme, "one", name="Laya")
    assert (other.status, other.json["type"]) == (422, "urn:staffgate:problem:key_reused")


@pytest.mark.checklist("L03")
async def test_of_two_at_once_one_is_told_to_come_again(acme: Acme) -> None:
    """Jane's username is held, so that the first request has to wait; the second finds it in flight."""
    owner = await asyncpg.connect(acme.identity.owner_url)
    async with owner.transaction():
        await owner.execute("LOCK TABLE staff_name IN EXCLUSIVE MODE")
        first = asyncio.create_task(add(acme, "one"))
        await until_held_up(owner)
        second = await add(acme, "one")
    await owner.close()
    assert (second.status, second.json["type"]) == (409, "urn:staffgate:problem:in_flight")
    assert second.headers["Retry-After"] == "1"
    assert (await first).status == 201


@pytest.mark.checklist("L03")
async def test_a_refused_request_leaves_its_key_free(acme: Acme) -> None:
    assert (await add(acme, "one", username="")).status == 422
    assert (await add(acme, "one")).status == 201


@pytest.mark.checklist("L03")
async def test_a_key_belongs_to_its_caller(acme: Acme) -> None:
    other = await register(acme.identity, "Other Crates")
    assert (await add(acme, "one")).status == 201
    theirs = await add(acme, "one", token=other.ray)
    assert (theirs.status, theirs.headers.get("Idempotency-Replayed")) == (201, None)


async def test_whoever_died_at_it_holds_the_key_for_a_minute(acme: Acme) -> None:
    owner = await asyncpg.connect(acme.identity.owner_url)
    assert (await add(acme, "one")).status == 201
    await owner.execute("UPDATE reply SET sealed = NULL")
    assert (await add(acme, "one")).status == 409
    acme.identity.clock.advance(seconds=61)
    assert (await add(acme, "one")).json["type"] == "urn:staffgate:problem:username_taken", "it is tried anew"
    await owner.close()


async def test_kept_answers_are_sealed(acme: Acme) -> None:
    jane = (await log_in(acme.identity, await acme.activate(await acme.add("Laya")))).json["access_token"]
    headers = {"Idempotency-Key": "app"}
    enrolled = await acme.identity.ask("POST", "/v1/me/factors/totp", token=jane, headers=headers)
    owner = await asyncpg.connect(acme.identity.owner_url)
    rows = await owner.fetch("SELECT t::text FROM reply t")
    await owner.close()
    assert rows
    assert not any(enrolled.json["secret"] in row[0] for row in rows)


async def test_a_key_that_is_none_is_refused(acme: Acme) -> None:
    for key in ("", "x" * 256, "é"):
        assert (await add(acme, key)).status == 400
