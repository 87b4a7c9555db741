"""A replica inside a product's process, against a real authz: the same answers, out of memory, and what it does when it
can't have them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from deploy.local.databases import Urls
from services.authz.verdicts import Verdicts
from staffgate.client import AuthzClient, ServiceAway
from staffgate.contracts.authz import Heartbeat
from staffgate.contracts.catalogue import Feature, Manifest, Section
from staffgate.contracts.identity import StaffAdded
from staffgate.contracts.items import NamedItem
from staffgate.contracts.level import DataAccess
from staffgate.decision import Question
from staffgate.replica import Replica
from tests.conftest import fresh_database
from tests.service.authz.conftest import IDS, NOBODY, Authz, Organisation, Someone, state, until
from tests.service.authz.office import Office, change, entry, on
from tests.service.authz.product import Wire, settled, token_of

QUESTIONS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("sms.read", "inbox", "sales", {}),
    ("sms.send", "inbox", "sales", {}),
    ("sms.read", "inbox", "management", {}),
    ("sms.read", "section", "sms", {}),
    ("contacts.edit", "contact", "7", {}),
    ("contacts.edit", "contact", "7", {"owner": NOBODY}),
    ("contacts.edit", "contact", "7", {"owner": "no id"}),
    ("contacts.edit", "contact", "7", {"owner": 7}),
    ("contacts.edit", "contact", "7", {"tenant": "beta"}),
    ("product.use", "product", "sms", {}),
    ("no.such", "inbox", "sales", {}),
    ("sms.read", "no-such", "sales", {}),
)


@pytest_asyncio.fixture(scope="module")
async def database(postgres: str) -> Urls:
    """Its own: what is published here is in everybody's catalogue."""
    return await fresh_database(postgres, "authz")


@pytest.fixture
def client(authz: Authz) -> AuthzClient:
    assert authz.first is not None
    return AuthzClient(authz.session, authz.first.url, token_of(authz))


@pytest_asyncio.fixture
async def replica(authz: Authz) -> AsyncIterator[Replica]:
    assert authz.first is not None
    now = lambda: authz.clock.now().timestamp()  # noqa: E731
    async with Replica(authz.session, authz.first.url, token_of(authz), now=now) as replica:
        await until(lambda: replica.stats.catalogue is not None)
        yield replica


@pytest.fixture
def wire(authz: Authz, replica: Replica) -> Wire:
    return Wire(authz.bus, replica)


# --- the same answers -----------------------------------------------------------------------------------------


async def test_a_replica_says_what_authz_says(
    office: Office, client: AuthzClient, replica: Replica, wire: Wire
) -> None:
    acme = office.acme
    jane, vada, han = await acme.add(), await acme.add(), await acme.add(default="read")
    await office.team("Sales", None, jane, vada)
    await acme.register("inbox:sales", "inbox:management")
    await acme.granted(jane, ("read", on("sms")), ("use", on("sms", item="inbox:sales")))
    role = await office.role("Seller", "team", entry("view edit", "contacts"), entry("view", "sms"))
    await office.assigned(role, vada)
    await office.made(change("add_tenant", key="beta", label="Beta"))
    await acme.revision()
    people = [acme.ray.id, jane.id, vada.id, han.id, NOBODY]
    questions = [*QUESTIONS, ("contacts.edit", "contact", "7", {"owner": jane.id})]
    for staff in people:
        for action, type, id, about in questions:
            told = await client.decide(staff, action, type, id, **about)
            own = await replica.decide(staff, action, type, id, **about)
            assert said(own) == said(told), (staff, action, type, id, about)
        many = await client.decide_many(staff, [Question(*one) for one in questions])
        each = [await client.decide(staff, action, type, id, **about) for action, type, id, about in questions]
        assert many == each
    assert await replica.allowed(vada.id, "contacts.edit", "contact", "7", owner=jane.id), "the owner's team was loaded"
    assert replica.stats.asked == 0, "and the service was asked no question"


def said(decided: Any) -> tuple[Any, ...]:
    return decided.allowed, str(decided.reason), decided.visible, decided.rule, decided.role, decided.target


async def test_what_is_known_is_asked_for_once(acme: Organisation, replica: Replica, wire: Wire) -> None:
    jane = await acme.add(default="read")
    await settled(acme, replica, jane)
    before = replica.stats
    for _ in range(100):
        assert await replica.allowed(jane.id, "sms.read", "inbox", "sales")
        assert replica.allowed_now(jane.id, "sms.send", "inbox", "sales") is False
    after = replica.stats
    assert (after.mirror.loads, after.asked) == (before.mirror.loads, 0)
    assert after.mirror.hits == before.mirror.hits + 200


