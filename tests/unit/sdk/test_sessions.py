"""Tokens in a product's process: whose session has ended is known, or nobody gets in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from shared.bus.envelope import encode
from shared.clock import SystemClock
from staffgate import validity as module
from staffgate.access import TokenRefused
from staffgate.client import ServiceAway
from staffgate.contracts.caller import Person
from staffgate.contracts.identity import KeySet, SessionsEnded
from staffgate.sessions import Sessions
from tests.unit.sdk.guarded import ISSUER, KEY, NOW, token


class Identity:
    """As a product sees it."""

    def __init__(self) -> None:
        self.away = False
        self.ended: list[UUID] = []

    async def keys(self) -> KeySet:
        if self.away:
            raise ServiceAway("gone")
        return KeySet(keys=[{name: str(value) for name, value in KEY.as_dict(private=False).items()}])

    async def ended_sessions(self) -> list[UUID]:
        return self.ended


@pytest.fixture
def identity() -> Identity:
    return Identity()


@pytest_asyncio.fixture
async def sessions(identity: Identity) -> AsyncIterator[Sessions]:
    async with Sessions(identity, ISSUER, now=lambda: NOW) as sessions:
        yield sessions


def ended(session: UUID) -> bytes:
    event = SessionsEnded(org=uuid4(), staff=uuid4(), sessions=[session])
    return encode(event, uuid4(), SystemClock().now())


def refuses(sessions: Sessions, session: UUID) -> bool:
    try:
        return not isinstance(sessions.verify(token(session=session)), Person)
    except TokenRefused as fault:
        return str(fault) == "session_ended"


async def test_what_ended_is_heard(sessions: Sessions) -> None:
    session, other = uuid4(), uuid4()
    sessions.restored()
    assert not refuses(sessions, session)
    sessions.heard(ended(session))
    assert refuses(sessions, session)
    assert not refuses(sessions, other)


async def test_what_ended_before_is_loaded(identity: Identity) -> None:
    session = uuid4()
    identity.ended = [session]
    async with Sessions(identity, ISSUER, now=lambda: NOW) as sessions:
        assert refuses(sessions, session)


async def test_hearing_again_is_not_enough_what_was_missed_has_to_be_loaded(
    sessions: Sessions, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    sessions.restored()
    await sessions.load()
    monkeypatch.setattr(module, "_TOO_OLD", -1.0)  # whatever was loaded before is too old at once
    assert not refuses(sessions, uuid4())
    sessions.lost()
    with pytest.raises(ServiceAway):
        sessions.verify(token())
    identity.away = True
    sessions.restored()
    await sessions.load()
    with pytest.raises(ServiceAway):
        sessions.verify(token())
    identity.away = False
    await sessions.load()
    assert not refuses(sessions, uuid4())


async def test_without_identity_nobody_gets_in(identity: Identity) -> None:
    identity.away = True
    async with Sessions(identity, ISSUER, now=lambda: NOW) as sessions:
        with pytest.raises(ServiceAway):
            sessions.verify(token())


async def test_what_can_not_be_read_is_loaded(sessions: Sessions, identity: Identity) -> None:
    session = uuid4()
    identity.ended = [session]
    sessions.heard(b"nothing that is known")
    async with asyncio.timeout(30):
        while not refuses(sessions, session):
            await asyncio.sleep(0.005)


async def test_what_was_heard_until_the_loss_counts_and_what_was_not_does_not(
    sessions: Sessions, identity: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten seconds from the last word that came: not from the last load, which may be half a minute ago, and not from the
    moment in which a dead connection was noticed."""
    now = 1000.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    sessions.restored()
    await sessions.load()
    identity.away = True
    now += 25
    sessions.heard(ended(uuid4()))
    now += 4
    sessions.lost()
    now += 5.9
    assert not refuses(sessions, uuid4())
    assert sessions.recall(token()) is None, "it was never verified"
    now += 0.2
    with pytest.raises(ServiceAway):
        sessions.verify(token())
    assert sessions.recall(token()) is None


async def test_what_was_verified_is_recalled_until_it_is_not_good(sessions: Sessions) -> None:
    sessions.restored()
    await sessions.load()
    session = uuid4()
    known = token(session=session)
    assert sessions.recall(known) is None
    caller = sessions.verify(known)
    assert sessions.recall(known) is caller
    sessions.heard(ended(session))
    assert sessions.recall(known) is None
