"""A replica inside a product while what it stands on fails: it never allows what has been denied for longer than the
bound, whatever it can't hear and whomever it can't ask. And those that have no bound are caught."""

from __future__ import annotations

from collections.abc import AsyncIterator

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


def judge(world: World, *caught: tuple[str, Fault]) -> None:
    """No sound replica was ever too old, and the others were, where they had to be."""
    print(f"\n{world.table()}")
    for fault in world.faults:
        print(f"{fault.name}: {world.said(fault)}")
    sound = world.products["sound"]
    sound.read()
    assert len(sound.answers) > 1000
    assert world.history.too_old(sound.answers, BOUND) == []
    for kind, fault in caught:
        for via in VIAS:
            old = world.history.too_old(world.during(kind, fault, via), BOUND)
            assert old, f"a replica that is {kind} over {via} is not caught when it is: {fault.name}"


async def test_no_allow_is_older_than_the_bound(world: World) -> None:
    swallowed = await cut(world, State.SWALLOWED, LASTS)
    killed = await killed_broker(world, LASTS, and_authz=True)
    judge(world, ("unbounded", swallowed), ("unhearing", swallowed), ("unhearing", killed))


@pytest.mark.long
async def test_no_allow_is_older_than_the_bound_in_whatever_way_it_fails(world: World) -> None:
    caught: list[tuple[str, Fault]] = []
    for _ in range(2):
        for state in (State.REFUSED, State.HELD, State.SWALLOWED):
            fault = await cut(world, state, 2 * LASTS)
            caught += [("unhearing", fault)] + ([] if state is State.REFUSED else [("unbounded", fault)])
        fault = await cut(world, State.SWALLOWED, SILENCE + LASTS)
        await killed_authz(world, LASTS)
        caught.append(("unhearing", await killed_broker(world, LASTS)))
        caught.append(("unhearing", await killed_broker(world, LASTS, and_authz=True)))
    judge(world, *caught)
