"""What a change announces: that it was made, and of a few people what they have now. And what it costs to make one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from services.authz import revisions
from shared.db import Tx
from staffgate.client import AuthzClient
from staffgate.client.parts import PersonFacts
from staffgate.contracts.authz import PermissionsChanged
from tests.service.authz.office import Office, change, on
from tests.service.authz.product import token_of


async def told(office: Office, make: Callable[[], Any]) -> PermissionsChanged:
    await office.acme.revision()
    before = len(office.acme.authz.heard.of(office.acme.org))
    await make()
    return (await office.acme.authz.told(office.acme.org, before + 1))[before]


async def test_it_says_what_the_person_has_now_as_a_replica_would_be_told(office: Office) -> None:
    jane = await office.acme.add()
    soon = office.acme.authz.clock.now().replace(year=2027).isoformat()
    event = await told(
        office, lambda: office.one("set_grant", staff=jane, target=on("sms"), level="use", expires_at=soon)
    )
    assert office.acme.authz.first is not None
    client = AuthzClient(office.acme.authz.session, office.acme.authz.first.url, token_of(office.acme.authz))
    carried = msgspec.json.decode(event.standings[jane.id], type=PersonFacts)
    assert carried == await client.standing(jane.id)
    assert (carried.facts.revision, len(carried.facts.grants)) == (event.revision, 1)
    assert carried.until is not None


async def test_of_many_it_says_only_that_they_changed(office: Office) -> None:
    people = [await office.acme.add() for _ in range(revisions._FEW + 1)]
    changes = [change("set_grant", staff=one, target=on("sms"), level="use") for one in people]
    few = await told(office, lambda: office.make(*changes[1:]))
    assert sorted(few.standings) == few.people
    grants = [change("set_grant", staff=one, target=on("sms"), level="read") for one in people]
    many = await told(office, lambda: office.make(*grants))
    assert (many.standings, len(many.people or ())) == ({}, len(people))


async def test_of_somebody_about_whom_there_is_much_to_say_it_says_only_that_they_changed(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revisions, "_SMALL", 100)
    jane = await office.acme.add()
    event = await told(office, lambda: office.one("set_grant", staff=jane, target=on("sms"), level="use"))
    assert (event.people, event.standings) == ([jane.id], {})


async def test_a_grant_takes_six_statements(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between BEGIN, which holds the organisation, and COMMIT: whom it is about and who gives it, the item, the grant,
    the revision with the log, what the person has now, and the outbox. Each more is 0.3 ms of the machine's time, and as
    much longer for everybody behind it."""
    jane = await office.acme.add()
    await office.acme.register("inbox:sales")
    taken: list[str] = []
    for name in ("one", "all", "value", "column", "run"):
        plain = getattr(Tx, name)

        async def counted(tx: Tx, *given: Any, plain: Any = plain) -> Any:
            if tx.org == office.acme.org:
                taken.append(next(one for one in given if isinstance(one, str)))
            return await plain(tx, *given)

        monkeypatch.setattr(Tx, name, counted)
    await office.one("set_grant", staff=jane, target=on("sms", item="inbox:sales"), level="use")
    assert len(taken) == 6, "\n".join(taken)