async def test_a_change_is_heard(acme: Organisation, replica: Replica, wire: Wire) -> None:
    jane = await acme.add()
    for level, expected in (("use", True), ("deny", False), ("read", True)):
        await acme.granted(jane, (level, on("sms")))
        await settled(acme, replica, jane)
        assert await replica.allowed(jane.id, "sms.read", "inbox", "sales") is expected


async def test_what_was_written_is_known_to_who_demands_it(acme: Organisation, replica: Replica, wire: Wire) -> None:
    jane = await acme.add()
    await settled(acme, replica, jane)
    wire.whole = False
    revision = (await acme.grant(jane, "use")).json["revision"]
    assert replica.allowed_now(jane.id, "sms.send", "inbox", "sales") is False, "it has heard nothing"
    decided = await replica.decide(jane.id, "sms.send", "inbox", "sales", min_revision=revision)
    assert (decided.allowed, decided.revision) == (True, revision)


async def test_items_that_change_are_heard(office: Office, client: AuthzClient, replica: Replica, wire: Wire) -> None:
    acme, vada = office.acme, await office.acme.add()
    role = await office.role("Own", "restricted", entry("view", "sms"))
    await office.assigned(role, vada)
    await acme.register("inbox:sales", "inbox:management")
    await settled(acme, replica, vada)
    assert await replica.search(vada.id, "sms.read", "inbox") == []
    await client.register(acme.org, "inbox", "sales", section="sms", label="Sales", owner=vada.id)
    await acme.revision()
    assert [item.id for item in await replica.search(vada.id, "sms.read", "inbox")] == ["sales"]
    assert [found.id async for found in client.search_resources(vada.id, "sms.read", "inbox")] == ["sales"]
    await client.remove(acme.org, "inbox", "sales")
    await acme.revision()
    assert await replica.search(vada.id, "sms.read", "inbox") == []
    assert replica.stats.asked == 0


async def test_a_newer_catalogue_is_taken_over(
    authz: Authz, acme: Organisation, client: AuthzClient, replica: Replica, wire: Wire
) -> None:
    name = f"fax{IDS.uuid().hex[-8:]}"
    client = AuthzClient(authz.session, authz.first.url, _as(authz, name)) if authz.first else client
    fax = Manifest(name, "Fax", (Section(name, "Fax", items=(f"{name}-line",)),), (
        Feature(f"{name}.send", "Send", name, "create"),
    ))  # fmt: skip
    question = (acme.ray.id, f"{name}.send", f"{name}-line", "office")
    assert (await replica.decide(*question)).reason == "unknown_action"
    published = await client.publish(fax)
    await until(lambda: replica.stats.catalogue == published.catalogue)
    assert (await replica.decide(*question)).allowed
    assert (await client.catalogue()).version == published.catalogue


def _as(authz: Authz, name: str) -> Any:
    async def token() -> str:
        return authz.identity.token(name)

    return token


# --- rows -----------------------------------------------------------------------------------------------------


async def test_rows_are_told_by_reach_and_by_who_is_in_the_teams(
    office: Office, client: AuthzClient, replica: Replica, wire: Wire
) -> None:
    acme = office.acme
    jane, vada, laya, han = await acme.add(), await acme.add(), await acme.add(), await acme.add()
    sales = await office.team("Sales", None, jane, vada)
    inside = await office.team("Inside", "Sales", laya)
    reaches = {"restricted": jane, "team": vada, "department": laya}
    for reach, who in reaches.items():
        await office.assigned(await office.role(reach.title(), reach, entry("view", "contacts")), who)
    await acme.revision()
    own = await replica.rows(jane.id, "contacts.view", "contact")
    assert (own.reach, own.staff, own.members) == (DataAccess.RESTRICTED, str(jane.id), {})
    assert own == await client.rows(jane.id, "contacts.view", "contact")
    assert replica.stats.asked == 0
    team = await replica.rows(vada.id, "contacts.view", "contact")
    assert {place: set(people) for place, people in team.members.items()} == {sales: {str(jane.id), str(vada.id)}}
    assert replica.stats.asked == 1, "the members are the service's to tell"
    below = await client.rows(laya.id, "contacts.view", "contact")
    assert below.members == {inside: (str(laya.id),)}
    assert await client.rows(han.id, "contacts.view", "contact") == await replica.rows(
        han.id, "contacts.view", "contact"
    )
    assert (await client.rows(acme.ray.id, "contacts.view", "contact")).reach is DataAccess.FULL
    assert (await client.rows(NOBODY, "contacts.view", "contact")).reach is None


