"""Manifests that products publish: who may, what is refused, and what every replica makes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
import pytest_asyncio
from msgspec import convert, to_builtins
from msgspec.structs import replace

from deploy.local.databases import Urls
from services.authz import manifests
from shared.bus.memory import MemoryBus
from staffgate.contracts.catalogue import Aliases, CataloguePublished, Feature, Manifest, Retired, Section
from staffgate.contracts.event import NOBODYS
from staffgate.decision import shipped
from tests.conftest import fresh_database
from tests.locks import until_held_up
from tests.service.authz.conftest import Answer, Authz, Organisation, Replica, Someone, registered

FAX = Manifest(
    "fax",
    "Fax",
    (Section("fax", "Fax", items=("line",)), Section("fax.archive", "Archive", "fax")),
    (Feature("fax.send", "Send", "fax", "create"),),
)
# The same, called otherwise.
LETTERS = Manifest(
    "fax",
    "Letters",
    (Section("letters", "Letters", items=("sender",)), Section("letters.archive", "Archive", "letters")),
    (Feature("letters.send", "Send", "letters", "create"),),
    version=2,
    aliases=Aliases(
        {"fax": "letters", "fax.archive": "letters.archive"}, {"fax.send": "letters.send"}, {"line": "sender"}
    ),
)


@pytest_asyncio.fixture
async def database(postgres: str) -> Urls:
    """One for each test: the catalogue is everybody's."""
    return await fresh_database(postgres, "authz")


async def publish(authz: Authz, manifest: Manifest, by: str = "fax", on: Replica | None = None) -> Answer:
    ask = on.ask if on else authz.ask
    path = f"/v1/catalogue/{manifest.product}"
    answer: Answer = await ask("PUT", path, token=authz.identity.token(by), json=to_builtins(manifest))
    return answer


async def published(authz: Authz, *each: Manifest, **options: Any) -> None:
    for manifest in each:
        answer = await publish(authz, manifest, **options)
        assert answer.status == 200, answer.text


async def whole(authz: Authz, on: Replica | None = None) -> Any:
    answer = await (on.ask if on else authz.ask)("GET", "/v1/catalogue", token=authz.product)
    assert answer.headers["ETag"] == f'"{answer.json["version"]}"'
    return answer.json


async def reaches(authz: Authz, replica: Replica, version: int) -> None:
    async with asyncio.timeout(30):
        while (await whole(authz, replica))["version"] < version:
            await asyncio.sleep(0.01)


async def register(acme: Organisation, item: str, section: str, label: str = "Office") -> Answer:
    path = f"/v1/organisations/{acme.org}/items/{item.replace(':', '/')}"
    body = {"section": section, "label": label}
    answer: Answer = await acme.authz.ask("PUT", path, token=acme.authz.identity.token("fax"), json=body)
    return answer


async def drift(acme: Organisation, by: str) -> list[dict[str, Any]]:
    answer = await acme.authz.ask("GET", "/v1/catalogue/drift", token=by)
    assert answer.status == 200, answer.text
    return list(answer.json["targets"])


def ship(monkeypatch: pytest.MonkeyPatch, changed: Manifest) -> None:
    """The next process that starts is of a release that ships this."""
    released = tuple(changed if one.product == changed.product else one for one in shipped())
    monkeypatch.setattr(manifests, "shipped", lambda: released)


def shipped_one(product: str, **changes: Any) -> Manifest:
    return replace(next(one for one in shipped() if one.product == product), **changes)


# --- publishing -----------------------------------------------------------------------------------------------


async def test_what_the_suite_ships_is_published_at_the_first_start_and_once(authz: Authz) -> None:
    first = await whole(authz)
    assert (first["version"], [one["product"] for one in first["manifests"]]) == (1, [one.product for one in shipped()])
    another = await authz.replica()
    assert await whole(authz, another) == first


async def test_a_manifest_may_be_published_as_often_as_one_likes(authz: Authz) -> None:
    for _ in range(2):
        answer = await publish(authz, FAX)
        assert answer.json == {"product": "fax", "version": 1, "catalogue": 2}
    present = await whole(authz)
    assert (present["version"], convert(present["manifests"][-1], Manifest)) == (2, FAX)


