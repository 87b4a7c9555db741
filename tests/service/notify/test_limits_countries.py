"""Where an organisation's SMS go: its administrators' to say, within what the operator offers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import aiohttp
import msgspec
import pytest

from services.notify.limit.settings import Limits
from staffgate.contracts.caller import StaffType
from tests.service.notify.conftest import ACME, IDS, JANE, RAY, Running, code_issued, limits, until
from tests.service.notify.test_looking import ready

OFFERED = Limits(countries=["AU"], selectable=["AU", "DE", "FR"])
PATH = "/v1/sending-policy"


async def started(surroundings: Running, settings: Limits = OFFERED) -> Running:
    surroundings.settings = msgspec.structs.replace(surroundings.settings, limits=limits(settings))
    await surroundings.start()
    await until(lambda: ready(surroundings))
    return surroundings


async def ask(
    notify: Running, body: Any = None, *, fresh: bool = True, if_match: str = "", org: UUID = ACME
) -> tuple[int, dict[str, Any], str]:
    """Show it, or set it."""
    headers = {"Authorization": f"Bearer {notify.token(RAY, StaffType.OWNER, org, fresh=fresh)}"}
    if if_match:
        headers["If-Match"] = if_match
    async with aiohttp.ClientSession(notify.url, headers=headers) as session:
        method = "GET" if body is None else "PUT"
        async with session.request(method, PATH, json=body) as answer:
            return answer.status, await answer.json(), answer.headers.get("ETag", "")


async def becomes(notify: Running, to: str, state: str) -> str | None:
    await notify.publish(event := code_issued(notify.clock, to=to, staff=IDS.uuid()))
    reason: str | None = (await notify.row(event.code, state))["reason"]
    return reason


@pytest.mark.checklist("N02")
async def test_an_organisation_names_its_countries_and_the_next_sms_goes_there(surroundings: Running) -> None:
    notify = await started(surroundings)
    status, shown, _ = await ask(notify)
    assert (status, shown) == (200, {"countries": ["AU"], "own": False, "selectable": ["AU", "DE", "FR"]})
    assert await becomes(notify, "+4915112345678", "failed") == "country"
    status, shown, _ = await ask(notify, {"countries": ["DE", "DE"]})
    assert (status, shown["countries"], shown["own"]) == (200, ["DE"], True)
    assert await becomes(notify, "+4915112345678", "sent") is None
    assert await becomes(notify, "+61400000000", "failed") == "country"
    assert (await ask(notify, org=IDS.uuid()))[1]["countries"] == ["AU"]  # another's is its own
    await ask(notify, {"countries": None})
    assert await becomes(notify, "+61400000000", "sent") is None


@pytest.mark.checklist("N02")
async def test_an_organisation_may_send_nowhere(surroundings: Running) -> None:
    notify = await started(surroundings)
    assert (await ask(notify, {"countries": []}))[1] == {"countries": [], "own": True, "selectable": ["AU", "DE", "FR"]}
    assert await becomes(notify, "+61400000000", "failed") == "country"


@pytest.mark.checklist("N02")
@pytest.mark.parametrize(
    ("country", "code"), [("JM", "country_not_offered"), ("ZZ", "country_unknown"), ("UK", "country_unknown")]
)
async def test_what_is_not_offered_or_no_country_is_refused(surroundings: Running, country: str, code: str) -> None:
    notify = await started(surroundings)
    status, said, _ = await ask(notify, {"countries": ["AU", country]})
    assert (status, said["type"].rpartition(":")[2], said["at"]) == (422, code, "$.countries[1]")
    assert (await ask(notify))[1]["own"] is False


async def test_what_the_operator_offers_no_more_is_not_sent_to_any_more(surroundings: Running) -> None:
    stop = await surroundings.start()
    await until(lambda: ready(surroundings))
    await ask(surroundings, {"countries": ["AU", "FR", "NZ"]})
    await stop()
    notify = await started(surroundings)
    assert (await ask(notify))[1]["countries"] == ["AU", "FR"]
    assert await becomes(notify, "+64211234567", "failed") == "country"


async def test_it_takes_a_factor_shown_just_now_and_the_state_that_was_read(surroundings: Running) -> None:
    notify = await started(surroundings)
    assert (await ask(notify, {"countries": ["DE"]}, fresh=False))[0] == 401
    _, _, etag = await ask(notify)
    status, _, newer = await ask(notify, {"countries": ["DE"]}, if_match=etag)
    assert (status, newer != etag) == (200, True)
    assert (await ask(notify, {"countries": ["FR"]}, if_match=etag))[0] == 412
    assert (await ask(notify))[1]["countries"] == ["DE"]
    row = await notify.owner.fetchrow("SELECT * FROM sending_policy")
    assert row is not None
    assert (row["changed_by"], row["changed_at"]) == (RAY, notify.clock.now())


async def test_it_is_for_administrators(surroundings: Running) -> None:
    notify = await started(surroundings)
    headers = {"Authorization": f"Bearer {notify.token(JANE, StaffType.STANDARD, fresh=True)}"}
    async with aiohttp.ClientSession(notify.url, headers=headers) as session:
        for method in ("GET", "PUT"):
            async with session.request(method, PATH, json={"countries": []} if method == "PUT" else None) as answer:
                assert answer.status == 403