async def test_people_ask_for_their_own_rows_only(acme: Organisation) -> None:
    jane = await acme.add()
    for staff, status in ((jane.id, 200), (acme.ray.id, 403), (NOBODY, 403)):
        body = {
            "subject": {"type": "staff", "id": str(staff)},
            "action": {"name": "sms.read"},
            "resource": {"type": "inbox"},
        }
        answer = await acme.authz.ask("POST", "/access/v1/rows", token=jane.token, json=body)
        assert answer.status == status, answer.text


# --- when it can't be known -----------------------------------------------------------------------------------


async def test_who_hears_nothing_asks_the_service_each_time(acme: Organisation, replica: Replica) -> None:
    jane = await acme.add()
    for count, (level, expected) in enumerate((("use", True), ("deny", False)), 1):
        await acme.granted(jane, (level, on("sms")))
        assert replica.allowed_now(jane.id, "sms.read", "inbox", "sales") is None
        assert await replica.allowed(jane.id, "sms.read", "inbox", "sales") is expected
        assert replica.stats.asked == count


async def test_past_the_bound_the_service_is_asked(acme: Organisation, replica: Replica, wire: Wire) -> None:
    jane = await acme.add(default="read")
    await settled(acme, replica, jane)
    wire.whole = False
    await acme.granted(jane, ("deny", on("sms")))
    assert replica.allowed_now(jane.id, "sms.read", "inbox", "sales") is True, "it has not heard of it"
    acme.authz.clock.advance(seconds=3.1)
    assert replica.age is not None
    assert replica.age > 3
    assert replica.allowed_now(jane.id, "sms.read", "inbox", "sales") is None
    assert await replica.allowed(jane.id, "sms.read", "inbox", "sales") is False
    assert replica.stats.asked == 1


async def test_without_memory_and_service_the_answer_is_no(acme: Organisation, replica: Replica, wire: Wire) -> None:
    jane = await acme.add(default="full")
    await settled(acme, replica, jane)
    assert acme.authz.first is not None
    wire.whole = False  # the memory bus ends with the service; a broker would not
    await acme.authz.first.stop()
    assert await replica.allowed(jane.id, "sms.read", "inbox", "sales"), "in memory, and not too old"
    acme.authz.clock.advance(seconds=3.1)
    assert await replica.allowed(jane.id, "sms.read", "inbox", "sales") is False
    with pytest.raises(ServiceAway):
        await replica.decide(jane.id, "sms.read", "inbox", "sales")
    with pytest.raises(ServiceAway):
        await replica.rows(jane.id, "sms.read", "inbox")
    assert replica.stats.unanswered == replica.stats.asked == 3


async def test_a_catalogue_that_can_not_be_had_ends_the_memory(
    acme: Organisation, replica: Replica, wire: Wire
) -> None:
    jane = await acme.add(default="read")
    await settled(acme, replica, jane)
    at = acme.authz.clock.now()
    beat = Heartbeat(org=NOBODY, at=at, revisions={}, complete=True, catalogue=10**6)
    await acme.authz.publish(beat)
    assert replica.allowed_now(jane.id, "sms.read", "inbox", "sales") is True, (
        "for as long as anything else is believed"
    )
    acme.authz.clock.advance(seconds=3.1)
    wire.restored()
    assert replica.allowed_now(jane.id, "sms.read", "inbox", "sales") is None
    assert await replica.allowed(jane.id, "sms.read", "inbox", "sales")
    assert replica.stats.asked == 1


# --- what is told to whom -------------------------------------------------------------------------------------


async def test_facts_are_for_products_only(acme: Organisation) -> None:
    jane = await acme.add()
    paths = (f"/v1/replica/standings/{jane.id}", f"/v1/replica/organisations/{acme.org}/items/inbox")
    for path in paths:
        assert (await acme.authz.ask("GET", path, token=acme.authz.product)).status == 200
        assert (await acme.authz.ask("GET", path, token=jane.token)).problem == (403, "wrong_caller")
        assert (await acme.authz.ask("GET", path)).status == 401
    nobody = await acme.authz.ask("GET", f"/v1/replica/standings/{NOBODY}", token=acme.authz.product)
    assert nobody.problem == (404, "not_found")


