"""Signing keys rotate: nobody's token is refused for it, every replica agrees, and the private half is nowhere in clear."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import msgspec
import pytest
import pytest_asyncio
import structlog
from joserfc import jws
from structlog.testing import capture_logs

from deploy.local.databases import Urls
from services.identity.app import MIGRATIONS, Settings, build, signing_keys
from services.identity.session import keys as module
from services.identity.session.keys import Keys
from services.identity.store import keys as store
from shared import log as logging
from shared.bus.memory import MemoryBus
from shared.bus.outbox import write_events
from shared.db import Database, migrate
from shared.errors import Unavailable
from shared.ids import RandomIds
from shared.sealing import Unopenable
from shared.service import Role, start
from staffgate.access import ALGORITHMS, LIFETIME, TYPE, TokenRefused, Verifier
from staffgate.contracts.caller import Product
from staffgate.contracts.identity import KeySet
from tests.conftest import FrozenClock, fresh_database
from tests.service.identity.conftest import FACTOR, ISSUER, NOTIFY, SIGNING, _key, until

ROOT = Path(__file__).parents[3]
BUS_MIGRATIONS = ROOT / "shared/bus/migrations"


@dataclass
class Suite:
    """A database of its own, and as many replicas as a test wants, on one clock."""

    urls: Urls
    settings: Settings
    db: Database
    owner: Any
    clock: FrozenClock = field(default_factory=FrozenClock)

    def replica(self, **changed: Any) -> Keys:
        return signing_keys(msgspec.structs.replace(self.settings, **changed), self.db)

    async def begun(self, count: int = 1) -> list[Keys]:
        replicas = [self.replica() for _ in range(count)]
        await asyncio.gather(*(one.refresh() for one in replicas))
        return replicas

    async def rows(self) -> list[Any]:
        return list(await self.owner.fetch("SELECT * FROM signing_key ORDER BY number"))


@pytest.fixture(autouse=True)
def log() -> Iterator[None]:
    """As it is in operation, and into what the test captures."""
    logging.configure("identity", "debug")
    yield
    structlog.reset_defaults()


@pytest_asyncio.fixture
async def suite(postgres: str) -> AsyncIterator[Suite]:
    urls, clock = await fresh_database(postgres, "identity"), FrozenClock()
    await migrate(urls.owner, urls.app, [BUS_MIGRATIONS, MIGRATIONS])
    settings = Settings(
        database_url=urls.app,
        http_port=0,
        public_url=ISSUER,
        authz_url="http://127.0.0.1:9",
        signing_key=json.dumps(SIGNING),
        factor_key=json.dumps(FACTOR),
        code_key=base64.b64encode(bytes(32)).decode(),
        seal_key=json.dumps({name: value for name, value in NOTIFY.items() if name != "d"}),
    )
    db = Database(urls.app, clock=clock, ids=RandomIds(), write_events=write_events, committed=lambda: None, size=20)
    owner: Any = await asyncpg.connect(urls.owner)
    async with db.opened():
        yield Suite(urls, settings, db, owner, clock)
    await owner.close()


def kids(keys: Keys | KeySet) -> list[str]:
    published = keys.published() if isinstance(keys, Keys) else keys
    return [key["kid"] for key in published.keys]


def kid_of(token: str) -> str:
    header = token.partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"])


def signed(keys: Keys) -> str:
    return keys.signer.sign("sms", "sms")


def accepts(keys: Keys, token: str) -> bool:
    try:
        return keys.verifier.verify(token) == Product(name="sms")
    except TokenRefused:
        return False


async def test_replicas_that_start_at_once_begin_with_the_same_key(suite: Suite) -> None:
    replicas = await suite.begun(8)
    assert [kids(one) for one in replicas] == [[SIGNING["kid"]]] * 8
    assert all(accepts(one, signed(replicas[0])) for one in replicas)
    assert len(await suite.rows()) == 1


@pytest.mark.checklist("G08")
async def test_a_key_is_published_before_it_signs_and_after_until_its_last_token_has_expired(suite: Suite) -> None:
    one, other = await suite.begun(2)
    suite.clock.advance(days=30, minutes=-15, seconds=-1)
    await one.refresh()
    assert kids(one) == ["test-Ed25519"]
    suite.clock.advance(seconds=1)
    await one.refresh()
    await other.refresh()
    old, new = kids(one)
    assert kids(other) == [old, new]
    suite.clock.advance(minutes=14, seconds=59)
    last = signed(one)
    assert kid_of(last) == old
    suite.clock.advance(seconds=1)
    # Nobody has to look at the table for that: every replica changes over at the same moment.
    assert kid_of(signed(one)) == kid_of(signed(other)) == new
    for _ in range(LIFETIME - 2):
        suite.clock.advance(seconds=1)
        await other.refresh()
        assert accepts(other, last)
    assert kids(other) == [old, new]
    suite.clock.advance(seconds=62)
    await other.refresh()
    assert kids(other) == [new]
    assert [row["kid"] for row in await suite.rows()] == [new]


@pytest.mark.checklist("G08")
async def test_what_a_dropped_key_signs_is_refused_though_it_was_accepted_before(suite: Suite) -> None:
    (keys,) = await suite.begun()
    old = keys._opened[SIGNING["kid"]]
    suite.clock.advance(days=30)
    await keys.refresh()
    suite.clock.advance(minutes=15, seconds=LIFETIME + 60)
    claims = json.loads(jws.deserialize_compact(signed(keys), keys._opened[kid_of(signed(keys))], ALGORITHMS).payload)
    token = jws.serialize_compact(
        {"alg": "EdDSA", "typ": TYPE, "kid": old.kid}, json.dumps(claims), old, algorithms=ALGORITHMS
    )
    assert accepts(keys, token)  # not read anew yet; and remembered by now
    await keys.refresh()
    assert not accepts(keys, token)


async def test_of_many_replicas_one_makes_the_next_key(suite: Suite) -> None:
    replicas = await suite.begun(10)
    suite.clock.advance(days=29, hours=23, minutes=45)
    await asyncio.gather(*(one.refresh() for one in replicas))
    assert len(await suite.rows()) == 2
    await asyncio.gather(*(one.refresh() for one in replicas))
    assert len({tuple(kids(one)) for one in replicas}) == 1
    rotated = await suite.owner.fetchval("SELECT count(*) FROM audit WHERE event = 'sys_key_rotated'")
    assert rotated == 1


async def test_keys_go_on_rotating(suite: Suite) -> None:
    (keys,) = await suite.begun()
    seen = set()
    for _ in range(91 * 24):
        suite.clock.advance(hours=1)
        await keys.refresh()
        seen.add(kid_of(signed(keys)))
        assert accepts(keys, signed(keys))
        assert len(kids(keys)) <= 2
    assert len(seen) == 3 + 1


@pytest.mark.checklist("G08")
async def test_the_private_half_is_nowhere_in_clear(suite: Suite) -> None:
    with capture_logs() as lines:
        (keys,) = await suite.begun()
        await keys.rotate()
        await keys.refresh()
    secrets = [str(key.as_dict(private=True)["d"]) for key in keys._opened.values()]
    assert len(secrets) == 2
    assert SIGNING["d"] in secrets
    tables = await suite.owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    content = ""
    for table in tables:
        content += str([tuple(row) for row in await suite.owner.fetch(f"SELECT * FROM {table['tablename']}")])
    assert "keys.changed" in [line["event"] for line in lines]
    for place in (content, repr(lines), msgspec.json.encode(keys.published()).decode(), repr(keys)):
        assert not [secret for secret in secrets if secret in place]
    assert all(key.keys() == {"kty", "crv", "x", "kid", "use", "alg"} for key in keys.published().keys)


async def test_a_sealed_key_is_good_in_its_own_row_only(suite: Suite) -> None:
    """Else whoever can write to the table could put an old key in a new one's place."""
    (keys,) = await suite.begun()
    await keys.rotate()
    await suite.owner.execute("UPDATE signing_key SET sealed = (SELECT sealed FROM signing_key WHERE number = 1)")
    with pytest.raises(Unopenable):
        await suite.replica().refresh()