async def test_a_version_says_one_thing_and_never_goes_back(authz: Authz) -> None:
    await published(authz, replace(FAX, version=3))
    assert (await publish(authz, replace(FAX, version=3, label="Facsimile"))).problem == (409, "version_taken")
    assert (await publish(authz, replace(FAX, version=2))).problem == (409, "version_superseded")
    assert (await publish(authz, replace(FAX, version=4, label="Facsimile"))).json["catalogue"] == 3


async def test_a_product_belongs_to_whoever_published_it_first(authz: Authz) -> None:
    await published(authz, FAX, by="office")
    assert (await publish(authz, replace(FAX, version=2))).problem == (403, "others_manifest")
    await published(authz, replace(FAX, version=2), by="office")


async def test_what_the_suite_ships_belongs_to_the_product_of_the_same_name(authz: Authz) -> None:
    better = shipped_one("sms", label="Short messages", version=7)
    assert (await publish(authz, better, by="fax")).problem == (403, "others_manifest")
    assert (await publish(authz, replace(better, version=1), by="sms")).problem == (409, "version_taken")
    await published(authz, better, by="sms")


@pytest.mark.parametrize(
    ("manifest", "code"),
    [
        (Manifest("fax", "Fax", (Section("sms", "Stolen"),)), "bad_manifest"),
        (Manifest("fax", "Fax", (Section("fax", "Fax", items=("inbox",)),)), "bad_manifest"),
        (replace(FAX, features=(Feature("fax.send", "Send", "sms", "create"),)), "bad_manifest"),
        (replace(FAX, aliases=Aliases(sections={"a": "b", "b": "a"})), "bad_manifest"),
        (replace(FAX, aliases=Aliases(features={"sms.send": "fax.send"})), "bad_manifest"),
        (Manifest("fax", "Fax", tuple(Section(f"s{n}", "S", f"s{n + 1}") for n in range(2000))), "bad_manifest"),
        (replace(FAX, version=0), "invalid"),
    ],
)
async def test_what_makes_no_catalogue_is_refused(authz: Authz, manifest: Manifest, code: str) -> None:
    before = await whole(authz)
    assert (await publish(authz, manifest)).problem == (422, code)
    assert await whole(authz) == before


async def test_a_manifest_is_published_under_its_own_name(authz: Authz) -> None:
    body = to_builtins(FAX)
    answer = await authz.ask("PUT", "/v1/catalogue/facsimile", token=authz.identity.token("fax"), json=body)
    assert answer.problem == (422, "wrong_product")


async def test_of_two_that_publish_at_once_each_sees_the_other(authz: Authz, owner: Any) -> None:
    """Alone either of them would make a catalogue."""
    others = [replace(FAX, product=f"fax{n}") for n in range(3)]
    async with owner.transaction():
        await owner.execute("SELECT FROM catalogue_version FOR UPDATE")
        asked = [asyncio.create_task(publish(authz, one)) for one in others]
        await until_held_up(owner, len(others))
    answers = await asyncio.gather(*asked)
    assert sorted(answer.status for answer in answers) == [200, 422, 422]


# --- names that are changed -----------------------------------------------------------------------------------


async def a_fax_user(acme: Organisation) -> Someone:
    """Jane, who may send from the office's line, view the archive, and nothing of the line of the boss."""
    await published(acme.authz, FAX)
    for line in ("line:office", "line:boss"):
        assert (await register(acme, line, "fax")).status == 200
    jane = await acme.add()
    await acme.granted(
        jane,
        ("use", {"section": "fax", "feature": "fax.send", "item": "line:office"}),
        ("read", {"section": "fax"}),
        ("deny", {"section": "fax", "item": "line:boss"}),
    )
    return jane


