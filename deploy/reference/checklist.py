"""What Staffgate promises, line by line, and the tests that hold it: out of the tests' own `checklist` marks."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from deploy.reference.requirements import REMARKS, REQUIREMENTS
from deploy.reference.table import table

TESTS = Path(__file__).parents[2] / "tests"

_HEAD = """# What Staffgate promises, and the tests that hold it

Each line is a promise, with the tests that fail when what keeps it is taken out. `./dev test` runs them all; a test with
`--long` behind it runs its full size only then, and a sample otherwise. Where a line says more than a test can, or less
is promised than a standard asks, the result says so.

The sections: A logging in, B passwords, C codes by e-mail and SMS, D authenticator app and recovery, E limits and lists,
F links, G sessions and tokens, H tenants and accounts, I import, K passkeys, L the API, M messages that arrive, N messages
that do no harm, O the audit log and events.
"""


def page() -> str:
    found = tests_by_line()
    rows = [(line, what, _tests(found.get(line, [])), _result(line, found)) for line, what in REQUIREMENTS.items()]
    return f"{_HEAD}\n{table(('line', 'promise', 'tests', 'result'), rows)}"


def tests_by_line() -> dict[str, list[str]]:
    """`file::test` by the lines that its marks name."""
    found: dict[str, list[str]] = {}
    for file in sorted(TESTS.rglob("test_*.py")):
        for test, line in _marked(ast.parse(file.read_text())):
            found.setdefault(line, []).append(f"{file.relative_to(TESTS)}::{test}")
    return found


def _marked(module: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for mark in node.decorator_list:
                if (
                    isinstance(mark, ast.Call)
                    and isinstance(mark.func, ast.Attribute)
                    and mark.func.attr == "checklist"
                ):
                    yield from ((node.name, str(one.value)) for one in mark.args if isinstance(one, ast.Constant))


def _tests(names: list[str]) -> str:
    return "<br>".join(f"`{name}`" for name in names)


def _result(line: str, found: dict[str, list[str]]) -> str:
    return REMARKS.get(line) or ("holds" if line in found else "not claimed")
