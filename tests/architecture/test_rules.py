"""The house rules that a machine can hold. Each message says why."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ("identity", "authz", "notify")
LONGEST_FILE, LONGEST_FUNCTION, MEDIAN_FUNCTION = 400, 60, 10
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "manager", "base", "misc", "common", "core", "impl"}
SOURCES = [ROOT / "sdk", ROOT / "shared", ROOT / "services", ROOT / "deploy"]


def files(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in sorted(folder.rglob("*.py")) if "__pycache__" not in path.parts)


@cache
def imports(path: Path) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(found)


def reaches(path: Path, *modules: str) -> set[str]:
    return {name for name in imports(path) if any(name == m or name.startswith(m + ".") for m in modules)}


def breaches(folder: Path, *modules: str, but: tuple[str, ...] = ()) -> dict[str, set[str]]:
    found = {}
    for path in files(folder):
        bad = {name for name in reaches(path, *modules) if not any(name.startswith(allowed) for allowed in but)}
        if bad:
            found[str(path.relative_to(ROOT))] = bad
    return found


def is_entry_point(path: Path) -> bool:
    """`api.py` and `events.py` of a service, or packages of those names."""
    return bool({"api", "api.py", "events", "events.py"} & set(path.relative_to(ROOT / "services").parts[1:]))


def test_contracts_import_only_msgspec_and_the_standard_library() -> None:
    assert not breaches(ROOT / "sdk/staffgate/contracts", "shared", "services", "aiohttp", "aio_pika", "asyncpg")
    outside = breaches(ROOT / "sdk/staffgate/contracts", "staffgate", but=("staffgate.contracts",))
    assert not outside, "the published language depends on nothing of ours"


def test_the_engine_is_pure() -> None:
    """The same facts always give the same decision: no I/O, no clock, no chance."""
    folder = ROOT / "sdk/staffgate/decision"
    impure = (
        "asyncio",
        "aiohttp",
        "aio_pika",
        "asyncpg",
        "structlog",
        "logging",
        "time",
        "datetime",
        "random",
        "socket",
    )
    assert not breaches(folder, *impure, "shared", "services")
    assert not breaches(folder, "staffgate", but=("staffgate.contracts", "staffgate.decision"))


def test_what_a_process_knows_depends_on_no_transport() -> None:
    """The same mirror in the service and inside a product: where parts come from, and news, is for others to say."""
    folder = ROOT / "sdk/staffgate/mirror"
    assert not breaches(folder, "aiohttp", "aio_pika", "asyncpg", "prometheus_client", "structlog", "time", "datetime")
    assert not breaches(folder, "staffgate", but=("staffgate.contracts", "staffgate.decision", "staffgate.mirror")), (
        "no client"
    )


def test_the_sdk_needs_neither_database_nor_services() -> None:
    assert not breaches(ROOT / "sdk", "shared", "services", "deploy", "asyncpg", "structlog")


def test_shared_knows_no_service() -> None:
    assert not breaches(ROOT / "shared", "services", "deploy")


def test_http_does_not_know_the_database_nor_the_database_the_bus() -> None:
    assert not breaches(ROOT / "shared/http", "shared.db", "shared.bus", "asyncpg", "aio_pika")
    assert not breaches(ROOT / "shared/db", "shared.bus", "shared.http", "aiohttp", "aio_pika")
    assert not breaches(ROOT / "shared/bus", "shared.http", "aiohttp")


@pytest.mark.parametrize("service", SERVICES)
def test_services_never_import_each_other(service: str) -> None:
    others = [f"services.{other}" for other in SERVICES if other != service]
    assert not breaches(ROOT / "services" / service, *others, "deploy"), "they speak by HTTP and events"


@pytest.mark.parametrize("service", SERVICES)
def test_entry_points_translate_and_never_touch_the_store(service: str) -> None:
    for path in files(ROOT / "services" / service):
        if is_entry_point(path):
            assert not reaches(path, f"services.{service}.store", "asyncpg"), path


@pytest.mark.parametrize("service", SERVICES)
def test_nouns_know_nothing_of_http_and_amqp(service: str) -> None:
    edges = {"app.py", "__main__.py"}
    for path in files(ROOT / "services" / service):
        if not is_entry_point(path) and path.name not in edges and not {"pages", "channels"} & set(path.parts):
            assert not reaches(path, "aiohttp", "aio_pika", "asyncpg"), path


@pytest.mark.parametrize("service", SERVICES)
def test_sql_is_in_the_store_and_names_the_organisation(service: str) -> None:
    tables = tenant_tables(service)
    for path in files(ROOT / "services" / service):
        for function in functions(path):
            for statement in statements(function):
                words = set(statement.replace("(", " ").replace(",", " ").replace(".", " ").split())
                if not {"SELECT", "INSERT", "UPDATE", "DELETE"} & words:
                    continue
                assert "store" in path.parts or path.name == "store.py", f"SQL outside the store: {path}"
                if tables & words and not function.name.endswith("_anywhere"):
                    assert "org" in words, f"{path.name}: {function.name} does not name its organisation"


def tenant_tables(service: str) -> set[str]:
    tables = set()
    for file in (ROOT / "services" / service / "migrations").glob("*.sql"):
        for part in file.read_text().split("CREATE TABLE ")[1:]:
            name, _, rest = part.partition("(")
            if " org " in rest.partition(");")[0].replace("\n", " "):
                tables.add(name.strip())
    return tables - {"organisation_name", "subject_organisation"}


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def statements(function: ast.AST) -> Iterator[str]:
    """The string literals that begin like SQL; implicitly joined ones are one literal."""
    for node in ast.walk(function):
        text = ""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        elif isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
        if text.split(" ")[0] in ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH"):
            yield text


def lengths(path: Path) -> list[tuple[str, int]]:
    return [(f.name, (f.end_lineno or f.lineno) - f.lineno + 1) for f in functions(path)]


def test_files_say_one_thing_and_functions_too() -> None:
    every = []
    for path in files(*SOURCES):
        lines = len(path.read_text().splitlines())
        assert lines <= LONGEST_FILE, f"{path.relative_to(ROOT)} has {lines} lines: split it by noun"
        for name, length in lengths(path):
            assert length <= LONGEST_FUNCTION, f"{path.relative_to(ROOT)}: {name} has {length} lines"
            every.append(length)
    assert statistics.median(every) < MEDIAN_FUNCTION


def test_a_file_is_named_after_what_it_holds() -> None:
    bad = [path for path in files(*SOURCES) if path.stem in FORBIDDEN_NAMES]
    assert not bad, "say what is in it; a drawer for everything is found by nobody"


def test_every_module_says_why_it_is_there() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in files(*SOURCES)
        if path.name != "__main__.py" and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent
