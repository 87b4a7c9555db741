"""What a console asks of notify, by the SDK's client."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from staffgate.client import NotifyClient, Refused, Wire
from staffgate.contracts.caller import StaffType
from staffgate.contracts.notify import AskPreview, DeliveryQuery, SetBranding, SetSendingPolicy, SuppressionQuery
from tests.service.notify.conftest import JANE, RAY, Running, link_issued, until
from tests.service.notify.logos import PNG
from tests.service.notify.test_looking import ready


@pytest_asyncio.fixture
async def ray(notify: Running) -> AsyncIterator[NotifyClient]:
    await until(lambda: ready(notify))
    async with Wire() as wire:
        yield client(wire, notify)


def client(wire: Wire, notify: Running, *, fresh: bool = False) -> NotifyClient:
    """With the token of Ray."""

    async def token() -> str:
        return notify.token(RAY, StaffType.OWNER, fresh=fresh)

    return NotifyClient(wire, notify.url, token)


async def test_what_became_of_messages(notify: Running, ray: NotifyClient) -> None:
    links = [link_issued(notify.clock, staff=staff) for staff in (JANE, RAY, JANE)]
    for link in links:
        await notify.publish(link)
        await notify.row(link.link, "sent")
    found = [one async for one in ray.deliveries(DeliveryQuery(limit=1))]
    assert {one.id for one in found} == {link.link for link in links}
    assert {one.staff async for one in ray.deliveries(DeliveryQuery(staff=RAY, channel="email"))} == {RAY}
    with pytest.raises(Refused) as fault:
        await ray.replay(links[0].link)
    assert fault.value.status in (404, 409), "it is not dead"
    with pytest.raises(Refused):
        await ray.drop(links[0].link)


async def test_how_messages_look(ray: NotifyClient) -> None:
    names = [template.name for template in (await ray.templates()).templates]
    assert "activate" in names
    before = await ray.branding()
    wanted = SetBranding(name="ACME Crates", colour="#f2b600", reply_to="", locale="de")
    after = await ray.set_branding(wanted, if_match=before.etag)
    assert (after.view.name, after.view.locale) == ("ACME Crates", "de")
    with pytest.raises(Refused) as fault:
        await ray.set_branding(wanted, if_match=before.etag)
    assert fault.value.status == 412
    logo = (await ray.set_logo(PNG, "image/png")).view.logo
    assert logo is not None
    assert (logo.width, logo.content[:4]) == (96, b"\x89PNG")
    assert "ACME Crates" in (await ray.preview(AskPreview(template="activate"))).html
    assert (await ray.remove_logo()).view.logo is None


async def test_where_messages_go(notify: Running, ray: NotifyClient) -> None:
    policy = await ray.sending_policy()
    assert not policy.view.own
    with pytest.raises(Refused) as fault:  # it takes a factor that was shown a moment ago
        await ray.set_sending_policy(SetSendingPolicy(countries=["AU"]), if_match=policy.etag)
    assert fault.value.status == 401
    with pytest.raises(Refused) as fault:
        await ray.suppress("email", "trooper@empire.example")
    assert fault.value.status == 401
    async with Wire() as wire:
        shown = client(wire, notify, fresh=True)
        added = [await shown.suppress("email", f"trooper{number}@empire.example") for number in range(3)]
    found = [one.id async for one in ray.suppressions(SuppressionQuery(limit=1))]
    assert sorted(found) == sorted(one.id for one in added)
    await ray.allow(added[0].id)
    assert len([one async for one in ray.suppressions()]) == 2
