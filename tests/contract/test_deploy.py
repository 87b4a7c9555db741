"""docker-compose.yml and the Dockerfile say the same as ./dev. They are checked and not run: there is no engine here."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import aiosmtplib
import asyncpg
import pytest
import pytest_asyncio

from deploy.images.prepare import make_databases, make_secrets
from deploy.local.plan import SERVICES
from deploy.local.ports import free_port
from deploy.local.postgres import Postgres
from services.authz.app import Settings as AuthzSettings
from services.identity.app import Settings as IdentitySettings
from services.notify.settings import Settings as NotifySettings
from shared.settings import CommonSettings, load

ROOT = Path(__file__).parents[2]
KINDS: dict[str, type[CommonSettings]] = {
    "identity": IdentitySettings,
    "authz": AuthzSettings,
    "authz-2": AuthzSettings,
    "notify": NotifySettings,
}


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A program of the development set, beside this Python."""
    found = shutil.which(program, path=str(Path(sys.executable).parent)) or shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed; ./dev test brings it")
    return subprocess.run([found, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def compose() -> Any:
    done = run("docker-compose", "--profile", "dev", "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["services"]


@pytest.mark.parametrize("profile", [(), ("--profile", "dev")], ids=["plain", "dev"])
def test_the_compose_file_is_valid(profile: Sequence[str]) -> None:
    done = run("docker-compose", *profile, "config", "-q")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_dockerfile_is_sound() -> None:
    done = run("hadolint", "deploy/images/Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")


def test_the_same_services_run_in_containers_as_on_one_machine(compose: Any) -> None:
    local = {planned.name: planned.module for planned in SERVICES}
    assert {name: compose[name]["command"][0] for name in local} == local
    assert all(compose[name]["command"][1:] == ["--workers", "1"] for name in local), "as many as there are without"
    assert compose["postgres"]["image"].startswith("postgres:18")
    assert compose["rabbitmq"]["image"].startswith("rabbitmq:4")
    assert compose["mailbox"]["profiles"] == ["dev"]


def test_nothing_is_published_beyond_this_machine(compose: Any) -> None:
    published = [port for service in compose.values() for port in service.get("ports", [])]
    assert {port["host_ip"] for port in published} == {"127.0.0.1"}
    assert len({port["published"] for port in published}) == len(published)


def test_our_containers_have_no_privileges(compose: Any) -> None:
    for name, service in compose.items():
        if service["image"].startswith("staffgate"):
            assert service["read_only"] is True, name
            assert (service["cap_drop"], service["security_opt"]) == (["ALL"], ["no-new-privileges:true"]), name


def test_a_service_sees_no_other_services_secrets(compose: Any) -> None:
    for name in KINDS:
        mounted = [(volume["source"], volume["read_only"]) for volume in compose[name]["volumes"]]
        assert mounted == [(f"{name.removesuffix('-2')}-secrets", True)]
        environment = compose[name]["environment"]
        plain = [
            one for one in environment if one.endswith(("_KEY", "_SECRET", "_PRODUCTS", "DATABASE_URL", "AMQP_URL"))
        ]
        assert plain == [], "what is secret comes from a file"


def test_every_folder_of_secrets_belongs_to_the_images_user() -> None:
    """A named volume takes its owner from the image's folder; one that is missing there belongs to root."""
    dockerfile = (ROOT / "deploy/images/Dockerfile").read_text()
    parts = dockerfile.partition("for part in ")[2].partition(";")[0].split()
    volumes = (ROOT / "docker-compose.yml").read_text().partition("&all_secrets")[2].partition("\n\n")[0]
    assert {line.rpartition("/")[2].strip() for line in volumes.strip().splitlines()} == set(parts)


# --- what prepares the start ----------------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def prepared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Path]:
    """/secrets after both steps, run twice as before a second start, on a server of our own: it sets the passwords of
    roles that other tests log in by."""
    folder = tmp_path_factory.mktemp("secrets")
    (folder / "keys").mkdir()
    (folder / "postgres").mkdir()
    server = Postgres(tmp_path_factory.mktemp("server"))
    server.start()
    place = urlsplit(server.url)
    (folder / "postgres" / "password").write_text(place.password or "")
    for _ in range(2):
        make_secrets(folder)
        await make_databases(folder, f"{place.hostname}:{place.port}", user=place.username or "")
    yield folder
    server.stop()


@pytest.mark.parametrize("name", KINDS)
def test_every_service_finds_its_settings(compose: Any, prepared: Path, name: str) -> None:
    environment = {
        variable: value.replace("/secrets/", f"{prepared}/") for variable, value in compose[name]["environment"].items()
    }
    settings = load(KINDS[name], name.removesuffix("-2"), environment)
    assert (settings.http_host, settings.http_port) == ("0.0.0.0", 8080)  # noqa: S104
    assert str(settings.amqp_url).startswith("amqp://staffgate:")


async def test_both_roles_of_each_database_can_log_in(prepared: Path) -> None:
    for service in ("identity", "authz", "notify"):
        for name, role in (("database_url", service), ("migration_url", f"{service}_owner")):
            connection = await asyncpg.connect((prepared / service / name).read_text())
            assert await connection.fetchval("SELECT current_user || '@' || current_database()") == f"{role}@{service}"
            await connection.close()


def test_secrets_are_made_once_and_read_by_their_owner_only(prepared: Path) -> None:
    before = {file: file.read_text() for file in prepared.rglob("*") if file.is_file()}
    make_secrets(prepared)
    assert {file: file.read_text() for file in before} == before
    for file in before:
        theirs = file.parent.name in ("postgres", "rabbitmq")
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == (0o044 if theirs else 0), file


@pytest.fixture
def mailbox(tmp_path: Path, prepared: Path) -> Iterator[tuple[int, int]]:
    """Its ports here; inside a container they are always the same."""
    http, smtp = free_port(), free_port()
    serve = f"asyncio.run(mailbox.serve(Path('{tmp_path}'), Path('{prepared}/mailbox')))"
    setup = f"mailbox._HTTP, mailbox._SMTP, mailbox._EVERYWHERE = {http}, {smtp}, '127.0.0.1'"
    script = f"import asyncio; from pathlib import Path; from deploy.images import mailbox; {setup}; {serve}"
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT) as process:
        yield http, smtp
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


async def test_the_mailbox_in_a_container_takes_mail_and_shows_it(mailbox: tuple[int, int]) -> None:
    http, smtp = mailbox
    page = f"http://127.0.0.1:{http}"
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "ray@acme.example", "jane@acme.example", "Crates"
    async with aiohttp.ClientSession() as session, asyncio.timeout(30):
        while not await ready(session, f"{page}/readyz"):
            await asyncio.sleep(0.02)
        await aiosmtplib.send(mail, hostname="127.0.0.1", port=smtp)
        async with session.get(f"{page}/messages") as response:
            assert [one["subject"] for one in await response.json()] == ["Crates"]


async def ready(session: Any, url: str) -> bool:
    try:
        async with session.get(url) as response:
            return bool(response.status == 200)
    except aiohttp.ClientError:
        return False
