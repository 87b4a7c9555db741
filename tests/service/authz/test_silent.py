"""A replica whose authz takes every question and answers none."""

from __future__ import annotations

import time
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from staffgate.client import Patience, ServiceAway
from staffgate.replica import Replica
from tests.faults.lines import Line, State
from tests.service.authz.conftest import Authz, Organisation, until
from tests.service.authz.product import Wire, settled, token_of

LONGEST = 0.5  # seconds for a decision
TWICE = 0.9  # what loading first and asking then would come to, each for as long


async def test_all_that_a_decision_takes_takes_no_longer_than_said(authz: Authz, acme: Organisation) -> None:
    """Loading those whom it is about, and asking authz because that failed, are both of it."""
    jane, vada = await acme.add(default="read"), await acme.add(default="read")
    assert authz.first is not None
    line = Line(urlsplit(authz.first.url).port or 0)
    now, patience = (lambda: authz.clock.now().timestamp()), Patience(decision=LONGEST)
    async with line.laid():
        url = f"http://127.0.0.1:{line.port}"
        async with Replica(authz.session, url, token_of(authz), now=now, patience=patience) as replica:
            Wire(authz.bus, replica)
            await until(lambda: replica.stats.catalogue is not None)
            await settled(acme, replica, jane)
            line.becomes(State.SWALLOWED)
            shortest = min([await waited(replica, vada.id) for _ in range(3)])
            assert shortest < TWICE
            assert not await replica.allowed(vada.id, "sms.read", "inbox", "sales")
            began = time.monotonic()
            with pytest.raises(ServiceAway):
                await replica.rows(vada.id, "sms.read", "inbox")
            assert time.monotonic() - began < 10
            assert await replica.allowed(jane.id, "sms.read", "inbox", "sales"), "she is in memory"


async def waited(replica: Replica, staff: UUID) -> float:
    """For nothing."""
    began = time.monotonic()
    with pytest.raises(ServiceAway):
        await replica.decide(staff, "sms.read", "inbox", "sales")
    return time.monotonic() - began