async def test_under_another_name_everything_stored_goes_on(acme: Organisation, owner: Any) -> None:
    jane = await a_fax_user(acme)
    asked = [("fax.send", "line:office"), ("fax.send", "line:boss"), ("fax.view", "line:boss")]
    asked += [("fax.archive.view", "section:fax.archive"), ("fax.archive.edit", "section:fax.archive")]
    before = [await acme.may(jane, *question) for question in asked]
    assert before == [True, False, False, True, False]
    await published(acme.authz, LETTERS)
    assert [await acme.may(jane, *question) for question in asked] == before, "by the old names"
    now = [(action.replace("fax", "letters"), at.replace("fax", "letters")) for action, at in asked]
    now = [(action, at.replace("line", "sender")) for action, at in now]
    assert [await acme.may(jane, *question) for question in now] == before, "by the new ones"
    assert await acme.found(jane, "letters.view", "sender") == ["sender:office"]
    assert await acme.found(jane, "fax.view", "line") == ["line:office"]
    stored = await owner.fetch("SELECT DISTINCT section FROM permission_grant WHERE org = $1", acme.org)
    assert [row["section"] for row in stored] == ["fax"], "nothing was rewritten"
    assert await drift(acme, acme.ray.token) == []


async def test_a_grant_that_is_set_again_takes_its_new_name(acme: Organisation, owner: Any) -> None:
    """Two on the same would both have to allow."""
    jane = await a_fax_user(acme)
    await published(acme.authz, LETTERS)
    path = f"/v1/staff/{jane.id}/grants"
    before = (await acme.authz.ask("GET", path, token=acme.ray.token)).json
    boss = next(one for one in before["grants"] if one["target"].get("item") == "sender:boss")
    assert before["gone"] == []
    assert (await acme.grant(jane, "use", item="line:boss", section="fax")).status == 200
    assert await acme.may(jane, "letters.send", "sender:boss")
    after = (await acme.authz.ask("GET", path, token=acme.ray.token)).json
    assert [one["id"] for one in after["grants"]].count(boss["id"]) == 1
    stored = await owner.fetch("SELECT section FROM permission_grant WHERE org = $1 ORDER BY section", acme.org)
    assert [row["section"] for row in stored] == ["fax", "fax", "letters"]


async def test_an_item_that_is_registered_again_takes_its_new_name(acme: Organisation, owner: Any) -> None:
    jane = await a_fax_user(acme)
    await published(acme.authz, LETTERS)
    answer = await register(acme, "sender:office", "letters", "Front office")
    assert answer.json == {"type": "sender", "id": "office", "section": "letters", "label": "Front office"}
    assert (await register(acme, "line:boss", "fax", "The boss")).json["type"] == "sender", "as products still call it"
    rows = await owner.fetch("SELECT type, id, label FROM item WHERE org = $1 ORDER BY id", acme.org)
    assert [tuple(row) for row in rows] == [("sender", "boss", "The boss"), ("sender", "office", "Front office")]
    assert await acme.may(jane, "letters.send", "sender:office")
    path = f"/v1/organisations/{acme.org}/items/line/office"
    answer = await acme.authz.ask("DELETE", path, token=acme.authz.identity.token("fax"))
    assert answer.status == 200
    assert await acme.found(acme.ray, "letters.view", "sender") == ["sender:boss"]


async def test_a_name_in_use_does_not_disappear_by_a_slip(acme: Organisation) -> None:
    await a_fax_user(acme)
    before = await whole(acme.authz)
    bare = replace(LETTERS, aliases=Aliases())
    answer = await publish(acme.authz, bare)
    assert answer.problem == (409, "names_in_use")
    used = [(one["place"], one.get("feature"), one.get("item_type"), one["count"]) for one in answer.json["targets"]]
    assert sorted(used, key=str) == [
        ("grants", "fax.send", "line", 1),
        ("grants", None, "line", 1),
        ("grants", None, None, 1),
        ("items", None, "line", 2),
    ]
    assert {one["organisations"] for one in answer.json["targets"]} == {1}
    assert await whole(acme.authz) == before


