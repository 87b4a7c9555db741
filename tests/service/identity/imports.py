"""Files of staff, sent and waited for."""

from __future__ import annotations

import asyncio
import csv
import io
from typing import Any

from staffgate.contracts.identity import COLUMNS
from tests.service.identity.conftest import Acme, Answer

_GOOD = {"type": "standard", "name": "Luke", "email": "luke@acme.example", "username": "Luke"}


def row(**cells: str) -> dict[str, str]:
    """A good one but for what is said."""
    return _GOOD | cells


def table(*rows: dict[str, str], columns: tuple[str, ...] = COLUMNS, separator: str = ",") -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator)
    writer.writerow(columns)
    writer.writerows([row(**one).get(column, "") for column in columns] for one in rows)
    return text.getvalue().encode()


def people(count: int, prefix: str = "Agent") -> bytes:
    """That many good rows."""
    each = ({"username": f"{prefix}{n}", "name": f"{prefix} {n}", "email": f"a{n}@acme.example"} for n in range(count))
    return table(*each)


async def sent(
    acme: Acme, content: bytes, *, key: str = "monday", mode: str = "good", token: str = "", **query: str
) -> Answer:
    headers = {"Content-Type": "text/csv", "Idempotency-Key": key}
    params = {"mode": mode, **query}
    path = "/v1/staff/imports"
    return await acme.identity.ask("POST", path, token=token or acme.ray, data=content, headers=headers, params=params)


async def finished(acme: Acme, id: str, seconds: float = 20) -> Any:
    """As it is when it has come to its end."""
    async with asyncio.timeout(seconds):
        while (shown := await state(acme, id))["state"] in ("waiting", "running"):
            await asyncio.sleep(0.01)
    return shown


async def state(acme: Acme, id: str) -> Any:
    answer = await acme.identity.ask("GET", f"/v1/staff/imports/{id}", token=acme.ray)
    assert answer.status == 200, answer.text
    return answer.json


async def imported(acme: Acme, content: bytes, **how: Any) -> Any:
    answer = await sent(acme, content, **how)
    assert answer.status == 202, answer.text
    return await finished(acme, answer.json["id"])


async def settled(acme: Acme) -> None:
    """Until no import is worked on."""
    listed = (await acme.identity.ask("GET", "/v1/staff/imports", token=acme.ray)).json["imports"]
    for one in listed:
        await finished(acme, one["id"])


async def errors(acme: Acme, id: str, **query: str) -> list[dict[str, str]]:
    return read(await error_file(acme, id, **query))


async def error_file(acme: Acme, id: str, **query: str) -> str:
    answer = await acme.identity.ask("GET", f"/v1/staff/imports/{id}/errors", token=acme.ray, params=query)
    assert answer.status == 200, answer.text
    return answer.text


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
