"""The item registry."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.service.authz.conftest import Answer, Organisation


async def put(acme: Organisation, item: str, label: Any = "Sales Team", section: str = "sms", **options: Any) -> Answer:
    type, _, id = item.partition(":")
    path = f"/v1/organisations/{acme.org}/items/{quote(type)}/{quote(id, safe='')}"
    body = {"section": section, "label": label}
    token = options.pop("token", acme.authz.product)
    answer: Answer = await acme.authz.ask("PUT", path, token=token, json=body, **options)
    return answer


async def test_a_new_item_raises_the_revision_and_another_label_does_not(acme: Organisation) -> None:
    start = await acme.revision()
    before = len(acme.authz.heard.of(acme.org))
    for label in ("Sales", "Sales", "Sales Team"):
        answer = await put(acme, "inbox:sales", label)
        assert answer.json == {"type": "inbox", "id": "sales", "section": "sms", "label": label}
    await put(acme, "inbox:management")
    told = (await acme.authz.told(acme.org, before + 2))[before:]
    assert [(event.previous + 1 == event.revision, event.people) for event in told] == [(True, []), (True, [])]
    assert await acme.revision() == start + 2
    body = {
        "subject": {"type": "staff", "id": str(acme.ray.id)},
        "action": {"name": "sms.read"},
        "resource": {"type": "inbox"},
    }
    found = await acme.authz.ask("POST", "/access/v1/search/resource", token=acme.authz.product, json=body)
    assert found.json["results"][1] == {
        "type": "inbox", "id": "sales", "properties": {"label": "Sales Team", "section": "sms"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("item", "section", "problem"),
    [
        ("inbox:sales", "smoke", (422, "unknown_section")),
        ("crate:sales", "sms", (422, "unknown_item_type")),
        ("inbox:sales", "contacts", (422, "wrong_section")),
        ("inbox:" + "x" * 199, "sms", (422, "item_name_too_long")),
        ("channel:pigeon", "channels", (409, "fixed_items")),
        ("inbox:a\tb", "sms", (404, "not_found")),
        ("INBOX:sales", "sms", (404, "not_found")),
        ("inbox:sales", "S M S", (422, "invalid")),
    ],
)
async def test_an_item_has_to_fit_the_catalogue(
    acme: Organisation, item: str, section: str, problem: tuple[int, str]
) -> None:
    assert (await put(acme, item, section=section)).problem == problem


async def test_an_item_may_be_called_what_it_is_called(acme: Organisation) -> None:
    jane = await acme.add()
    for item in ("inbox:+61 400 000 000", "inbox:Büro:Süd/1", "inbox:100%", "inbox:\U0001f69a"):
        assert (await put(acme, item)).status == 200
        assert (await acme.grant(jane, "use", item=item)).status == 200
        assert await acme.may(jane, "sms.send", item)
        assert item in await acme.found(jane, "sms.send")


async def test_only_product_services_register(acme: Organisation) -> None:
    assert (await put(acme, "inbox:sales", token=acme.ray.token)).problem == (403, "wrong_caller")
    assert (await put(acme, "inbox:sales", "")).problem == (422, "invalid")
    assert (await put(acme, "inbox:sales", "a\x00b")).problem == (422, "invalid")
    assert (await put(acme, "inbox:sales", None)).problem == (422, "invalid")
    path = "/v1/organisations/not-an-id/items/inbox/sales"
    assert (await acme.authz.ask("PUT", path, token=acme.authz.product, json={})).problem == (404, "not_found")
    for path in ("%ED%A0%80", "%FF", "%00"):
        path = f"/v1/organisations/{acme.org}/items/inbox/{path}"
        answer = await acme.authz.ask("PUT", path, token=acme.authz.product, json={"section": "sms", "label": "x"})
        assert answer.status < 500, answer.text
