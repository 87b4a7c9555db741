"""What a replica has missed: told from what is kept of each revision, or "everybody" wherever that is not certain."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from services.authz import replicas as module
from services.authz.catalogue import Catalogues
from services.authz.replicas import Replicas
from shared.ids import RandomIds
from shared.service import open_database
from staffgate.client import AuthzClient, Refused
from staffgate.contracts.identity import StaffDeleted
from tests.service.authz.conftest import NOBODY, Authz, Organisation, registered
from tests.service.authz.office import Office, change, entry, on
from tests.service.authz.product import token_of


@pytest.fixture
def client(authz: Authz) -> AuthzClient:
    assert authz.first is not None
    return AuthzClient(authz.session, authz.first.url, token_of(authz))


async def test_it_tells_what_the_announcements_have_told(office: Office, client: AuthzClient) -> None:
    acme, jane, vada = office.acme, await office.acme.add(), await office.acme.add()
    await acme.register("inbox:sales")
    start = await acme.revision()
    nothing = await client.changed(acme.org, start)
    assert (nothing.revision, nothing.people, nothing.types) == (start, [], [])
    role = await office.role("Seller", "team", entry("view", "sms"))
    await office.assigned(role, jane)
    await acme.granted(jane, ("use", on("sms")))
    late = await acme.add()
    await acme.register("inbox:management")
    await acme.register("contact:7", section="contacts")
    await vada.becomes(StaffDeleted, status="deleted")
    present = await acme.revision()
    found = await client.changed(acme.org, start)
    told = [event for event in await acme.authz.told(acme.org, present) if event.revision > start]
    assert found.revision == present == max(event.revision for event in told)
    assert found.people == sorted({staff for event in told for staff in event.people or ()})
    assert set(found.people or ()) == {jane.id, late.id, vada.id}
    assert set(found.types) == {type for event in told for type in event.types} >= {"inbox", "contact"}
    last = await client.changed(acme.org, present - 1)
    assert (last.people, last.types) == ([vada.id], [])


async def test_everybody_where_it_is_not_all_known(office: Office, client: AuthzClient, owner: Any) -> None:
    acme, jane = office.acme, await office.acme.add()
    start = await acme.revision()
    for level in ("use", "deny", "read"):
        await acme.granted(jane, (level, on("sms")))
    present = await acme.revision()
    assert (await client.changed(acme.org, start)).people == [jane.id]
    assert (await client.changed(acme.org, present + 1)).people is None, "which there is not yet"
    assert (await client.changed(acme.org, 2**63 - 1)).people is None
    # This database was set back to a copy since, and has gone another way: it came to that revision only afterwards.
    assert (await client.changed(acme.org, start, 60.0)).people is None
    assert (await client.changed(acme.org, present, 60.0)).people is None
    await owner.execute("UPDATE organisation_revision SET changed_at = changed_at - interval '2 min' WHERE org = $1", acme.org)  # fmt: skip
    await owner.execute("UPDATE recent_change SET at = at - interval '2 min' WHERE org = $1", acme.org)
    assert (await client.changed(acme.org, start, 60.0)).people == [jane.id]
    assert (await client.changed(acme.org, present, 60.0)).people == []
    await owner.execute("DELETE FROM recent_change WHERE org = $1 AND revision = $2", acme.org, start + 2)
    assert (await client.changed(acme.org, start)).people is None
    assert (await client.changed(acme.org, start + 2)).people is None, "nobody knows when that was"
    await office.made(change("add_contract", key="7", label="Agreement 7", products=["telephony"]))
    assert (await client.changed(acme.org, start + 3)).people is None, "a change of what everybody has in common"


async def test_of_too_many_people_everybody(
    office: Office, client: AuthzClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = office.acme
    start = await acme.revision()
    for _ in range(3):
        await acme.add()
    assert len((await client.changed(acme.org, start)).people or ()) == 3
    monkeypatch.setattr(module, "_MOST_NAMED", 2)
    assert (await client.changed(acme.org, start)).people is None


async def test_it_is_for_products_and_of_one_organisation(acme: Organisation, client: AuthzClient) -> None:
    path = f"/v1/replica/organisations/{acme.org}/changed"
    ask, product = acme.authz.ask, acme.authz.product
    assert (await ask("GET", f"{path}?since=0", token=acme.ray.token)).problem == (403, "wrong_caller")
    wrong = (
        "",
        "since=",
        "since=-1",
        "since=9223372036854775808",
        "since=1.5",
        "since=1&seconds=-1",
        "since=1&seconds=nan",
    )
    for query in wrong:
        assert (await ask("GET", f"{path}?{query}", token=product)).problem == (422, "invalid"), query
    with pytest.raises(Refused, match="404"):
        await client.changed(NOBODY, 0)
    other = await registered(acme.authz)
    start = await other.revision()
    await acme.add()
    assert (await client.changed(other.org, start)).people == []


async def test_what_is_old_is_forgotten(acme: Organisation, client: AuthzClient, owner: Any) -> None:
    """But not when the organisation came to what was followed by something newer."""
    start = await acme.revision()
    jane = await acme.add()
    middle = await acme.revision()
    await acme.add()
    await owner.execute("UPDATE recent_change SET at = at - interval '59 min' WHERE org = $1", acme.org)
    database, _ = open_database(acme.authz.settings, acme.authz.bus, acme.authz.clock, RandomIds())
    async with database.opened() as db:
        replicas = Replicas(db, Catalogues(db))
        assert await replicas.forget() == 0
        assert jane.id in ((await client.changed(acme.org, start)).people or ())
        await owner.execute(
            "UPDATE recent_change SET at = at - interval '2 min' WHERE org = $1 AND revision <= $2", acme.org, middle
        )
        assert await replicas.forget() == middle - 1
        assert await replicas.forget() == 0
    assert len((await client.changed(acme.org, middle, 3600.0)).people or ()) == 1
    assert (await client.changed(acme.org, start)).people is None


async def test_after_a_quiet_time_a_change_is_about_whom_it_is_about(
    acme: Organisation, client: AuthzClient, owner: Any
) -> None:
    """Of an organisation in which nothing happened for days, the present revision is not forgotten."""
    quiet = await acme.revision()
    await owner.execute("UPDATE recent_change SET at = at - interval '3 days' WHERE org = $1", acme.org)
    database, _ = open_database(acme.authz.settings, acme.authz.bus, acme.authz.clock, RandomIds())
    async with database.opened() as db:
        await Replicas(db, Catalogues(db)).forget()
    jane = await acme.add()
    await acme.revision()
    assert (await client.changed(acme.org, quiet, 2 * 86_400.0)).people == [jane.id]
    assert (await client.changed(acme.org, quiet, 4 * 86_400.0)).people is None
    assert (await client.changed(acme.org, quiet, inf)).people is None, "so old is nothing"