async def test_facts_are_never_of_before_a_change(acme: Organisation) -> None:
    """The replica that has heard of it would believe them."""
    jane = await acme.add()
    path = f"/v1/replica/standings/{jane.id}"
    for level in ("use", "deny", "read"):
        revision = (await acme.grant(jane, level)).json["revision"]
        answer = (await acme.authz.ask("GET", path, token=acme.authz.product)).json
        assert (answer["facts"]["revision"], answer["facts"]["grants"][0]["level"]) == (revision, level)


# --- people who are on their way ------------------------------------------------------------------------------


async def test_whom_identity_has_just_let_in_is_waited_for(authz: Authz, acme: Organisation) -> None:
    late = Someone(authz, acme.org, state(default="read"), IDS.uuid())
    assert authz.first is not None
    client = AuthzClient(authz.session, authz.first.url, token_of(authz))
    told = await client.decide(late.id, "sms.read", "inbox", "sales")
    assert told.reason == "unknown_subject", "nobody waits who did not ask to"
    asked = asyncio.create_task(client.decide(late.id, "sms.read", "inbox", "sales", await_subject=True))
    rows = asyncio.create_task(client.rows(late.id, "sms.read", "inbox", await_subject=True))
    await asyncio.sleep(0)
    await authz.publish(StaffAdded(org=acme.org, state=late.state))
    assert (await asked).allowed
    assert (await rows).reach is DataAccess.FULL
    never = await client.decide(NOBODY, "sms.read", "inbox", "sales", await_subject=True)
    assert (never.allowed, never.reason) == (False, "unknown_subject")
    with pytest.raises(ServiceAway):
        await client.rows(NOBODY, "sms.read", "inbox", await_subject=True)


async def test_whose_row_it_is_is_waited_for_too(office: Office, client: AuthzClient) -> None:
    acme, vada = office.acme, await office.acme.add()
    await office.assigned(await office.role("Lead", "department", entry("view edit", "core.staff")), vada)
    late = Someone(acme.authz, acme.org, state(status="invited"), IDS.uuid())
    question = (vada.id, "core.staff.edit", "staff", str(late.id))
    assert not await client.allowed(*question, owner=late.id)
    asked = asyncio.create_task(client.decide(*question, await_subject=True, owner=late.id))
    await asyncio.sleep(0)
    await acme.authz.publish(StaffAdded(org=acme.org, state=late.state))
    assert (await asked).allowed, "everybody begins in the company's own team, and so is vada"


async def test_whoever_arrives_between_two_looks_is_seen(
    office: Office, client: AuthzClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme, vada = office.acme, await office.acme.add()
    await office.assigned(await office.role("Lead", "department", entry("view edit", "core.staff")), vada)
    late = Someone(acme.authz, acme.org, state(status="invited"), IDS.uuid())
    standing = Verdicts.standing

    async def arriving(self: Verdicts, staff: UUID | None, at_least: int = 0) -> Any:
        if staff == late.id and not late.changes:
            await acme.authz.publish(StaffAdded(org=acme.org, state=late.state))
            await until(lambda: late.changes)
        return await standing(self, staff, at_least)

    monkeypatch.setattr(Verdicts, "standing", arriving)
    question = (vada.id, "core.staff.edit", "staff", str(late.id))
    assert (await client.decide(*question, await_subject=True, owner=late.id)).allowed


# --- the rest of the client -----------------------------------------------------------------------------------


async def test_searches_go_through_all_pages(acme: Organisation, client: AuthzClient) -> None:
    wanted = [NamedItem(type="inbox", id=f"box-{n:04}", section="sms", label=f"Box {n}") for n in range(1203)]
    assert await client.register_many(acme.org, wanted) > 0
    names = {one.id for one in wanted}
    found = [one.id async for one in client.search_resources(acme.ray.id, "sms.read", "inbox")]
    assert (len(found), set(found)) == (1203, names)
    assert {item.id async for item in client.items(acme.org, type="inbox")} == names
    people = {acme.ray.id, (await acme.add("administrator")).id}
    await acme.add()
    assert {one async for one in client.search_subjects(acme.org, "sms.read", "inbox", "box-0001")} == people
    actions = {one async for one in client.search_actions(acme.ray.id, "inbox", "box-0001")}
    assert {"sms.read", "sms.send", "sms.delete"} <= actions


async def test_why_is_told_in_words(acme: Organisation, authz: Authz) -> None:
    assert authz.first is not None

    async def token() -> str:
        return acme.ray.token

    jane = await acme.add()
    ray = AuthzClient(authz.session, authz.first.url, token)
    told = await ray.explain(jane.id, "sms.read", "inbox", "sales")
    assert (told.decision, told.reason) == (False, "default")
    assert "default" in told.because
