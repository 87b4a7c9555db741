"""A product's own token: asked for once, renewed before it ends while nobody waits, and kept while identity is away."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from staffgate.client import Refused, ServiceAway
from staffgate.client.token import ServiceToken
from staffgate.contracts.identity import Tokens


@dataclass
class Identity:
    """`open` lets it answer; `fault` is what it answers then."""

    now: float = 1000.0
    life: int = 300
    fetched: int = 0
    fault: Exception | None = None
    open: asyncio.Event = field(default_factory=asyncio.Event)

    async def fetch(self) -> Tokens:
        self.fetched += 1
        name = f"token {self.fetched}"
        await self.open.wait()
        if self.fault:
            raise self.fault
        return Tokens(access_token=name, token_type="Bearer", expires_in=self.life, refresh_token=None)


@pytest_asyncio.fixture
async def identity() -> Identity:
    identity = Identity()
    identity.open.set()
    return identity


@pytest.fixture
def token(identity: Identity) -> ServiceToken:
    return ServiceToken(identity.fetch, lambda: identity.now)


async def settled() -> None:
    """What goes on beside the requests has come to its end."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_it_is_fetched_once_and_kept(identity: Identity, token: ServiceToken) -> None:
    assert identity.fetched == 0
    assert {await token() for _ in range(5)} == {"token 1"}
    assert identity.fetched == 1


async def test_all_who_ask_at_once_wait_for_one_request(identity: Identity, token: ServiceToken) -> None:
    identity.open.clear()
    asked = [asyncio.create_task(token()) for _ in range(20)]
    await settled()
    asked[0].cancel()  # whoever began it
    identity.open.set()
    assert await asyncio.gather(*asked[1:]) == ["token 1"] * 19
    assert identity.fetched == 1


async def test_it_is_renewed_before_it_ends_and_nobody_waits(identity: Identity, token: ServiceToken) -> None:
    await token()
    identity.open.clear()
    identity.now += 209
    assert (await token(), identity.fetched) == ("token 1", 1)
    identity.now += 2
    for _ in range(10):
        async with asyncio.timeout(30):
            assert await token() == "token 1"
    await settled()
    assert identity.fetched == 2
    identity.open.set()
    await settled()
    assert (await token(), identity.fetched) == ("token 2", 2)


async def test_while_identity_is_away_the_old_one_is_shown_as_long_as_it_is_good(
    identity: Identity, token: ServiceToken
) -> None:
    await token()
    identity.fault = ServiceAway("gone")
    identity.now += 211
    for _ in range(83):
        assert await token() == "token 1"
        await settled()
        identity.now += 1
    assert 3 <= identity.fetched <= 12, "it is tried again, and not at every request"
    identity.now += 5  # the end of it
    with pytest.raises(ServiceAway):
        await token()
    identity.fault = None
    assert await token() == f"token {identity.fetched}"


async def test_credentials_that_are_refused_are_told(identity: Identity, token: ServiceToken) -> None:
    identity.fault = Refused(401, "invalid_client", "")
    for _ in range(2):
        with pytest.raises(Refused, match="invalid_client"):
            await token()


async def test_one_that_is_refused_is_fetched_anew(identity: Identity, token: ServiceToken) -> None:
    shown = await token()
    identity.now += 10
    token.refused(shown)
    assert await token() == "token 2"
    token.refused(shown)
    assert await token() == "token 2", "what was refused was the one before"


async def test_a_service_that_refuses_every_token_makes_no_storm_of_requests(
    identity: Identity, token: ServiceToken
) -> None:
    for _ in range(20):
        token.refused(await token())
        identity.now += 0.1
    assert identity.fetched <= 3


async def test_a_short_life_is_lived(identity: Identity, token: ServiceToken) -> None:
    identity.life = 10
    assert await token() == "token 1"
    identity.now += 6.9
    assert await token() == "token 1"
    identity.now += 2.2
    assert await token() == "token 2"


async def test_one_that_is_there_is_at_hand_and_renewed_beside_that(identity: Identity, token: ServiceToken) -> None:
    assert token.at_hand() is None
    await settled()
    assert token.at_hand() == "token 1"
    identity.now += 0.8 * identity.life
    assert token.at_hand() == "token 1", "good still, and being renewed"
    await settled()
    assert (token.at_hand(), identity.fetched) == ("token 2", 2)
    identity.now += 2 * identity.life
    assert token.at_hand() is None
    assert await token() == "token 3"
