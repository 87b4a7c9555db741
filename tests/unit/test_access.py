"""Whose session has ended: where that is not known, nobody gets in."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from joserfc.jwk import OKPKey

from shared.access import Access
from shared.clock import SystemClock
from shared.errors import Unavailable
from staffgate.client import ServiceAway
from staffgate.contracts.identity import KeySet


class Identity:
    """As the services see it."""

    def __init__(self) -> None:
        self.fault: Exception | None = None

    async def keys(self) -> KeySet:
        if self.fault:
            raise self.fault
        key = OKPKey.generate_key("Ed25519", parameters={"kid": "one"}, private=False).as_dict()
        return KeySet(keys=[{name: str(value) for name, value in key.items()}])

    async def ended_sessions(self) -> list[Any]:
        return [uuid4()]


@pytest.fixture
def access(monkeypatch: pytest.MonkeyPatch) -> Access:
    monkeypatch.setattr("staffgate.validity._TOO_OLD", -1.0)  # whatever was loaded before is too old at once
    return Access("http://identity.test", "", SystemClock())


async def load(access: Access, identity: Identity) -> bool:
    access._validity.ask(identity)
    return await access._validity.load()


async def test_hearing_again_is_not_enough_what_was_missed_has_to_be_loaded(access: Access) -> None:
    identity = Identity()
    access.restored()
    with pytest.raises(Unavailable):
        await access.ready()
    assert await load(access, identity)
    await access.ready()
    access.lost()
    with pytest.raises(Unavailable):
        await access.ready()
    access.restored()
    with pytest.raises(Unavailable):
        await access.ready()
    identity.fault = ServiceAway("still away")
    assert not await load(access, identity)
    with pytest.raises(Unavailable):
        await access.ready()
    identity.fault = None
    assert await load(access, identity)
    await access.ready()


async def test_an_answer_that_is_none_does_not_end_the_keeping(access: Access) -> None:
    identity = Identity()
    identity.fault = ValueError("a proxy's page")
    assert not await load(access, identity)