@pytest.mark.checklist("G08")
async def test_an_operator_puts_a_key_out_at_once(suite: Suite) -> None:
    one, other = await suite.begun(2)
    suite.clock.advance(days=29, hours=23, minutes=45)
    await one.refresh()  # the next one waits already; it is no better
    await one.rotate(at_once=True)
    before = signed(one)
    for keys in (one, other):
        await keys.refresh()
        assert accepts(keys, before)
    suite.clock.advance(seconds=10)
    after = signed(other)
    for keys in (one, other):
        await keys.refresh()
        assert len(kids(keys)) == 1
        assert accepts(keys, after)
        assert not accepts(keys, before)
    assert [row["kid"] for row in await suite.rows()] == [kid_of(after)]


async def test_a_key_that_was_sealed_to_another_key_is_named(suite: Suite) -> None:
    await suite.begun()
    with pytest.raises(Unopenable, match="test-Ed25519 was sealed to another `factor_key`"):
        await suite.replica(factor_key=json.dumps(_key("X25519"))).refresh()


@pytest.mark.parametrize("key", [{name: value for name, value in SIGNING.items() if name != "d"}, FACTOR])
def test_only_a_private_signing_key_is_one(key: dict[str, Any]) -> None:
    db = Database("", clock=FrozenClock(), ids=RandomIds(), write_events=write_events, committed=lambda: None)
    with pytest.raises(ValueError, match="Ed25519"):
        Keys(db, None, None, None, json.dumps(key), timedelta())  # type: ignore[arg-type]


