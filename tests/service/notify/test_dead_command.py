"""`python -m services.notify dead ...`: the operator's, as a process of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from services.notify import commands
from services.notify.delivery import deliveries
from staffgate.contracts.identity import LinkIssued
from tests.service.notify.conftest import IDS, Running, link_issued


async def command(notify: Running, *arguments: str, **changed: str) -> tuple[int, str, str]:
    settings: dict[str, Any] = msgspec.structs.asdict(notify.settings)
    environ = {f"NOTIFY_{name.upper()}": str(value) for name, value in settings.items() if value is not None}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.notify", "dead", *arguments, env={**os.environ, **environ, **changed},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, said = await process.communicate()
    return process.returncode or 0, out.decode(), said.decode()


@pytest_asyncio.fixture
async def killed(notify: Running, monkeypatch: pytest.MonkeyPatch) -> list[LinkIssued]:
    monkeypatch.setattr(deliveries, "TRIES", 1)
    notify.mailbox.answers["jane@acme.example"] = ["451 try later"] * 2
    # The command knows the real time only.
    links = [link_issued(notify.clock, staff=IDS.uuid(), hours=24 * 3650) for _ in range(2)]
    for link in links:
        await notify.publish(link)
        await notify.row(link.link, "dead")
    return links


@pytest.mark.checklist("M07")
async def test_an_operator_lists_replays_and_drops(notify: Running, killed: list[LinkIssued]) -> None:
    one, other = (str(link.link) for link in killed)
    code, listed, _ = await command(notify, "list", "--provider", "mail")
    assert code == 0
    assert one in listed
    assert other in listed
    assert "451 try later" in listed
    assert "acme.example" not in listed
    assert (await command(notify, "list", "--provider", "sms"))[:2] == (0, "")
    code, said, _ = await command(notify, "replay", one)
    assert (code, said.splitlines()[-1]) == (0, "1 message(s): replay")
    notify.clock.advance(seconds=(datetime.now(UTC) - notify.clock.now()).total_seconds() + 1)  # to the command's time
    await notify.row(killed[0].link, "sent")
    code, said, _ = await command(notify, "drop", "--all", "--template", "activate")
    assert (code, said.splitlines()[-1]) == (0, "1 message(s): drop")
    assert (await notify.row(killed[1].link, "dropped"))["sealed"] is None


async def test_what_is_not_there_is_said(notify: Running, killed: list[LinkIssued]) -> None:
    assert (await command(notify, "replay", str(IDS.uuid())))[0] == 1
    assert (await command(notify, "replay", "--all", "--organisation", str(IDS.uuid())))[0] == 0


async def test_without_a_database_it_says_so(notify: Running) -> None:
    away = "postgresql://notify@127.0.0.1:1/notify"
    code, _, said = await command(notify, "list", NOTIFY_DATABASE_URL=away)
    assert (code, "can't be asked" in said, "Traceback" in said) == (1, True, False)


@pytest.mark.parametrize(
    "arguments",
    [
        ["dead"],
        ["dead", "replay"],  # which?
        ["dead", "drop"],
        ["dead", "replay", "nonsense"],
        ["dead", "replay", "--all", "--since", "yesterday"],
        ["dead", "replay", "--all", "--channel", "pigeon"],
        ["dead", "bury", "--all"],
    ],
)
def test_what_it_does_not_understand_it_does_not_do(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        commands._parser().parse_args(arguments)
    assert "usage" in capsys.readouterr().err
