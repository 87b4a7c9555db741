"""The SDK as a product gets it: a wheel that says what it needs, and needs nothing else."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
# What `pip install ./sdk` brings by itself; aiohttp brings yarl and the like, which are not ours to import.
BROUGHT = {"aiohttp", "joserfc", "msgspec"}
EXTRA = {"aio_pika"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)], cwd=ROOT / "sdk", check=True,
        capture_output=True,
    )  # fmt: skip
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with ZipFile(wheel) as packed:
        (name,) = (name for name in packed.namelist() if name.endswith("dist-info/METADATA"))
        return Parser().parsestr(packed.read(name).decode())


@pytest.fixture(scope="module")
def modules(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is in it, unpacked and away from everything else of this repository."""
    folder = tmp_path_factory.mktemp("unpacked")
    with ZipFile(wheel) as packed:
        packed.extractall(folder)
    return folder


def test_it_says_what_it_is_and_what_it_needs(metadata: Message) -> None:
    assert (metadata["Name"], metadata["License-Expression"]) == ("staffgate", "Apache-2.0")
    assert metadata["Requires-Python"] == ">=3.11"
    needs = metadata.get_all("Requires-Dist") or []
    always = {re.split(r"[<>=; ]", need)[0] for need in needs if "extra" not in need}
    assert always == BROUGHT
    assert metadata.get_all("Provides-Extra") == ["replica"]
    assert [re.split(r"[<>=; ]", need)[0] for need in needs if "extra" in need] == ["aio-pika"]
    assert "pip install './sdk[replica]'" in metadata.get_payload()  # type: ignore[operator]  # the page of the package


def test_it_is_of_the_same_version_and_licence_as_the_suite(metadata: Message) -> None:
    assert metadata["Version"] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert (ROOT / "sdk/LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert metadata.get_all("License-File") == ["LICENSE"]


def test_its_types_are_for_everybody(modules: Path) -> None:
    assert (modules / "staffgate/py.typed").exists()


def test_it_imports_only_what_it_brings(modules: Path) -> None:
    allowed = BROUGHT | EXTRA | {"staffgate"} | sys.stdlib_module_names
    found = {name.partition(".")[0] for path in modules.rglob("*.py") for name in imported(path)}
    assert found - allowed == set()
    users = {path.stem for path in modules.rglob("*.py") if EXTRA & {name.partition(".")[0] for name in imported(path)}}
    assert users == {"listener"}, "the extra is for those who hear over RabbitMQ"


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


EVERY = """
import pkgutil, sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing!r}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Without())
sys.path[:0] = [{folder!r}]
import staffgate
assert staffgate.__file__.startswith({folder!r})
names = [found.name for found in pkgutil.walk_packages(staffgate.__path__, "staffgate.")]
for name in names:
    if name != "staffgate.listener":
        __import__(name)
print(len(names))
"""


def test_every_module_is_imported_without_the_extra_and_without_the_services(modules: Path) -> None:
    """All but the one that speaks to RabbitMQ; and none of them looks at the sources beside it."""
    missing = [*EXTRA, "services", "shared", "deploy", "asyncpg", "structlog", "uvloop", "prometheus_client"]
    script = EVERY.format(missing=missing, folder=str(modules))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=modules)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50


@pytest.mark.long
@pytest.mark.parametrize("extra", ["", "[replica]"])
def test_it_is_installed_into_an_empty_environment(tmp_path: Path, extra: str) -> None:
    venv.create(tmp_path, with_pip=True)
    python = tmp_path / "bin/python"

    def run(*arguments: str) -> str:
        done = subprocess.run([python, *arguments], capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("-m", "pip", "install", "--quiet", f"{ROOT / 'sdk'}{extra}")
    run("-m", "pip", "check")
    run("-c", "import staffgate.client, staffgate.guard, staffgate.replica, staffgate.sessions, staffgate.webhooks")
    if extra:
        run("-c", "import staffgate.listener")
    else:
        assert "aio-pika" not in run("-m", "pip", "list")
