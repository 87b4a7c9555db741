"""invited -> active <-> suspended -> deleted: each step once, told once, written down once, and no other step."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from staffgate.contracts import identity as contract
from tests.conftest import LONG
from tests.service.identity.conftest import Acme
from tests.service.identity.test_lifecycle import STEPS, problem, status_of, step, told, written

_number = itertools.count(1)


class Machine(RuleBasedStateMachine):
    """Any acts in any order: what is no step answers 404 or 409 and leaves everything as it was."""

    people = Bundle("people")

    def __init__(self, acme: Acme, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._acme, self._loop = acme, loop
        self._status: dict[UUID, str] = {}
        self._told: dict[UUID, list[type]] = {}
        self._written: dict[UUID, list[str]] = {}

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    @initialize(target=people)
    def somebody(self) -> UUID:
        return self._added()

    @rule(target=people)
    @precondition(lambda self: len(self._status) < 2)
    def add(self) -> UUID:
        return self._added()

    def _added(self) -> UUID:
        staff: UUID = self._run(self._acme.add(f"Han{next(_number)}"))
        self._status[staff], self._told[staff], self._written[staff] = (
            "invited",
            [contract.StaffAdded],
            ["user_created"],
        )
        return staff

    @rule(staff=people)
    def suspend(self, staff: UUID) -> None:
        self._ask(staff, "suspend")

    @rule(staff=people)
    def reactivate(self, staff: UUID) -> None:
        self._ask(staff, "reactivate")

    @rule(staff=people)
    def delete(self, staff: UUID) -> None:
        self._ask(staff, "delete")

    def _ask(self, staff: UUID, act: str) -> None:
        answer = self._run(step(self._acme, act, staff))
        if self._status[staff] == "deleted":
            assert problem(answer) == (404, "not_found")
        elif self._status[staff] in STEPS[act][0]:
            assert answer.status in (200, 204), answer.text
            self._stepped(staff, act)
        else:
            assert answer.status == 409, answer.text

    @rule(staff=people)
    def activate(self, staff: UUID) -> None:
        if self._status[staff] == "invited":
            self._run(self._acme.activate(staff))
            self._written[staff].append("user_activation_sent")
            self._stepped(staff, "activate")
        else:
            answer = self._run(self._acme.identity.post(f"/v1/staff/{staff}/activation-email", token=self._acme.ray))
            assert answer.status == (404 if self._status[staff] == "deleted" else 409)

    def _stepped(self, staff: UUID, act: str) -> None:
        _, self._status[staff], event, word = STEPS[act]
        self._told[staff].append(event)
        self._written[staff].append(word)

    @invariant()
    def everything_is_as_the_steps_say(self) -> None:
        for staff, status in self._status.items():
            assert self._run(status_of(self._acme, staff)) == status
            assert self._run(written(self._acme, staff)) == self._written[staff]
        self._run(self._all_told())

    async def _all_told(self) -> None:
        async with asyncio.timeout(30):
            while any(len(told(self._acme, staff)) < len(types) for staff, types in self._told.items()):
                await asyncio.sleep(0.005)
        for staff, types in self._told.items():
            assert told(self._acme, staff) == types
            states = [
                one.state for one in self._acme.identity.heard.of(contract.StaffEvent) if one.state.staff == staff
            ]
            assert states[-1].status == self._status[staff]


@pytest.mark.checklist("H03")
async def test_only_the_steps_of_the_machine_are_taken_each_with_one_event_and_one_entry(acme: Acme) -> None:
    loop = asyncio.get_running_loop()
    how = settings(
        max_examples=40 if LONG else 5, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.reuse, Phase.generate],  # fifteen steps are read as they are; to make them fewer takes minutes
    )  # fmt: skip

    def machine() -> Machine:
        return Machine(acme, loop)

    await asyncio.to_thread(run_state_machine_as_test, machine, settings=how)  # type: ignore[arg-type]


@pytest.mark.checklist("H03")
@pytest.mark.parametrize("last", ["invited", "active", "suspended"])
async def test_each_step_is_told_once_and_written_down_once(acme: Acme, last: str) -> None:
    """Once round, and deleted from where it stands then."""
    identity, han = acme.identity, await acme.add("Han")
    kinds: list[Any] = [contract.StaffAdded]
    words = ["user_created"]
    acts = {"invited": [], "active": ["activate", "suspend", "reactivate"], "suspended": ["activate", "suspend"]}[last]
    for act in (*acts, "delete"):
        if act == "activate":
            await acme.activate(han)
            words.append("user_activation_sent")
        else:
            assert (await step(acme, act, han)).status in (200, 204)
        kinds.append(STEPS[act][2])
        words.append(STEPS[act][3])
        await identity.told(STEPS[act][2], kinds.count(STEPS[act][2]) + (act == "activate"))  # Ray's is one as well
        assert (told(acme, han), await written(acme, han)) == (kinds, words)
        assert await status_of(acme, han) == STEPS[act][1]
