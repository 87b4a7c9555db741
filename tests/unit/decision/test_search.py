"""Which of these items: what each of them would be answered by itself (permission model, section 7)."""

from __future__ import annotations

from staffgate.contracts.authz import Item, Target
from staffgate.contracts.caller import StaffType
from staffgate.decision import search
from tests.unit.decision.people import CATALOGUE, grant, held, person

LEADER = held(1, "team", (Target(product="sms"), "view"))


def inbox(id: str, **own: str) -> Item:
    return Item(type="inbox", id=id, section="sms", label=id, **own)


ITEMS = [inbox("b", team="sales"), inbox("a", team="support"), inbox("d", owner="luke"), inbox("c")]


def test_the_items_that_are_allowed_in_their_order() -> None:
    assert list(search(person(type=StaffType.OWNER), CATALOGUE, "sms.read", ITEMS)) == ITEMS
    assert [item.id for item in search(person(roles=(LEADER,), team="sales"), CATALOGUE, "sms.read", ITEMS)] == ["b"]
    denied = person(grant(1, "deny", "sms", item="inbox:a"), default="read")
    assert [item.id for item in search(denied, CATALOGUE, "sms.read", ITEMS)] == ["b", "d", "c"]


def test_an_item_without_a_team_is_in_its_owners() -> None:
    someone = person(roles=(LEADER,), team="sales")
    found = search(someone, CATALOGUE, "sms.read", ITEMS, teams={"luke": "sales"})
    assert [item.id for item in found] == ["b", "d"]


def test_what_the_registry_does_not_say_the_question_may() -> None:
    someone = person(roles=(LEADER,), team="sales")
    found = search(someone, CATALOGUE, "sms.read", ITEMS, {"team": "sales"})
    assert [item.id for item in found] == ["b", "d", "c"]
    assert list(search(someone, CATALOGUE, "sms.read", ITEMS, {"team": "sales", "tenant": "acme"})) == []