async def test_a_replica_whose_clock_is_behind_signs_all_the_same(suite: Suite) -> None:
    (one,) = await suite.begun()
    suite.clock.advance(seconds=-5)
    (behind,) = await suite.begun()
    shown = signed(behind)
    suite.clock.advance(seconds=5)
    assert accepts(one, shown)


async def test_nothing_is_signed_without_a_key(suite: Suite) -> None:
    with pytest.raises(Unavailable):
        signed(suite.replica())


# --- in a running service ------------------------------------------------------------------------------------


@dataclass
class Served:
    url: str
    session: aiohttp.ClientSession

    async def keys(self) -> tuple[KeySet, Any]:
        async with self.session.get(f"{self.url}/.well-known/jwks.json") as response:
            return msgspec.json.decode(await response.read(), type=KeySet), response.headers


@asynccontextmanager
async def served(suite: Suite, **options: Any) -> AsyncIterator[Served]:
    async with aiohttp.ClientSession() as session:
        runner = await start(build(suite.settings, MemoryBus(), Role.ALL, **options))
        yield Served("http://{}:{}".format(*runner.addresses[0][:2]), session)
        await runner.cleanup()


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_EVERY", 0.01)


@pytest.mark.usefixtures("often")
async def test_a_running_replica_sees_what_another_made_and_a_database_that_is_away_does_not_end_that(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(suite, clock=suite.clock) as one, served(suite, clock=suite.clock) as other:
        faults, read = [Unavailable("database_away", "gone"), ValueError("ours")], store.keys

        async def failing(tx: Any) -> Any:
            if faults:
                raise faults.pop()
            return await read(tx)

        monkeypatch.setattr(store, "keys", failing)
        await until(lambda: not faults)
        suite.clock.advance(days=30)

        async def both() -> bool:
            ours, theirs = (await one.keys())[0], (await other.keys())[0]
            return len(ours.keys) == 2 and ours == theirs

        async with asyncio.timeout(30):
            while not await both():
                await asyncio.sleep(0.005)


@pytest.mark.checklist("G11")
async def test_the_key_set_may_be_kept_for_less_long_than_a_key_is_announced(suite: Suite) -> None:
    async with served(suite, clock=suite.clock) as identity:
        keys, headers = await identity.keys()
    assert headers["Cache-Control"] == "public, max-age=300"
    verifier = Verifier(ISSUER, suite.clock.now().timestamp)
    verifier.trust(keys)
    (signer,) = await suite.begun()
    assert verifier.verify(signed(signer)) == Product(name="sms")


@pytest.mark.usefixtures("often")
async def test_an_operator_rotates_from_the_shell(suite: Suite) -> None:
    async with served(suite) as identity:
        for more, seconds, left in (([], 900, 1), (["--at-once"], 10, 2)):
            code, said = await shell(suite, "keys", "rotate", *more)
            assert code == 0, said
            rows = await suite.rows()
            assert rows[-1]["kid"] in said
            moment = rows[-1]["signs_from"].strftime("%Y-%m-%d %H:%M:%S")
            assert moment in said
            assert [row["ends_at"] for row in rows[:-1] if row["ends_at"] < rows[-1]["signs_from"]] == []
            same = sum(row["ends_at"] == rows[-1]["signs_from"] for row in rows[:-1])
            assert (len(rows), same) == ((2, 0) if not more else (3, 2)), (seconds, left)

            async def there(want: list[str]) -> None:
                async with asyncio.timeout(30):
                    while kids((await identity.keys())[0]) != want:
                        await asyncio.sleep(0.005)

            await there([row["kid"] for row in rows])


async def test_the_shell_says_what_is_wrong(suite: Suite) -> None:
    code, said = await shell(suite, "keys", "rotate", database_url="postgresql://nobody@127.0.0.1:9/none")
    assert code == 1
    assert "can't be asked" in said
    assert "Traceback" not in said
    code, said = await shell(suite, "keys", "rotate", signing_key=None)
    assert code == 2
    assert "IDENTITY_SIGNING_KEY is missing" in said


async def shell(suite: Suite, *arguments: str, **changed: str | None) -> tuple[int, str]:
    settings = {
        name: str(value)
        for name, value in (msgspec.structs.asdict(suite.settings) | changed).items()
        if value is not None
    }
    env = {name: value for name, value in os.environ.items() if not name.startswith(("IDENTITY_", "STAFFGATE_"))}
    env |= {f"IDENTITY_{name.upper()}": value for name, value in settings.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.identity", *arguments,
        cwd=ROOT, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()
