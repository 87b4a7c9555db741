"""The audit log is whole, or it is known where it is not; whoever has the database, or a shell, can find out."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services.identity.log import chain, trail
from services.identity.log.chain import Break, End, Link
from tests.service.identity.conftest import (
    FACTOR,
    NOTIFY,
    SIGNING,
    Acme,
    register,
    run_as_owner,
    sign_in,
)
from tests.service.identity.test_audit import busy, problem, verdict

ROOT = Path(__file__).parents[3]
MUTATIONS = 1000


async def links_of(acme: Acme) -> tuple[list[Link], End]:
    rows = await run_as_owner(
        acme.identity, "SELECT number, body, hash FROM audit WHERE org = $1 ORDER BY number", acme.org
    )
    (head,) = await run_as_owner(acme.identity, "SELECT number, hash FROM audit_head WHERE org = $1", acme.org)
    return [Link(row["number"], row["body"], row["hash"]) for row in rows], End(head["number"], head["hash"])


def judged(links: list[Link], head: End) -> Break | None:
    end = chain.follow(End(), links)
    return end if isinstance(end, Break) else chain.close(end, head, max((link.number for link in links), default=0))


def mutated(links: list[Link], chance: random.Random) -> list[Link]:
    """The log with one thing wrong: in its words, its numbers, its order or its length."""
    links, at = [*links], chance.randrange(len(links))
    one = links[at]

    def edit() -> None:
        place = chance.randrange(len(one.body))
        other = chance.choice([c for c in 'abc019{}":,-' if c != one.body[place]])
        links[at] = Link(one.number, one.body[:place] + other + one.body[place + 1 :], one.hash)

    def cut() -> None:
        links[at] = Link(one.number, one.body[: chance.randrange(len(one.body))], one.hash)

    def flip() -> None:
        place, bit = chance.randrange(len(one.hash)), 1 << chance.randrange(8)
        links[at] = Link(one.number, one.body, bytes(b ^ bit if n == place else b for n, b in enumerate(one.hash)))

    def renumber() -> None:
        links[at] = Link(one.number + chance.choice([-3, -1, 1, 2, 100]), one.body, one.hash)

    def drop() -> None:
        del links[at]

    def truncate() -> None:
        del links[at:]

    def repeat() -> None:
        links.insert(chance.randrange(len(links) + 1), one)

    def swap() -> None:
        other = chance.choice([n for n in range(len(links)) if n != at])
        links[at], links[other] = links[other], links[at]

    def exchange() -> None:
        """The words of two entries, each under the other's number and hash."""
        other = chance.choice([n for n in range(len(links)) if links[n].body != one.body])
        links[at] = Link(one.number, links[other].body, one.hash)
        links[other] = Link(links[other].number, one.body, links[other].hash)

    def forge() -> None:
        """Hashed anew, as whoever has the database could: what follows does not fit any more."""
        before = links[at - 1].hash if at else b""
        body = one.body.replace("success", "failure") + " "
        links[at] = Link(one.number, body, chain.hash_of(before, one.number, body))

    def append() -> None:
        number = links[-1].number + 1
        links.append(Link(number, one.body, chain.hash_of(links[-1].hash, number, one.body)))

    chance.choice([edit, cut, flip, renumber, drop, truncate, repeat, swap, exchange, forge, append])()
    return links


@pytest.mark.checklist("O02")
async def test_a_thousand_ways_to_tamper_with_the_log_are_all_found(acme: Acme) -> None:
    await sign_in(acme)
    await busy(acme, 20)
    links, head = await links_of(acme)
    assert judged(links, head) is None
    for seed in range(MUTATIONS):
        wrong = mutated(links, random.Random(seed))  # noqa: S311 - the same mutations each time
        if wrong != links:
            assert judged(wrong, head) is not None, f"not found: seed {seed}"


TAMPERINGS: dict[str, tuple[str, int | None]] = {
    "a word is changed": ("UPDATE audit SET body = replace(body, '127.0.0.1', '192.0.2.1') WHERE org = $1 AND number = 4", 4),
    "a hash is changed": ("UPDATE audit SET hash = sha256(hash) WHERE org = $1 AND number = 5", 5),
    "an entry is dropped": ("DELETE FROM audit WHERE org = $1 AND number = 3", 3),
    "the first is dropped": ("DELETE FROM audit WHERE org = $1 AND number = 1", 1),
    "two are exchanged": (
        "UPDATE audit a SET body = b.body FROM audit b WHERE a.org = $1 AND b.org = $1"
        " AND a.number IN (2, 3) AND b.number = 5 - a.number", 2,
    ),
    "the end is cut off": ("DELETE FROM audit WHERE org = $1 AND number > 6", 7),
    "everything is dropped": ("DELETE FROM audit WHERE org = $1", 1),
    "the head is wound back": (
        "UPDATE audit_head h SET number = 6, hash = a.hash FROM audit a WHERE h.org = $1 AND a.org = $1 AND a.number = 6", 7,
    ),
    "the head is dropped": ("DELETE FROM audit_head WHERE org = $1", None),
    "the head is another": ("UPDATE audit_head SET hash = sha256(hash) WHERE org = $1", None),
    "one is hashed anew": (
        "UPDATE audit a SET body = a.body || ' ', hash = sha256(b.hash || int8send(a.number)"
        " || convert_to(a.body || ' ', 'UTF8')) FROM audit b WHERE a.org = $1 AND b.org = $1 AND a.number = 4 AND b.number = 3", 5,
    ),
}  # fmt: skip


