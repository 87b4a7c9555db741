"""A replica inside a product while what it stands on fails: it never allows what has been denied for longer than the
bound, whatever it can't hear and whomever it can't ask. And those that have no bound are caught."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from tests.faults import replicas
from tests.faults.lines import State
from tests.faults.product import VIAS
from tests.faults.replicas import BOUND, Fault, World

SILENCE = 10.0  # seconds of it until a connection is made anew
LASTS = 3.6  # seconds after the revoke: longer than the bound, or nothing could be too old


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    async with replicas.opened() as world:
        yield world


async def killed_authz(world: World, seconds: float) -> Fault:
    async with world.fault("authz killed", world.start_authz) as fault:
        world.kill_authz()
        await world.revoke(fault, seconds)
    return fault


async def killed_broker(world: World, seconds: float, *, and_authz: bool = False) -> Fault:
    def repair() -> None:
        world.fleet.rabbitmq.wait()

    async with world.fault("both killed" if and_authz else "broker killed", repair) as fault:
        world.fleet.rabbitmq.kill()
        if and_authz:
            world.kill_authz()
        await world.revoke(fault, seconds)
        world.fleet.rabbitmq.prepare()  # forked here: what a thread forks ends with the thread
        world.fleet.rabbitmq.launch()
        if and_authz:
            world.start_authz()
    return fault


async def cut(world: World, state: State, seconds: float) -> Fault:
    def mend() -> None: ...

    async with world.fault(f"network {state.value}", mend) as fault:
        for line in (world.broker, world.authz):
            line.becomes(state)
        await world.revoke(fault, seconds)
        for line in (world.broker, world.authz):
            line.becomes(State.WHOLE)
    return fault


def is_caught(world: World, kind: str, via: str, fault: Fault) -> bool:
    return world.history.too_old(world.during(kind, fault, via), BOUND) != []


async def until_caught(world: World, fail: Callable[[], Awaitable[Fault]], *kinds: str) -> None:
    """Each of these over each way, three faults at most: what has just forgotten, since one change overtook another, has
    nothing old to tell."""
    left = [(kind, via) for kind in kinds for via in VIAS]
    for _ in range(3):
        fault = await fail()
        left = [(kind, via) for kind, via in left if not is_caught(world, kind, via, fault)]
        if not left:
            return
    raise AssertionError(f"never caught when it is {fault.name}: {left}")


def judge(world: World) -> None:
    """No sound replica was ever too old."""
    print(f"\n{world.table()}")
    for fault in world.faults:
        print(f"{fault.name}: {world.said(fault)}")
    sound = world.products["sound"]
    sound.read()
    assert len(sound.answers) > 1000
    assert world.history.too_old(sound.answers, BOUND) == []


async def test_no_allow_is_older_than_the_bound(world: World) -> None:
    await until_caught(world, lambda: cut(world, State.SWALLOWED, LASTS), "unbounded", "unhearing")
    await until_caught(world, lambda: killed_broker(world, LASTS, and_authz=True), "unhearing")
    judge(world)


@pytest.mark.long
async def test_no_allow_is_older_than_the_bound_in_whatever_way_it_fails(world: World) -> None:
    for _ in range(2):
        await until_caught(world, lambda: cut(world, State.REFUSED, 2 * LASTS), "unhearing")
        await until_caught(world, lambda: cut(world, State.HELD, 2 * LASTS), "unbounded", "unhearing")
        await until_caught(world, lambda: cut(world, State.SWALLOWED, 2 * LASTS), "unbounded", "unhearing")
        await cut(world, State.SWALLOWED, SILENCE + LASTS)
        await killed_authz(world, LASTS)
        await until_caught(world, lambda: killed_broker(world, LASTS), "unhearing")
        await until_caught(world, lambda: killed_broker(world, LASTS, and_authz=True), "unhearing")
    judge(world)
