"""The run: everybody answers as the oracle does, or nothing is measured; then rounds; then everybody is asked again."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Any

from benchmarks import check, environment, machine, results, roster
from benchmarks.engines import ours, whole
from benchmarks.engines.others import FAMILIES
from benchmarks.engines.windows import Window, timer
from benchmarks.grid import Grid, grid
from benchmarks.results import Absent, Claim
from benchmarks.roster import Roster
from benchmarks.rounds import Target, measure
from staffgate.contracts.catalogue import Manifest
from staffgate.decision import Catalogue, Question, shipped

NAME = "inprocess"
_NOISE = 0.3  # runs of the same code, while others kept both cores busy, differed by up to a quarter
AGAIN, NEVER = 20_000, 50_000  # different questions: those asked again and again, and those that nobody has asked yet
_CHECKED, _SLOW = 2000, 100  # of each engine's answers; and of one that takes milliseconds
_GRID, _WHOLE = "the grid", "the whole model"
WARM, COLD, ENGINE = "allowed_now, asked before", "allowed_now, never asked", "decide, nothing remembered"

_FAST, _REGORUS = "pycasbin FastEnforcer", "regorus"
_USUAL, _QUICK = "cedarpy, a policy for each role and action", "cedarpy, roles in the resource's attributes"


def _claims() -> tuple[Claim, ...]:
    """On the whole model, which none of the others was given: theirs is the grid, which is less work."""
    wanted = {_FAST: 100, _USUAL: 100, _QUICK: 100, _REGORUS: 10}
    return tuple(
        Claim(
            what=f"{ours}, against {other}", of=f"{ours}: {_WHOLE}", to=other, least=None if ours == ENGINE else least
        )
        for ours in (WARM, COLD, ENGINE)
        for other, least in wanted.items()
    )


class Side:
    """One target, and how its answers are held against the oracle's: `expected` are those to the first questions."""

    def __init__(self, name: str, window: Window[Any], expected: Sequence[bool], work: str) -> None:
        self.name = name
        self.window = window
        self.expected = expected
        self.work = work

    @property
    def target(self) -> Target:
        return Target(self.name, self.window.run, self.work)

    def check(self) -> None:
        """Raises AssertionError. An answer has to be True or False: None would be none at all."""
        if self.window.renew is not None:
            self.window.renew()
        for question, expected in zip(self.window.questions, self.expected, strict=False):
            found = self.window.answer(question)
            if found is not expected:
                raise AssertionError(f"{self.name} answers {found} to {question}, and the oracle {expected}")


# --- who is asked ---------------------------------------------------------------------------------------------


def of_ours(stack: ExitStack, world: Grid) -> list[Side]:
    cells = world.questions(NEVER)
    asked = [(one.person, Question(roster.action(one.kind, one.action), one.kind, one.id)) for one in cells]
    found = _sides(stack, roster.of_grid(world), [roster.manifest(world)], asked, [*map(world.allows, cells)], _GRID)
    known = whole.model()
    questions = whole.questions(known, NEVER)
    right = roster.expected_of_model(known, questions[:_CHECKED])
    return found + _sides(stack, known, shipped(), questions, right, _WHOLE)


def _sides(
    stack: ExitStack, known: Roster, manifests: Iterable[Manifest], asked: Sequence[whole.Asked],
    right: Sequence[bool], work: str,
) -> list[Side]:  # fmt: skip
    never, types = ours.calls(asked), {question.type for _, question in asked}
    one, other = (stack.enter_context(ours.Product(known, manifests, types)) for _ in range(2))
    alone = ours.engine(known, Catalogue.from_manifests(manifests))
    again = never[:AGAIN]
    for call in again:
        one.ask(call)
    return [
        Side(f"{WARM}: {work}", Window(one.ask, again), right, work),
        Side(f"{COLD}: {work}", Window(other.ask, never, other.renew), right, work),
        Side(f"{ENGINE}: {work}", Window(alone, ours.completed(again, known)), right, work),
    ]


def of_others(world: Grid) -> tuple[list[Side], list[Absent]]:
    cells = world.questions(AGAIN)
    found, absent = [], []
    for family in FAMILIES:
        say(f"    {family.package} ...")
        try:
            made = family.made(world)
        except Exception as fault:  # whatever it is, it is said, and the others are measured all the same
            reason = environment.left_out().get(family.package) or f"{type(fault).__name__}: {fault}"
            absent.append(Absent(family.package, reason))
            continue
        for engine in made:
            count = _SLOW if engine.name == "pycasbin Enforcer" else _CHECKED
            right = [*map(world.allows, cells[:count])]
            found.append(Side(engine.name, Window(engine.ask, [*map(engine.shaped, cells)]), right, _GRID))
    return found, absent


# --- the run --------------------------------------------------------------------------------------------------


def compared(rounds: int, seconds: float, tries: int) -> results.Result:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # one core, so that it is known who else was on it
    world = grid()
    with ExitStack() as stack:
        say("--- everybody's people, roles and policies")
        theirs, absent = of_others(world)
        sides = [*of_ours(stack, world), *theirs]
        say("--- every answer beside the oracle's")
        for side in sides:
            side.check()
        say("--- rounds")
        base = _FAST if any(side.name == _FAST for side in theirs) else sides[0].name
        table = measure([side.target for side in sides], rounds, seconds, base, say=say, tries=tries)
        for side in sides:
            side.check()
    versions = machine.versions(("msgspec", *(family.package for family in FAMILIES)))
    notes = {
        "clock": f"{timer():.0f} ns, which is taken off p50 and p99",
        "questions": f"{AGAIN:,} again and again, or {NEVER:,} once each",
    }
    return results.result(NAME, table, claims=_claims(), versions=versions, absent=absent, notes=notes)


def say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="./dev bench inprocess")
    parser.add_argument("--quick", action="store_true", help="five short rounds instead of nine of half a second")
    parser.add_argument(
        "--check", action="store_true", help="the same, and fail where a ratio is worse than the one kept"
    )
    parser.add_argument("--keep", action="store_true", help="keep the result: what comes later is checked against it")
    arguments = parser.parse_args()
    quick = arguments.quick or arguments.check
    rounds, seconds, tries = (5, 0.2, 2) if quick else (9, 0.5, 4)
    found = compared(rounds, seconds, tries)
    say(results.shown(found))
    if arguments.keep:
        say(f"kept in {results.save(found)}")
    passed = not arguments.check or check.passed(found, lambda: compared(rounds, seconds, tries))
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
