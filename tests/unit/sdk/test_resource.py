"""What a product may hand to a question: a type and an id, or anything that has both."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from staffgate.contracts.authz import Item
from staffgate.contracts.caller import Enrolling, Person, StaffType
from staffgate.decision import Question
from staffgate.resource import Resource, asked, person, question

JANE, HAN = UUID(int=1), UUID(int=2)


def about(what: Any, id: str | None = None, **properties: Any) -> Question:
    return asked("sms.send", what, id, properties)


def test_the_same_question_in_every_form() -> None:
    plain = Question("sms.send", "inbox", "sales")
    item = Item(type="inbox", id="sales", section="sms", label="Sales Team")
    for one in (Resource("inbox", "sales"), item, SimpleNamespace(type="inbox", id="sales", label="x", owner=None)):
        assert about(one) == plain, one
    assert about("inbox", "sales") == plain == question("sms.send", "inbox", "sales", {})


def test_what_it_says_of_itself_counts_and_what_the_caller_says_wins() -> None:
    row = Resource("contact", 7, owner=HAN, tenant="beta")
    assert about(row) == Question("sms.send", "contact", "7", {"owner": str(HAN), "tenant": "beta"})
    assert about(row, owner=JANE, team="t").properties == {"owner": str(JANE), "tenant": "beta", "team": "t"}
    # A tenant that was passed over would be a gate that is not asked.
    mine = SimpleNamespace(
        type="contact", id=JANE, tenant="beta", contract="7", channel="sms", subscriber="200", team="t"
    )
    assert about(mine).id == str(JANE)
    assert about(mine).properties == {
        "tenant": "beta", "contract": "7", "channel": "sms", "subscriber": "200", "team": "t",
    }  # fmt: skip


def test_what_is_no_text_is_left_as_it_is_for_the_engine_to_deny() -> None:
    assert about(SimpleNamespace(type="contact", id=7, owner=object())).properties.keys() == {"owner"}


def test_where_a_route_leads() -> None:
    there = {"type": "ivr", "id": "support", "properties": {"owner": str(HAN)}}
    ivr = Resource("ivr", "support", owner=HAN)
    assert about(Resource("number", "office", destination=ivr)).properties == {"destination": there}
    assert about("number", "office", destination=ivr).properties == {"destination": there}
    assert about("number", "office", destination=there).properties == {"destination": there}
    assert about("number", "office", destination="ivr:support").properties == {"destination": "ivr:support"}


def test_what_is_no_resource() -> None:
    for wrong in (("inbox",), (Resource("inbox", "sales"), "sales"), (SimpleNamespace(type="inbox", id=None),),
                  (SimpleNamespace(type=7, id="sales"),)):  # fmt: skip
        with pytest.raises(TypeError):
            about(*wrong)
    with pytest.raises(AttributeError):
        about(object())


def test_a_person_is_one_who_is_in() -> None:
    caller: dict[str, Any] = {"staff": JANE, "org": HAN, "type": StaffType.STANDARD, "session": HAN}
    assert person(JANE) == person(Person(**caller)) == JANE
    for wrong in (Enrolling(**caller), str(JANE), None):
        with pytest.raises(TypeError):
            person(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("id", [7, UUID(int=7)])
def test_an_id_is_text_in_every_form_of_the_question(id: Any) -> None:
    assert question("sms.send", "inbox", id, {}).id == str(id)
    assert question("sms.send", "inbox", id, {"owner": JANE}).id == str(id)
