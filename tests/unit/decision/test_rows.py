"""The row filter as values: the reach of most rows, and what is told of single items (permission model, section 3).

What PostgreSQL makes of it is in tests/service/authz.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
import pytest

from staffgate.contracts.authz import Grant, Item, Target
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import StaffStatus
from staffgate.contracts.level import DataAccess, Level
from staffgate.decision import Columns, ItemRows, Question, RowFilter, Snapshot, row_filter, where
from tests.unit.decision.people import CATALOGUE, access, grant, held, person, to

CONTACTS = Target(product="contacts")
LEADER = held(1, "team", (CONTACTS, "view"))


def rows(who: Snapshot, action: str, type: str, *items: Item, **properties: Any) -> RowFilter:
    return row_filter(who, CATALOGUE, Question(action, type, "", properties), items)


def item(id: str, type: str = "contact", **own: str) -> Item:
    return Item(type=type, id=id, section="any", label=id, **own)


def on_item(name: str, level: str = "read") -> Grant:
    return Grant(id=UUID(int=5), target=Target(item=name), level=Level(level))


def test_a_filter_has_all_that_a_query_needs() -> None:
    someone = person(roles=(LEADER,), team="sales", teams=("sales", "inside"), subscribers=("102", "101"))
    asked = Question("contacts.view", "contact", "")
    assert row_filter(someone, CATALOGUE, asked, members={"sales": ("luke",)}) == RowFilter(
        reach=DataAccess.TEAM,
        staff=str(UUID(int=99)),
        team="sales",
        teams=("inside", "sales"),
        members={"sales": ("luke",)},
        subscribers=("101", "102"),
        revision=7,
    )


@pytest.mark.parametrize(
    ("who", "reach"),
    [
        (person(type=StaffType.OWNER), "full"),
        (person(default="read"), "full"),
        (person(), None),
        (person(grant(1, "read", "contacts"), roles=(held(1, "restricted"),)), "restricted"),
        (person(roles=(held(1, "department", (CONTACTS, "view")),)), "department"),
        (person(roles=(held(1, "department", (CONTACTS, "edit")),)), None),
    ],
)
def test_the_reach_is_that_of_any_row_of_which_nothing_is_told(who: Snapshot, reach: str | None) -> None:
    found = rows(who, "contacts.view", "contact")
    assert (found.reach, found.items, found.shut) == (reach, (), False)


@pytest.mark.parametrize(
    ("who", "action", "type", "properties"),
    [
        (person(status=StaffStatus.SUSPENDED, default="full"), "contacts.view", "contact", {}),
        (person(default="full"), "contacts.fly", "contact", {}),
        (person(default="full"), "contacts.view", "fax", {}),
        (person(default="full"), "contacts.view", "section", {}),
        (person(default="full"), "contacts.view", "product", {}),
        (person(default="full"), "contacts.view", "inbox", {}),
        (person(default="full"), "product.use", "product", {}),
        (person(default="full"), "contacts.view", "contact", {"tenant": 7}),
        (person(default="full"), "call.route", "number", {}),
        (person(grant(1, "use", "telephony.numbers")), "call.route", "number", {"destination": to("ivr:a")}),
    ],
)
def test_no_row_at_all(who: Snapshot, action: str, type: str, properties: dict[str, Any]) -> None:
    assert rows(who, action, type, item("a"), **properties) == RowFilter(revision=7)


def test_rows_that_are_everybodys_alike() -> None:
    someone = person(grant(1, "use", "channels"), roles=(held(1, "restricted"),))
    assert rows(someone, "channel.operate", "channel").reach == "full"


def test_a_route_leads_somewhere() -> None:
    someone = person(grant(1, "use", "telephony"))
    assert rows(someone, "call.route", "number", destination=to("ivr:a")).reach == "full"


# --- contract, tenant, channel --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("properties", "reach", "shut"),
    [
        ({}, "full", False),
        ({"contract": "7"}, "team", False),
        ({"contract": "8"}, None, False),
        ({"contract": "9"}, None, True),
        ({"tenant": "acme"}, "full", False),
        ({"tenant": "beta"}, None, True),
        ({"channel": "phone"}, None, True),
    ],
)
def test_a_filter_is_for_the_contract_and_the_tenant_of_the_question(
    properties: dict[str, str], reach: str | None, shut: bool
) -> None:
    leader = held(1, "team", contract="7")
    someone = person(
        grant(1, "read", "contacts"), roles=(leader,), access=(access(2, "user", "contacts"),), tenants=("acme",)
    )
    found = rows(someone, "contacts.view", "contact", **properties)
    assert (found.reach, found.shut) == (reach, shut)


def test_the_channels_are_those_that_the_person_operates_in_the_tenant() -> None:
    in_acme = held(1, "full", (Target(item="channel:phone"), "create"), tenant="acme")
    someone = person(grant(2, "use", "channels", item="channel:sms"), roles=(in_acme,), tenants=("acme",))
    assert rows(someone, "contacts.view", "contact").channels == ("sms",)
    assert rows(someone, "contacts.view", "contact", tenant="acme").channels == ("phone", "sms")


@pytest.mark.parametrize(("action", "linked"), [("call.click", True), ("pbx.extensions.view", False)])
def test_a_link_opens_rows_for_some_actions(action: str, linked: bool) -> None:
    assert rows(person(subscribers=("101",)), action, "extension").linked is linked


# --- items ----------------------------------------------------------------------------------------------------


def told(who: Snapshot, *items: Item, **properties: Any) -> dict[str, ItemRows]:
    return {one.id: one for one in rows(who, "contacts.view", "contact", *items, **properties).items}


def test_an_item_is_told_where_a_rule_names_it_or_the_registry_knows_it() -> None:
    in_role = held(1, "team", (Target(item="contact:c"), "view"))
    someone = person(on_item("contact:b"), on_item("inbox:x"), on_item("contact:a", "deny"), roles=(in_role,))
    found = told(someone, item("d", team="sales"), item("e", "inbox"))
    assert [(id, one.reach) for id, one in found.items()] == [("a", None), ("b", "full"), ("c", "team"), ("d", None)]
    assert found["d"] == ItemRows(id="d", team="sales", channels=())


def test_the_id_of_an_item_may_have_colons() -> None:
    assert list(told(person(on_item("contact:a:b")))) == ["a:b"]


def test_what_the_registry_says_of_an_item_goes_with_it() -> None:
    known = item("a", owner="jane", team="sales", subscriber="101")
    one = told(person(default="read"), known)["a"]
    assert (one.reach, one.owner, one.team, one.subscriber, one.shut) == ("full", "jane", "sales", "101", False)


@pytest.mark.parametrize(
    ("own", "properties", "reach", "shut"),
    [
        ({"tenant": "acme"}, {}, "team", False),
        ({"tenant": "beta"}, {}, None, True),
        ({"tenant": "acme"}, {"tenant": "beta"}, "team", False),
        ({}, {"tenant": "beta"}, None, True),
        ({}, {"tenant": "acme"}, "team", False),
        ({}, {}, None, False),
        ({"contract": "9"}, {}, None, True),
        ({"channel": "phone"}, {}, None, True),
        ({"channel": "sms"}, {}, None, False),
        ({}, {"channel": "phone"}, None, True),
        ({"channel": "sms"}, {"channel": "phone"}, None, False),
    ],
)
def test_an_item_is_in_its_own_tenant_contract_and_channel(
    own: dict[str, str], properties: dict[str, str], reach: str | None, shut: bool
) -> None:
    in_acme = held(1, "team", (CONTACTS, "view"), tenant="acme")
    someone = person(grant(2, "use", "channels", item="channel:sms"), roles=(in_acme,), tenants=("acme",))
    one = told(someone, item("a", **own), **properties)["a"]
    assert (one.reach, one.shut) == (reach, shut)


def test_an_item_that_is_in_no_contract_is_in_that_of_the_question() -> None:
    someone = person(access=(access(1, "user", "contacts"),), default="read")
    for contract, own, reach in (("7", "", "full"), ("8", "", None), ("8", "7", "full"), ("7", "8", None)):
        known = item("a", **({"contract": own} if own else {}))
        assert told(someone, known, contract=contract)["a"].reach == reach


def test_the_channels_of_an_item_are_its_own_or_those_of_its_tenant() -> None:
    in_acme = held(1, "full", (Target(item="channel:phone"), "create"), tenant="acme")
    someone = person(grant(2, "use", "channels", item="channel:sms"), roles=(in_acme,), tenants=("acme",))
    found = told(someone, item("a"), item("b", tenant="acme"), item("c", channel="fax"))
    assert [one.channels for one in found.values()] == [("sms",), ("phone", "sms"), None]


# --- as it travels, and as SQL --------------------------------------------------------------------------------


def test_a_filter_travels_as_json() -> None:
    sent = rows(person(on_item("contact:a"), roles=(LEADER,)), "contacts.view", "contact", item("b", channel="sms"))
    assert msgspec.json.decode(msgspec.json.encode(sent), type=RowFilter) == sent


@pytest.mark.parametrize(
    ("found", "condition", "values"),
    [
        (RowFilter(), "(FALSE)", []),
        (RowFilter(reach=DataAccess.FULL), "(TRUE)", []),
        (RowFilter(reach=DataAccess.FULL, shut=True), "(FALSE)", []),
        (RowFilter(reach=DataAccess.RESTRICTED, staff="jane"), "((whose = $4::text))", ["jane"]),
        (
            RowFilter(reach=DataAccess.RESTRICTED, staff="jane", subscribers=("1",)),
            "((whose = $4::text OR NULL::text = ANY($5::text[])))",
            ["jane", ["1"]],
        ),
        (
            RowFilter(
                reach=DataAccess.TEAM, staff="jane", team="a", teams=("a", "b"), members={"a": ("x",), "b": ("y",)}
            ),
            "((whose = $4::text OR team = ANY($5::text[]) OR team IS NULL AND whose = ANY($6::text[])))",
            ["jane", ["a"], ["x"]],
        ),
        (
            RowFilter(reach=DataAccess.DEPARTMENT, staff="jane", teams=("a", "b"), members={"a": ("x",), "c": ("y",)}),
            "((whose = $4::text OR team = ANY($5::text[]) OR team IS NULL AND whose = ANY($6::text[])))",
            ["jane", ["a", "b"], ["x"]],
        ),
        (RowFilter(subscribers=("1",), linked=True), "((NULL::text = ANY($4::text[]) OR FALSE))", [["1"]]),
        (RowFilter(linked=True), "((FALSE))", []),
    ],
)
def test_a_plain_filter_is_a_plain_condition(found: RowFilter, condition: str, values: list[Any]) -> None:
    assert where(found, Columns(owner="whose"), first=4) == (condition, values)


def test_the_channel_of_a_row_is_asked_of_where_there_is_a_column_for_it() -> None:
    found = RowFilter(reach=DataAccess.FULL, channels=("sms",))
    assert where(found, Columns(channel="via")) == ("((via IS NULL OR via = ANY($1::text[])) AND TRUE)", [["sms"]])


def test_who_is_in_no_team_has_the_rows_of_none() -> None:
    _, values = where(RowFilter(reach=DataAccess.TEAM, staff="jane", members={"": ("x",)}), Columns())
    assert values == ["jane", [], []]


PLAIN = (
    "(via IS NULL OR via = ANY($4::text[]))"
    " AND (extension = ANY($3::text[]) OR (owner = $2::text OR extension = ANY($3::text[])))"
)
OWN_OF = 'COALESCE("told.owner", owner) = $2::text OR COALESCE("told.subscriber", extension) = ANY($3::text[])'
ITEMS_OF = """EXISTS (SELECT 1 FROM unnest(
$5::text[], $6::int[], $7::bool[], $8::text[], $9::text[], $10::text[], $11::text[]) AS "told.items"
 ("told.id", "told.reach", "told.shut", "told.channels", "told.owner", "told.team", "told.subscriber")
 WHERE "told.id" = id AND NOT "told.shut"
 AND (COALESCE("told.subscriber", extension) = ANY($3::text[]) OR ("told.reach" = 4
 OR "told.reach" = 1 AND ({own})
 OR "told.reach" = 2 AND ({own} OR COALESCE("told.team", team) = ANY($12::text[])
 OR COALESCE("told.team", team) IS NULL AND COALESCE("told.owner", owner) = ANY($13::text[]))
 OR "told.reach" = 3 AND ({own} OR COALESCE("told.team", team) = ANY($14::text[])
 OR COALESCE("told.team", team) IS NULL AND COALESCE("told.owner", owner) = ANY($15::text[]))))
 AND ("told.channels" IS NULL OR via IS NULL OR via = ANY(string_to_array("told.channels", ','))))"""


def test_what_is_told_of_items_is_joined() -> None:
    items = (
        ItemRows(id="a", reach=DataAccess.TEAM, channels=("phone", "sms"), owner="luke"),
        ItemRows(id="b", shut=True, channels=(), team="sales", subscriber="101"),
        ItemRows(id="c", reach=DataAccess.FULL),
    )
    members: dict[str, tuple[str, ...]] = {"a": ("x",), "b": ("y",)}
    found = RowFilter(reach=DataAccess.RESTRICTED, staff="jane", team="a", teams=("a", "b"), members=members,
                      subscribers=("1",), linked=True, channels=("sms",), items=items)  # fmt: skip
    condition, values = where(found, Columns(subscriber="extension", channel="via"), first=2)
    joined = ITEMS_OF.format(own=OWN_OF).replace("\n", "")
    is_told = "COALESCE(id = ANY($5::text[]), FALSE)"
    assert condition == f"((NOT {is_told} AND {PLAIN}) OR ({is_told} AND {joined}))"
    assert values[:5] == ["jane", ["1"], ["sms"], ["a", "b", "c"], [2, 0, 4]]
    assert values[5:7] == [[False, True, False], ["phone,sms", "", None]]
    assert values[7:10] == [["luke", None, None], [None, "sales", None], [None, "101", None]]
    assert values[10:] == [["a"], ["x"], ["a", "b"], ["x", "y"]]
