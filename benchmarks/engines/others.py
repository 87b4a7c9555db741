"""The other engines, each in the quickest form that we know for this work. Whoever knows a quicker one: it belongs here.

All of them are given the grid's roles and who holds them, and answer "may this person do that to this kind?". Policies,
data and questions are in the form that each likes best before the clock starts: parsed handles, dicts, tuples.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, NamedTuple

from benchmarks.grid import ACTIONS, Grid, Question

Ask = Callable[[Any], bool]


class Engine(NamedTuple):
    """One way to ask. `shaped` makes a question into what `ask` is called with; `size` is how many are answered at once."""

    name: str
    ask: Ask
    shaped: Callable[[Question], Any]


class Family(NamedTuple):
    """What comes in one package: `made` raises ImportError where that is not installed."""

    package: str
    made: Callable[[Grid], Sequence[Engine]]


# --- pycasbin -------------------------------------------------------------------------------------------------

_MODEL = """
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = {}
"""


def pycasbin(grid: Grid) -> list[Engine]:
    """Enforcer reads all policies for each question; with the cheap comparisons first it takes half as long. FastEnforcer
    looks up the policies of an object and action, so that only the role is left to be asked."""
    casbin: Any = import_module("casbin")
    model = casbin.Enforcer.new_model(text=_MODEL.format("r.obj == p.obj && r.act == p.act && g(r.sub, p.sub)"))
    enforcer = casbin.Enforcer(model)
    indexed: Any = import_module("casbin.model").FastModel([1, 2])
    indexed.load_model_from_text(_MODEL.format("g(r.sub, p.sub)"))
    fast = casbin.FastEnforcer(indexed, cache_key_order=[1, 2])
    for one in (enforcer, fast):
        one.add_policies([[role, *cell] for role, cells in grid.roles.items() for cell in sorted(cells)])
        one.add_grouping_policies([[str(who), role] for who, roles in grid.held.items() for role in roles])
    return [Engine(name, _spread(one.enforce), _words) for name, one in (("pycasbin Enforcer", enforcer), ("pycasbin FastEnforcer", fast))]  # fmt: skip


# --- Cedar ----------------------------------------------------------------------------------------------------


def cedarpy(grid: Grid) -> list[Engine]:
    """Parsed handles, without which each question takes 20 ms. Two forms: as roles are usually written, a policy for each
    role and action over a set of resources; and, four to five times as quick, a policy for each action that finds the
    roles in the resource's attributes."""
    cedar: Any = import_module("cedarpy")
    people = [_entity("User", who, parents=[_uid("Role", role) for role in held]) for who, held in grid.held.items()]
    usual = [
        f'permit(principal in Role::"{role}", action == Action::"{action}", resource) when {{ resource in [{_listed(grid, role, action)}] }};'
        for role in grid.roles for action in ACTIONS
    ]  # fmt: skip
    quick = [
        f'permit(principal, action == Action::"{a}", resource) when {{ principal in resource.{a} }};' for a in ACTIONS
    ]
    kinds = [_entity("Kind", kind, **{action: _roles(grid, kind, action) for action in ACTIONS}) for kind in grid.kinds]
    return [
        Engine("cedarpy, a policy for each role and action", _cedar(cedar, usual, people), _request),
        Engine("cedarpy, roles in the resource's attributes", _cedar(cedar, quick, people + kinds), _request),
    ]


def _cedar(cedar: Any, policies: list[str], entities: list[dict[str, Any]]) -> Ask:
    parsed, graph = cedar.PolicySet.from_str("\n".join(policies)), cedar.Entities.from_json_str(json.dumps(entities))
    return lambda request: cedar.is_authorized(request, parsed, graph).allowed  # type: ignore[no-any-return]


def _listed(grid: Grid, role: str, action: str) -> str:
    return ", ".join(f'Kind::"{kind}"' for kind in grid.kinds if (kind, action) in grid.roles[role])


def _roles(grid: Grid, kind: str, action: str) -> list[dict[str, Any]]:
    return [{"__entity": _uid("Role", role)} for role, cells in grid.roles.items() if (kind, action) in cells]


def _entity(type: str, id: object, *, parents: Sequence[object] = (), **attrs: object) -> dict[str, Any]:
    return {"uid": _uid(type, id), "attrs": attrs, "parents": [*parents]}


def _uid(type: str, id: object) -> dict[str, str]:
    return {"type": type, "id": str(id)}


def _request(asked: Question) -> dict[str, dict[str, str]]:
    """As dicts, which take half as long as Cedar's own notation."""
    who, kind, action = _words(asked)
    return {"principal": _uid("User", who), "action": _uid("Action", action), "resource": _uid("Kind", kind)}


# --- regorus --------------------------------------------------------------------------------------------------

_REGO = """package grid
allow { roles := data.cells[input.kind][input.action]; roles[data.people[input.who][_]] }"""


def regorus(grid: Grid) -> list[Engine]:
    """Everything is a look-up in data; the binding of the original, which is quicker here than its two forks."""
    engine: Any = import_module("hobofan_regorus").Engine()
    engine.add_policy("grid.rego", _REGO)
    cells = {kind: {action: _set(grid, kind, action) for action in ACTIONS} for kind in grid.kinds}
    engine.add_data({"people": {str(who): [*held] for who, held in grid.held.items()}, "cells": cells})

    def ask(given: dict[str, str]) -> bool:
        engine.set_input(given)
        return engine.eval_rule("data.grid.allow") is True

    return [Engine("regorus", ask, lambda asked: dict(zip(("who", "kind", "action"), _words(asked), strict=True)))]


def _set(grid: Grid, kind: str, action: str) -> dict[str, bool]:
    return {role: True for role, cells in grid.roles.items() if (kind, action) in cells}


# --- oso ------------------------------------------------------------------------------------------------------


def oso(grid: Grid) -> list[Engine]:
    """All in facts of Polar: objects and methods of Python take half as long again, or three times as long."""
    engine: Any = import_module("oso").Oso()
    rules = ["allow(who, action, kind) if has(who, role) and grants(role, action, kind);"]
    rules += [f'has("{who}", "{role}");' for who, held in grid.held.items() for role in held]
    rules += [
        f'grants("{role}", "{action}", "{kind}");' for role in grid.roles for kind, action in sorted(grid.roles[role])
    ]
    engine.load_str("\n".join(rules))
    return [Engine("oso", _spread(engine.is_allowed), lambda asked: (str(asked.person), asked.action, asked.kind))]


FAMILIES = (
    Family("pycasbin", pycasbin),
    Family("cedarpy", cedarpy),
    Family("hobofan-regorus", regorus),
    Family("oso", oso),
)


def _spread(ask: Callable[[str, str, str], bool]) -> Ask:
    return lambda words: ask(*words)


def _words(asked: Question) -> tuple[str, str, str]:
    return str(asked.person), asked.kind, asked.action
