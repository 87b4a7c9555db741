"""The example product can be copied: it is short, needs nothing of this repository but the SDK, and has no open door."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from typing import Any

from staffgate.decision import shipped
from staffgate.guard import Guard

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "sms_inbox.py"
LONGEST = 150


def example() -> Any:
    spec = importlib.util.spec_from_file_location("sms_inbox", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_short() -> None:
    assert len(EXAMPLE.read_text().splitlines()) < LONGEST


def test_it_needs_the_sdk_and_nothing_else_of_ours() -> None:
    nodes = list(ast.walk(ast.parse(EXAMPLE.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "." for node in nodes if isinstance(node, ast.ImportFrom)}
    foreign = {name.partition(".")[0] for name in names} - sys.stdlib_module_names
    assert foreign == {"staffgate", "aiohttp", "msgspec", "asyncpg"}


def test_no_route_was_forgotten() -> None:
    module, nothing = example(), Any
    guard = Guard(nothing, nothing)  # type: ignore[arg-type]
    app = module.web.Application()
    app.add_routes(module.routes(guard, nothing, nothing))
    assert guard.unguarded(app) == []
    assert len(app.router.routes()) > 8


def test_its_catalogue_is_the_one_that_the_suite_ships() -> None:
    """The same manifest again changes nothing, so that it may publish at each start."""
    assert example().MANIFEST in shipped()
