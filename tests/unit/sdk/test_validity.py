"""Keys that change while tokens are verified: a new one is found, an old one is dropped, and nobody can make us ask
identity again and again."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import msgspec
import pytest
from joserfc import jws
from joserfc.jwk import OKPKey

from shared.access import Access
from shared.errors import Unauthenticated
from staffgate import validity as module
from staffgate.access import ALGORITHMS, AUDIENCE, LIFETIME, TYPE, Claims, TokenRefused, Verifier
from staffgate.client import ServiceAway
from staffgate.contracts.caller import Product
from staffgate.contracts.identity import KeySet
from staffgate.sessions import Sessions
from staffgate.validity import Validity
from tests.conftest import FrozenClock

ISSUER = "http://identity.test"
CLOCK = FrozenClock()
SMS = Product(name="sms")


def now() -> float:
    return CLOCK.now().timestamp()


def key(kid: str) -> OKPKey:
    return OKPKey.generate_key("Ed25519", parameters={"kid": kid}, private=True)


def token(signed_with: OKPKey) -> str:
    at = int(now())
    claims = Claims(
        iss=ISSUER, aud=AUDIENCE, sub="sms", client_id="sms", iat=at, exp=at + LIFETIME, jti=uuid4().hex
    )  # fmt: skip
    header = {"alg": ALGORITHMS[0], "typ": TYPE, "kid": signed_with.kid}
    return jws.serialize_compact(header, msgspec.json.encode(claims), signed_with, algorithms=ALGORITHMS)


class Identity:
    """Its keys, and how often it was asked for them."""

    def __init__(self, *keys: OKPKey) -> None:
        self.published = [*keys]
        self.asked = 0
        self.away = False

    async def keys(self) -> KeySet:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise ServiceAway("gone")
        every = [one.as_dict(private=False) for one in self.published]
        return KeySet(keys=[{name: str(value) for name, value in one.items()} for one in every])

    async def ended_sessions(self) -> list[UUID]:
        return []


OLD, NEW, FORGED = key("old"), key("new"), key("forged")


async def validity(identity: Identity) -> Validity:
    made = Validity(ISSUER, now)
    made.ask(identity)
    await made.load()
    return made


@pytest.mark.checklist("G08")
async def test_a_key_that_is_not_known_is_looked_for_once_and_by_all_who_need_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    identity = Identity(OLD)
    known = await validity(identity)
    identity.published = [OLD, NEW]
    callers = await asyncio.gather(*(known.authenticate(token(NEW)) for _ in range(50)))
    assert callers == [SMS] * 50
    assert identity.asked == 2
    assert await known.authenticate(token(OLD)) == SMS


@pytest.mark.checklist("G08")
async def test_whoever_writes_names_of_keys_makes_us_ask_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    identity = Identity(OLD)
    known = await validity(identity)
    assert module._LOOK_AGAIN >= 60
    for _ in range(100):
        with pytest.raises(TokenRefused):
            await known.authenticate(token(FORGED))
    assert identity.asked == 2
    monkeypatch.setattr(module, "_LOOK_AGAIN", 0.0)  # the minute is over
    with pytest.raises(TokenRefused):
        await known.authenticate(token(FORGED))
    assert identity.asked == 3


@pytest.mark.checklist("G08")
async def test_what_was_verified_with_a_key_that_is_dropped_is_verified_anew() -> None:
    identity = Identity(OLD, NEW)
    known, shown = await validity(identity), token(OLD)
    assert known.verify(shown) == SMS
    identity.published = [NEW]
    await known.load()
    with pytest.raises(TokenRefused, match="unknown_key"):
        known.verify(shown)
    assert known.verify(token(NEW)) == SMS


async def test_while_identity_is_away_the_keys_stay() -> None:
    identity = Identity(OLD)
    known = await validity(identity)
    identity.away = True
    with pytest.raises(TokenRefused):
        await known.authenticate(token(NEW))
    assert await known.authenticate(token(OLD)) == SMS


async def test_in_a_product_the_search_goes_on_beside_and_a_later_try_succeeds() -> None:
    identity = Identity(OLD)
    async with Sessions(identity, ISSUER, now=now) as sessions:
        sessions.restored()
        async with asyncio.timeout(30):
            while not accepts(sessions, token(OLD)) or identity.asked < 2:  # what `restored` asks for
                await asyncio.sleep(0.005)
            identity.published = [OLD, NEW]
            while not accepts(sessions, token(NEW)):
                await asyncio.sleep(0.005)
        assert identity.asked == 3


def accepts(sessions: Sessions, shown: str) -> bool:
    try:
        return sessions.verify(shown) == SMS
    except TokenRefused:
        return False


async def test_a_service_looks_for_it_too() -> None:
    identity, access = Identity(OLD), Access("http://identity.test", ISSUER, CLOCK)
    access._validity.ask(identity)
    await access._validity.load()
    identity.published = [NEW]
    assert await access.authenticate(token(NEW)) == SMS
    with pytest.raises(Unauthenticated):
        await access.authenticate(token(OLD))
    assert identity.asked == 2


@pytest.mark.parametrize("broken", [{}, {"kid": "a"}, {"kid": "a", "kty": "EC", "crv": "P-256", "x": "", "y": ""}])
async def test_a_key_set_that_is_none_changes_nothing(broken: dict[str, str]) -> None:
    verifier = Verifier(ISSUER, now)
    verifier.trust(await Identity(OLD).keys())
    with pytest.raises(Exception):  # noqa: B017 - whatever the library says
        verifier.trust(KeySet(keys=[broken]))
    assert verifier.verify(token(OLD)) == SMS
