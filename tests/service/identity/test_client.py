"""What product services and consoles ask of identity, by the SDK's clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import pytest_asyncio

from staffgate import trace
from staffgate.client import IdentityClient, Refused, StaffClient, Wire
from staffgate.contracts.identity import AddStaff, EditStaff, NumberPurpose, StaffQuery
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


# --- as a person ----------------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def ray(acme: Acme) -> AsyncIterator[StaffClient]:
    async def token() -> str:
        return acme.ray

    async with Wire() as wire:
        yield StaffClient(wire, acme.identity.url, token)


async def test_a_person_administers_their_colleagues(acme: Acme, ray: StaffClient) -> None:
    assert (await ray.me()).id == acme.owner_id
    assert (await ray.organisation()).id == acme.org
    han = await ray.add(AddStaff(type="standard", name="Han", email="han@acme.example", username="Han"))
    shown = await ray.show(han.id)
    assert (shown.view.name, bool(shown.etag)) == ("Han", True)
    edited = await ray.edit(han.id, EditStaff(name="Han S."), if_match=shown.etag)
    assert (edited.view.name, edited.etag != shown.etag) == ("Han S.", True)
    with pytest.raises(Refused) as fault:
        await ray.edit(han.id, EditStaff(name="Luke"), if_match=shown.etag)
    assert fault.value.status == 412
    assert (await ray.send_activation(han.id)).sent_count == 1
    assert (await ray.set_availability("online")).state == "online"
    await ray.delete(han.id)
    assert [one.name async for one in ray.list(StaffQuery(status="deleted"))] == ["Han S."]


async def test_a_list_is_gone_through_to_its_end(acme: Acme, ray: StaffClient) -> None:
    for number in range(5):
        await ray.add(
            AddStaff(type="standard", name=f"Trooper {number}", email=f"t{number}@acme.example", username=f"T{number}")
        )
    found = [one.name async for one in ray.list(StaffQuery(q="Trooper", limit=2, sort="-name"))]
    assert found == [f"Trooper {number}" for number in (4, 3, 2, 1, 0)]


async def test_under_one_key_somebody_is_added_once(acme: Acme, ray: StaffClient) -> None:
    wanted = AddStaff(type="standard", name="Chewie", email="chewie@acme.example", username="Chewie")
    first, again = await ray.add(wanted, key="crew-1"), await ray.add(wanted, key="crew-1")
    assert first == again
    with pytest.raises(Refused) as fault:
        await ray.add(wanted)
    assert fault.value.code.endswith("_taken")


async def test_a_service_s_log_and_the_product_s_share_their_trace(acme: Acme, ray: StaffClient) -> None:
    """The refusal names the trace that the product is in."""

    async def asked() -> tuple[str, str]:
        trace_id = trace.follow(None)
        with pytest.raises(Refused) as fault:
            await ray.show(UUID(int=1))
        return trace_id, fault.value.request_id

    trace_id, request_id = await asyncio.create_task(asked())
    assert request_id == trace_id


async def test_a_product_s_token_is_fetched_over_a_wire(acme: Acme) -> None:
    async with Wire() as wire:
        product = IdentityClient(wire, acme.identity.url, "sms-inbox", SMS_INBOX_SECRET)
        assert await product.availability(acme.org, [acme.owner_id])
        assert (await product.token()).count(".") == 2
        with pytest.raises(Refused, match="invalid_client"):
            await IdentityClient(wire, acme.identity.url, "sms-inbox", "another secret").token()