@pytest.mark.checklist("O02")
@pytest.mark.parametrize("tampering", TAMPERINGS)
async def test_whoever_has_the_database_changes_nothing_unnoticed(acme: Acme, tampering: str) -> None:
    await busy(acme, 5)
    assert (await verdict(acme))["sound"] is True
    statement, at = TAMPERINGS[tampering]
    await run_as_owner(acme.identity, statement, acme.org)
    found = await verdict(acme)
    assert found["sound"] is False
    assert found["why"]
    if at is not None:
        assert found["broken_at"] == at
        assert found["why"].startswith("missing") is ("dropped" in tampering or "cut off" in tampering)


@pytest.mark.checklist("O02")
async def test_a_log_that_was_made_anew_is_found_out_by_who_kept_an_anchor(acme: Acme) -> None:
    """Whoever has the database can write another history, whole in itself: a hash that is kept elsewhere tells."""
    await busy(acme, 5)
    anchor = await verdict(acme)
    kept = {"number": anchor["entries"], "hash": anchor["hash"]}
    await busy(acme, 2)
    assert (await verdict(acme, **kept))["sound"] is True
    links, _ = await links_of(acme)
    end = End()
    for link in links:
        body = link.body.replace("127.0.0.1", "192.0.2.1")
        end = End(link.number, chain.hash_of(end.hash, link.number, body))
        await run_as_owner(
            acme.identity, "UPDATE audit SET body = $3, hash = $4 WHERE org = $1 AND number = $2",
            acme.org, link.number, body, end.hash,
        )  # fmt: skip
    await run_as_owner(acme.identity, "UPDATE audit_head SET hash = $2 WHERE org = $1", acme.org, end.hash)
    assert (await verdict(acme))["sound"] is True, "nothing in the database says so"
    found = await verdict(acme, **kept)
    assert (found["sound"], found["broken_at"]) == (False, kept["number"])
    later = {"number": 10_000, "hash": anchor["hash"]}
    assert (await verdict(acme, **later))["sound"] is False, "an entry that is not there any more"
    answer = await acme.identity.ask("GET", "/v1/audit/verify", params={"number": 3}, token=acme.ray)
    assert problem(answer) == (422, "half_an_anchor")


@pytest.mark.checklist("O02")
async def test_the_service_itself_can_neither_change_nor_drop_an_entry(acme: Acme) -> None:
    connection: Any = await asyncpg.connect(acme.identity.app_url)
    for statement in ("UPDATE audit SET body = ''", "DELETE FROM audit", "TRUNCATE audit", "DELETE FROM audit_head"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with connection.transaction():
                await connection.execute(f"SET LOCAL app.org = '{acme.org}'")
                await connection.execute(statement)
    await connection.close()


@pytest.mark.checklist("O02")
async def test_a_hundred_at_once_make_one_chain(acme: Acme) -> None:
    identity = acme.identity
    before = (await verdict(acme))["entries"]
    # They hold nothing in common but the head of the chain.
    person = {"type": "standard", "name": "Han", "email": "han@acme.example"}
    acts = [identity.post("/v1/staff", person | {"username": f"Han{n}"}, token=acme.ray) for n in range(100)]
    assert {answer.status for answer in await asyncio.gather(*acts)} == {201}
    found = await verdict(acme)
    assert (found["sound"], found["entries"]) == (True, before + 100)


async def test_a_log_is_followed_in_parts(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail, "_HASHED", 3)
    await busy(acme, 5)
    assert (await verdict(acme))["sound"] is True
    await run_as_owner(acme.identity, "UPDATE audit SET hash = '' WHERE org = $1 AND number = 7", acme.org)
    assert (await verdict(acme))["broken_at"] == 7


# --- from the shell -------------------------------------------------------------------------------------------


@pytest.mark.checklist("O02")
async def test_an_operator_verifies_every_log_from_the_shell(acme: Acme) -> None:
    other = await register(acme.identity, "Other Crates")
    code, said = await shell(acme, "audit", "verify", str(acme.org))
    assert (code, said.split()[:3]) == (0, [str(acme.org), str((await verdict(acme))["entries"]), "entries"])
    await run_as_owner(acme.identity, "UPDATE audit SET hash = '' WHERE org = $1 AND number = 3", acme.org)
    code, said = await shell(acme, "audit", "verify")
    lines = {line.split()[0]: line for line in said.splitlines()}
    assert code == 1
    assert "BROKEN at entry 3: changed" in lines[str(acme.org)]
    assert "BROKEN" not in lines[str(other.org)]
    assert (await shell(acme, "audit", "verify", str(other.org)))[0] == 0


async def shell(acme: Acme, *arguments: str) -> tuple[int, str]:
    secret = base64.b64encode(bytes(32)).decode()
    settings = {
        "DATABASE_URL": acme.identity.app_url, "HTTP_PORT": "0", "PUBLIC_URL": "http://identity.test",
        "SIGNING_KEY": json.dumps(SIGNING), "FACTOR_KEY": json.dumps(FACTOR), "CODE_KEY": secret,
        "SEAL_KEY": json.dumps(NOTIFY), "AUTHZ_URL": "http://authz.test",
    }  # fmt: skip
    env = {name: value for name, value in os.environ.items() if not name.startswith(("IDENTITY_", "STAFFGATE_"))}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.identity", *arguments, cwd=ROOT,
        env=env | {f"IDENTITY_{name}": value for name, value in settings.items()},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()