async def test_what_is_retired_means_nothing_and_is_seen_in_the_drift(acme: Organisation) -> None:
    jane = await a_fax_user(acme)
    han = await acme.add("administrator")
    retired = Retired(sections=("fax", "fax.archive"), features=("fax.send",), items=("line",))
    await published(acme.authz, replace(LETTERS, aliases=Aliases(), retire=retired))
    assert not await acme.may(jane, "letters.view", "section:letters")
    answer = await acme.explained(jane, "fax.send", "line:office")
    assert answer.json["context"]["reason"] == "unknown_action"
    for token in (acme.authz.product, acme.ray.token, han.token):
        found = await drift(acme, token)
        assert [(one["place"], one["count"], one["organisations"]) for one in found] == [
            ("grants", 1, 1), ("grants", 1, 1), ("grants", 1, 1), ("items", 2, 1),
        ]  # fmt: skip
    assert (await acme.authz.ask("GET", "/v1/catalogue/drift", token=jane.token)).problem == (403, "not_permitted")


async def test_the_drift_of_one_organisation_is_not_another_ones(acme: Organisation) -> None:
    await a_fax_user(acme)
    other = await registered(acme.authz, "Other Crates")
    await published(acme.authz, Manifest("fax", "Fax", version=2, retire=Retired(("fax",), ("fax.send",), ("line",))))
    assert await drift(acme, other.ray.token) == []
    assert len(await drift(acme, acme.ray.token)) == 4


async def test_what_was_retired_does_not_come_to_life_for_something_else(acme: Organisation) -> None:
    await a_fax_user(acme)
    await published(acme.authz, Manifest("fax", "Fax", version=2, retire=Retired(("fax",), ("fax.send",), ("line",))))
    again = Manifest("machines", "Machines", (Section("fax", "Fax machines"),))
    assert (await publish(acme.authz, again, by="machines")).problem == (409, "names_in_use")
    assert (await publish(acme.authz, replace(FAX, version=3))).problem == (409, "names_in_use")
    retired = replace(again, retire=Retired(sections=("fax",)))
    assert (await publish(acme.authz, retired, by="machines")).problem == (409, "names_in_use")


@pytest.mark.parametrize(
    "next_one",
    [
        replace(LETTERS, version=3, aliases=replace(LETTERS.aliases, sections={"fax.archive": "letters.archive"})),
        replace(LETTERS, version=3, aliases=replace(LETTERS.aliases, items={})),
        replace(
            LETTERS,
            version=3,
            aliases=replace(LETTERS.aliases, sections={"fax": "letters.archive", "fax.archive": "letters.archive"}),
        ),
        replace(
            LETTERS,
            version=3,
            sections=(*LETTERS.sections, Section("fax", "Another fax")),
            aliases=replace(LETTERS.aliases, sections={"fax.archive": "letters.archive"}),
        ),
    ],
    ids=["dropped", "dropped for an item type", "turned", "given to something else"],
)
async def test_an_alias_in_use_keeps_its_meaning(acme: Organisation, next_one: Manifest) -> None:
    await a_fax_user(acme)
    await published(acme.authz, LETTERS)
    assert (await publish(acme.authz, next_one)).problem == (409, "names_in_use")


@pytest.mark.parametrize("archive", ["letters.archive", "another"])
async def test_what_is_stored_by_a_former_name_does_not_come_to_mean_something_else(
    acme: Organisation, archive: str
) -> None:
    await published(acme.authz, FAX)
    await acme.granted(await acme.add(), ("full", {"section": "fax"}))
    await published(acme.authz, LETTERS)
    sections = (*LETTERS.sections, Section("another", "Another"))
    turned = replace(LETTERS.aliases, sections={"fax": archive, "fax.archive": "letters.archive"})
    again = replace(LETTERS, version=3, sections=sections, aliases=turned, retire=Retired(sections=("fax",)))
    assert (await publish(acme.authz, again)).problem == (409, "names_in_use")


async def test_a_name_may_be_changed_back(acme: Organisation) -> None:
    jane = await a_fax_user(acme)
    await published(acme.authz, LETTERS)
    await acme.granted(jane, ("full", {"section": "letters.archive"}))
    back = Aliases(
        {"letters": "fax", "letters.archive": "fax.archive"}, {"letters.send": "fax.send"}, {"sender": "line"}
    )
    await published(acme.authz, replace(FAX, version=3, aliases=back))
    assert await acme.may(jane, "fax.send", "line:office")
    assert await acme.may(jane, "fax.archive.delete", "section:fax.archive")
    assert await drift(acme, acme.ray.token) == []


