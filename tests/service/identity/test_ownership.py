"""Handing an organisation over: both sides say so, each with a factor shown a moment ago, and it happens at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any
from uuid import UUID, uuid4

import pytest

from staffgate.contracts import identity as contract
from tests.service.identity.conftest import PASSWORD, Acme, Answer, Running, SignedIn, register, run_as_owner, sign_in

TRANSFER = "/v1/organisation/transfer"


async def administrator(acme: Acme, username: str = "Laya") -> SignedIn:
    return await sign_in(acme, username, type="administrator")


async def offer(acme: Acme, to: UUID, token: str = "") -> Answer:
    return await acme.identity.post(TRANSFER, {"to": str(to)}, token=token or acme.ray)


async def accept(acme: Acme, who: SignedIn) -> Answer:
    return await acme.identity.post(f"{TRANSFER}/accept", token=who.token)


async def types(acme: Acme) -> dict[UUID, str]:
    rows = await run_as_owner(acme.identity, "SELECT id, type FROM staff WHERE org = $1", acme.org)
    return {row["id"]: row["type"] for row in rows}


async def log_of(acme: Acme, event: str) -> list[tuple[UUID, UUID]]:
    rows = await run_as_owner(
        acme.identity, "SELECT actor, target FROM audit WHERE org = $1 AND event = $2 ORDER BY number", acme.org, event
    )
    return [(UUID(row["actor"]), UUID(row["target"])) for row in rows]


def problem(answer: Answer) -> tuple[int, str]:
    return answer.status, (answer.json or {}).get("type", "").rpartition(":")[2]


async def test_an_organisation_gets_another_owner(acme: Acme) -> None:
    identity, laya = acme.identity, await administrator(acme)
    made = await offer(acme, laya.staff)
    assert made.status == 201
    assert made.json["to"] == str(laya.staff)
    assert (await types(acme))[acme.owner_id] == "owner", "nothing has changed until it is accepted"
    for token in (acme.ray, laya.token):
        assert (await identity.ask("GET", TRANSFER, token=token)).json == made.json
    assert (await accept(acme, laya)).status == 204
    assert await types(acme) == {acme.owner_id: "administrator", laya.staff: "owner"}
    told = (await identity.told(contract.OrganisationTransferred, 1))[0]
    assert (told.old_owner, told.new_owner, told.state.version) == (acme.owner_id, laya.staff, 2)
    changed = await identity.told(contract.StaffChanged, 2)
    assert {(one.state.staff, one.state.type) for one in changed} == {
        (acme.owner_id, "administrator"),
        (laya.staff, "owner"),
    }
    offered, *transferred = [
        (one.kind, one.staff)
        for one in await identity.told(contract.NoticeIssued, 3)
        if one.kind.startswith("ownership")
    ]
    assert offered == ("ownership_offered", laya.staff)
    assert set(transferred) == {("ownership_transferred", acme.owner_id), ("ownership_transferred", laya.staff)}
    assert await log_of(acme, "org_ownership_offered") == [(acme.owner_id, laya.staff)]
    assert await log_of(acme, "org_ownership_transferred") == [(laya.staff, laya.staff), (laya.staff, acme.owner_id)]


@pytest.mark.checklist("G03")
async def test_no_token_goes_on_saying_what_its_person_was(acme: Acme) -> None:
    identity, laya = acme.identity, await administrator(acme)
    before = len(identity.heard.of(contract.SessionsEnded))
    await offer(acme, laya.staff)
    await accept(acme, laya)
    for token in (acme.ray, laya.token):
        assert (await identity.ask("GET", "/v1/me", token=token)).status == 401
    ended = (await identity.told(contract.SessionsEnded, before + 2))[before:]
    assert {one.staff for one in ended} == {acme.owner_id, laya.staff}, "every service refuses them"


@pytest.mark.checklist("G14")
async def test_offering_and_accepting_take_a_factor_shown_a_moment_ago(acme: Acme) -> None:
    identity, laya = acme.identity, await administrator(acme)
    await run_as_owner(
        identity, "UPDATE session SET authenticated_at = authenticated_at - interval '301 seconds' WHERE org = $1",
        acme.org,
    )  # fmt: skip
    assert (await offer(acme, laya.staff)).status == 201
    stale = await refreshed(identity, laya.refresh)
    answer = await identity.post(f"{TRANSFER}/accept", token=stale)
    assert problem(answer) == (401, "step_up_needed")
    assert "max_age" in answer.headers["WWW-Authenticate"]
    assert (await types(acme))[acme.owner_id] == "owner"
    identity.clock.advance(seconds=30)  # the app shows another code
    started = await identity.post("/v1/login", {"login": f"{acme.number}\\Ray", "password": PASSWORD})
    code = acme.app.at(identity.clock.now())
    finish = {"transaction": started.json["transaction"], "factor": "totp", "code": code}
    ray = (await identity.post("/v1/login/finish", finish)).json
    identity.clock.advance(seconds=299)
    assert (await offer(acme, laya.staff, ray["access_token"])).status == 201, "five minutes, less a second"
    identity.clock.advance(seconds=2)
    stale = await refreshed(identity, ray["refresh_token"])
    assert problem(await offer(acme, laya.staff, stale)) == (401, "step_up_needed")


async def refreshed(identity: Running, token: str) -> str:
    """A new token, which says when a factor was shown last, as the one before did."""
    form = {"grant_type": "refresh_token", "refresh_token": token}
    return str((await identity.ask("POST", "/oauth/token", data=form)).json["access_token"])


async def test_only_an_active_administrator_can_be_offered_it(acme: Acme) -> None:
    identity, other = acme.identity, await register(acme.identity, "Other Crates")
    jane, laya = await sign_in(acme), await administrator(acme)
    invited = await acme.add("Han", type="administrator")
    luke = await administrator(acme, "Luke")
    await identity.post(f"/v1/staff/{luke.staff}/suspend", token=acme.ray)
    for one in (jane.staff, invited, luke.staff, acme.owner_id):
        assert problem(await offer(acme, one)) == (409, "not_administrator")
    for one in (uuid4(), other.owner_id):
        assert problem(await offer(acme, one)) == (404, "not_found")
    assert problem(await offer(acme, laya.staff, laya.token)) == (403, "owner_only")
    assert problem(await offer(acme, laya.staff, jane.token)) == (403, "owner_only")
    assert problem(await accept(acme, laya)) == (404, "no_offer")


async def test_an_offer_is_for_the_one_to_whom_it_was_made(acme: Acme) -> None:
    identity = acme.identity
    laya, han = await administrator(acme), await administrator(acme, "Han")
    await offer(acme, laya.staff)
    assert problem(await accept(acme, han)) == (404, "no_offer")
    assert problem(await identity.ask("GET", TRANSFER, token=han.token)) == (404, "no_offer")
    assert problem(await identity.post(f"{TRANSFER}/decline", token=han.token)) == (404, "no_offer")
    await offer(acme, han.staff)
    assert problem(await accept(acme, laya)) == (404, "no_offer"), "another has taken its place"
    assert (await identity.post(f"{TRANSFER}/decline", token=han.token)).status == 204
    assert problem(await accept(acme, han)) == (404, "no_offer")
    assert (await types(acme))[acme.owner_id] == "owner"
    assert await log_of(acme, "org_ownership_declined") == [(han.staff, acme.owner_id)]


async def test_an_offer_that_was_withdrawn_or_has_expired_is_none(acme: Acme) -> None:
    identity, laya = acme.identity, await administrator(acme)
    await offer(acme, laya.staff)
    assert problem(await identity.ask("DELETE", TRANSFER, token=laya.token)) == (403, "owner_only")
    assert (await identity.ask("DELETE", TRANSFER, token=acme.ray)).status == 204
    assert problem(await accept(acme, laya)) == (404, "no_offer")
    assert problem(await identity.ask("DELETE", TRANSFER, token=acme.ray)) == (404, "no_offer")
    made = (await offer(acme, laya.staff)).json
    assert made["expires_at"][:10] == "2026-11-29"
    now = identity.clock.now()
    await run_as_owner(identity, "UPDATE ownership_offer SET expires_at = $2 WHERE org = $1", acme.org, now)
    assert problem(await accept(acme, laya)) == (404, "no_offer")


@pytest.mark.parametrize(
    "change", ["status = 'suspended'", "type = 'standard'", "portal = false", "status = 'deleted'"]
)
async def test_an_offer_to_who_can_not_become_the_owner_is_dead_for_good(acme: Acme, change: str) -> None:
    """Whoever changes the account, and however: the database ends the offer in the same statement."""
    identity, laya = acme.identity, await administrator(acme)
    await offer(acme, laya.staff)
    await run_as_owner(identity, f"UPDATE staff SET {change} WHERE id = $1", laya.staff)
    back = "UPDATE staff SET status = 'active', type = 'administrator', portal = true WHERE id = $1"
    await run_as_owner(identity, back, laya.staff)
    assert problem(await accept(acme, laya)) == (404, "no_offer")
    assert problem(await identity.ask("GET", TRANSFER, token=acme.ray)) == (404, "no_offer")


async def raced(*acts: Awaitable[Answer]) -> list[Answer]:
    return list(await asyncio.gather(*acts))


@pytest.mark.checklist("H04")
@pytest.mark.parametrize("against", ["accept", "withdraw", "suspend", "offer"])
async def test_of_two_at_the_same_moment_one_is_done_and_the_other_is_not(acme: Acme, against: str) -> None:
    """One owner at every moment, and nobody becomes the owner whom the owner has put out or passed over."""
    identity = acme.identity
    for n in range(4):
        org = await register(identity, "Other Crates")
        laya, han = await administrator(org, f"Laya{n}"), await administrator(org, f"Han{n}")
        await offer(org, laya.staff)
        others: dict[str, Any] = {
            "accept": lambda org=org, laya=laya: accept(org, laya),
            "withdraw": lambda org=org: identity.ask("DELETE", TRANSFER, token=org.ray),
            "suspend": lambda org=org, laya=laya: identity.post(f"/v1/staff/{laya.staff}/suspend", token=org.ray),
            "offer": lambda org=org, han=han: offer(org, han.staff),
        }
        first, second = await raced(accept(org, laya), others[against]())
        done = [answer.status < 400 for answer in (first, second)]
        assert done.count(True) == 1, (first.text, second.text)
        kinds = await types(org)
        assert list(kinds.values()).count("owner") == 1
        assert (kinds[laya.staff] == "owner") is (done[0] or against == "accept")


async def test_an_owner_of_yesterday_offers_nothing(acme: Acme) -> None:
    """Though the token were still good: who is the owner is looked up with everybody held."""
    laya, han = await administrator(acme), await administrator(acme, "Han")
    await run_as_owner(acme.identity, "UPDATE staff SET type = 'administrator' WHERE id = $1", acme.owner_id)
    await run_as_owner(acme.identity, "UPDATE staff SET type = 'owner' WHERE id = $1", laya.staff)
    assert problem(await offer(acme, han.staff)) == (403, "owner_only")
