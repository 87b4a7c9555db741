"""What product services ask of identity, by the SDK's client."""

from __future__ import annotations

import pytest

from staffgate.client import IdentityClient, Refused
from staffgate.contracts.identity import NumberPurpose
from tests.service.identity.conftest import SMS_INBOX_SECRET, Acme, sign_in


@pytest.fixture
def client(acme: Acme) -> IdentityClient:
    return IdentityClient(acme.identity.session, acme.identity.url, "sms-inbox", SMS_INBOX_SECRET)


async def test_a_product_asks_who_takes_enquiries(acme: Acme, client: IdentityClient) -> None:
    jane = await sign_in(acme)
    assert [one.state for one in await client.availability(acme.org, [jane.staff])] == ["offline"]
    await acme.identity.ask("PUT", "/v1/me/availability", token=jane.token, json={"state": "online"})
    (shown,) = await client.availability(acme.org, [jane.staff])
    assert (shown.state, bool(shown.channels)) == ("online", True)


async def test_a_product_asks_which_numbers_and_visitors_there_may_be(acme: Acme, client: IdentityClient) -> None:
    number = "+61 491 570 158"
    assert await client.number_allowed(acme.org, number, NumberPurpose.CALLER_ID), "an empty list allows everything"
    body = {"label": "Reception", "purposes": ["caller_id"]}
    await acme.identity.ask("PUT", "/v1/numbers/+61491570006", token=acme.ray, json=body)
    assert not await client.number_allowed(acme.org, number, NumberPurpose.CALLER_ID)
    assert not await client.visitor_blocked(acme.org, email="phisher@empire.example")
    blocked = {"kind": "email", "value": "Phisher@Empire.example", "reason": "phishing"}
    assert (await acme.identity.post("/v1/blocklist", blocked, token=acme.ray)).status == 201
    assert await client.visitor_blocked(acme.org, email="phisher@empire.example", ip="192.0.2.1")


async def test_a_product_asks_whom_a_weblink_leads_to(acme: Acme, client: IdentityClient) -> None:
    jane = await sign_in(acme)
    url = (await acme.identity.ask("GET", f"/v1/staff/{jane.staff}/weblink", token=acme.ray)).json["url"]
    assert (await client.addressee(url.rpartition("/")[2])).staff == jane.staff
    with pytest.raises(Refused, match="not_found"):
        await client.addressee("../me")