async def test_two_things_are_not_made_one(authz: Authz) -> None:
    await published(authz, FAX)
    one = replace(FAX, version=2, sections=FAX.sections[:1], aliases=Aliases(sections={"fax.archive": "fax"}))
    assert (await publish(authz, one)).problem == (422, "names_merged")


# --- every replica --------------------------------------------------------------------------------------------


async def test_every_replica_is_told_and_forgets_what_it_made_of_the_old_one(acme: Organisation) -> None:
    jane = await a_fax_user(acme)
    second = await acme.authz.replica()
    answer = await acme.explained(jane, "fax.send", "line:office", on=second)
    assert answer.json["decision"] is True
    await published(acme.authz, LETTERS)
    await reaches(acme.authz, second, 3)
    answer = await acme.explained(jane, "letters.send", "sender:office", on=second)
    assert answer.json["decision"] is True
    assert answer.json["context"]["target"] == {
        "section": "letters", "feature": "letters.send", "item": "sender:office",
    }  # fmt: skip


async def test_a_replica_that_the_hint_never_reached_sees_it_by_the_heartbeat(authz: Authz) -> None:
    other = await authz.replica(MemoryBus())  # hears its own heartbeats, and nothing that the first one tells
    await published(authz, FAX)
    await reaches(authz, other, 2)


async def test_a_replica_that_hears_nothing_looks_by_itself(authz: Authz) -> None:
    bus = MemoryBus()
    deaf = await authz.replica(bus)
    await bus.close()
    await published(authz, FAX)
    await reaches(authz, deaf, 2)


async def test_a_hint_that_can_not_be_read_makes_a_replica_look(authz: Authz) -> None:
    assert authz.first is not None
    await published(authz, FAX)
    event = CataloguePublished(org=NOBODYS, version=99, products=["fax"])
    await authz.publish(event)
    assert (await whole(authz))["version"] == 2, "what is told is looked up, and not believed"


async def test_what_was_just_published_can_be_registered_at_a_replica_that_has_not_heard(acme: Organisation) -> None:
    behind = await acme.authz.replica(MemoryBus())
    await published(acme.authz, FAX)
    path = f"/v1/organisations/{acme.org}/items/line/office"
    body = {"section": "fax", "label": "Office"}
    answer = await behind.ask("PUT", path, token=acme.authz.identity.token("fax"), json=body)
    assert answer.status == 200, answer.text


# --- another release of the suite -----------------------------------------------------------------------------


async def test_a_release_brings_its_own_newer_manifests(authz: Authz, monkeypatch: pytest.MonkeyPatch) -> None:
    ship(monkeypatch, shipped_one("sms", label="Short messages", version=2))
    await authz.replica()
    await until_label(authz, "sms", "Short messages")


async def test_what_a_product_published_since_is_newer_than_a_release(
    authz: Authz, monkeypatch: pytest.MonkeyPatch
) -> None:
    await published(authz, shipped_one("sms", label="By itself", version=3), by="sms")
    ship(monkeypatch, shipped_one("sms", label="Short messages", version=2))
    replica = await authz.replica()
    assert labels((await whole(authz, replica))["manifests"])["sms"] == "By itself"


async def test_a_release_that_would_strand_permissions_starts_and_changes_nothing(
    acme: Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    jane = await acme.add()
    await acme.granted(jane, ("read", {"section": "sms"}))
    ship(monkeypatch, Manifest("sms", "Messages", (Section("messages", "Messages"),), version=2))
    replica = await acme.authz.replica()
    assert labels((await whole(acme.authz, replica))["manifests"])["sms"] == "SMS"
    answer = await acme.explained(jane, "sms.view", "section:sms", on=replica)
    assert answer.json["decision"] is True


def labels(found: Iterable[Any]) -> dict[str, str]:
    return {one["product"]: one["label"] for one in found}


async def until_label(authz: Authz, product: str, label: str) -> None:
    async with asyncio.timeout(30):
        while labels((await whole(authz))["manifests"])[product] != label:
            await asyncio.sleep(0.01)
