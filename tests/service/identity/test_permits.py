"""Who may administer staff is for authz to say, and nothing is done while it can't be asked."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from staffgate.contracts import identity as contract
from tests.service.identity.conftest import PASSWORD, Acme, Answer, log_in

EDITED = ("activation-email", "suspend", "reactivate", "logout", "weblink")


async def signed_in(acme: Acme, username: str, **more: Any) -> tuple[UUID, str]:
    staff = await acme.add(username, **more)
    tokens = await log_in(acme.identity, await acme.activate(staff))
    return staff, tokens.json["access_token"]


async def added(acme: Acme, token: str, **more: Any) -> Answer:
    body = {"type": "standard", "name": "Luke", "email": "luke@acme.example", "username": f"Luke{uuid4().hex[:6]}"}
    return await acme.identity.post("/v1/staff", body | more, token=token)


def problem(answer: Answer) -> tuple[int, str]:
    return answer.status, (answer.json or {}).get("type", "").rpartition(":")[2]


async def test_whoever_may_nothing_sees_their_own_account_and_no_other(acme: Acme) -> None:
    identity = acme.identity
    han = await acme.add("Han")
    jane, token = await signed_in(acme, "Jane")
    before = await status(acme, han)
    assert (await identity.ask("GET", f"/v1/staff/{jane}", token=token)).json["username"] == "Jane"
    assert problem(await added(acme, token)) == (403, "not_permitted")
    assert problem(await identity.ask("GET", "/v1/staff", token=token)) == (403, "not_permitted")
    for one in (han, uuid4()):
        for method, path in (("GET", ""), ("DELETE", ""), *(("POST", f"/{path}") for path in EDITED)):
            answer = await identity.ask(method, f"/v1/staff/{one}{path}", token=token)
            assert problem(answer) == (404, "not_found"), "nobody is told who is there"
    assert await status(acme, han) == before


async def status(acme: Acme, staff: UUID) -> Any:
    return (await acme.identity.ask("GET", f"/v1/staff/{staff}", token=acme.ray)).json


async def test_whoever_may_edit_some_accounts_edits_those(acme: Acme) -> None:
    identity = acme.identity
    (han, _), (luke, _) = await signed_in(acme, "Han"), await signed_in(acme, "Luke")
    laya = await acme.add("Laya")
    vada, token = await signed_in(acme, "Vada")
    identity.authz.permit(vada, "core.staff.edit", over={han, laya})
    identity.authz.permit(vada, "core.staff.view", over={han, laya, luke})
    assert (await identity.post(f"/v1/staff/{han}/suspend", token=token)).json["status"] == "suspended"
    assert (await identity.post(f"/v1/staff/{han}/reactivate", token=token)).json["status"] == "active"
    assert (await identity.post(f"/v1/staff/{laya}/activation-email", token=token)).status == 202
    assert problem(await identity.post(f"/v1/staff/{luke}/suspend", token=token)) == (403, "not_permitted")
    assert (await status(acme, luke))["status"] == "active"
    listed = (await identity.ask("GET", "/v1/staff", token=token)).json["staff"]
    assert [one["username"] for one in listed] == ["Han", "Laya", "Luke", "Vada"], "and their own"


async def test_authz_is_asked_about_the_row_of_the_person(acme: Acme) -> None:
    han = await acme.add("Han")
    await acme.identity.post(f"/v1/staff/{han}/activation-email", token=acme.ray)
    asked = acme.identity.authz.asked[-1]
    assert asked["subject"] == {"type": "staff", "id": str(acme.owner_id), "properties": {}}
    assert asked["action"]["name"] == "core.staff.edit"
    assert asked["resource"] == {"type": "staff", "id": str(han), "properties": {"owner": str(han)}}


async def test_nobody_makes_or_puts_out_those_above_them(acme: Acme) -> None:
    chewie = await acme.add("Chewie", type="administrator")
    await acme.activate(chewie)
    vada, token = await signed_in(acme, "Vada")
    acme.identity.authz.permit(vada, "core.staff.view", "core.staff.create", "core.staff.edit")
    assert problem(await added(acme, token, type="administrator")) == (403, "administrators_only")
    assert problem(await added(acme, token, default_level="read")) == (403, "more_than_own")
    assert problem(await added(acme, token, route_anywhere=True)) == (403, "more_than_own")
    assert (await added(acme, token)).status == 201
    for path in ("suspend", "reactivate"):
        answer = await acme.identity.post(f"/v1/staff/{chewie}/{path}", token=token)
        assert problem(answer) == (403, "administrators_only")


async def test_while_authz_is_away_nobody_is_administered(acme: Acme) -> None:
    identity = acme.identity
    han, _ = await signed_in(acme, "Han")
    before, told = await status(acme, han), len(identity.heard.events)
    identity.authz.away = True
    assert problem(await added(acme, acme.ray)) == (503, "authz_away")
    one = ((method, f"/{han}") for method in ("GET", "DELETE"))
    for method, path in (("GET", ""), *one, *(("POST", f"/{han}/{path}") for path in EDITED)):
        answer = await identity.ask(method, f"/v1/staff{path}", token=acme.ray)
        assert problem(answer) == (503, "authz_away")
        assert answer.headers["Retry-After"]
    identity.authz.away = False
    assert await status(acme, han) == before
    assert len(identity.heard.events) == told


async def test_getting_in_needs_no_authz(acme: Acme) -> None:
    identity = acme.identity
    jane = await acme.add("Jane")
    assert (await identity.post(f"/v1/staff/{jane}/activation-email", token=acme.ray)).status == 202
    await identity.told(contract.LinkIssued, 2)
    identity.authz.away = True
    use = {"token": identity.heard.link(), "password": PASSWORD}
    login = (await identity.post("/v1/activations", use)).json["login"]
    tokens = (await log_in(identity, login)).json
    grant = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    token = (await identity.ask("POST", "/oauth/token", data=grant)).json["access_token"]
    for path in ("/v1/me", f"/v1/staff/{jane}", "/v1/organisation"):
        assert (await identity.ask("GET", path, token=token)).status == 200
    assert (await identity.post("/v1/me/logout", token=token)).status == 204


@pytest.mark.parametrize("reason", ["unknown_subject", "account_inactive", "account_suspended"])
async def test_whom_authz_does_not_know_yet_is_asked_to_try_again(acme: Acme, reason: str) -> None:
    """identity knows better: it has let them in a moment ago."""
    acme.identity.authz.reason = reason
    assert problem(await added(acme, acme.ray)) == (503, "account_unknown")
