"""Changing accounts: who may change what of whom, what it ends, and that no two changes undo each other."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from staffgate.contracts import identity as contract
from tests.service.identity.conftest import PASSWORD, Acme, Answer, SignedIn, log_in, register, run_as_owner, sign_in

_NOBODYS = (
    "role", "roles", "team", "org", "org_id", "organisation", "status", "id", "locked", "version", "password",
    "password_hash", "email_confirmed_at", "mobile_confirmed_at", "totp_confirmed_at", "verified", "created_at",
    "activation_sent_at", "availability", "weblink", "nonsense",
)  # fmt: skip
MOBILE, OTHER_MOBILE = "+61 491 570 006", "+61 491 570 157"


def problem(answer: Answer) -> tuple[int, str]:
    return answer.status, (answer.json or {}).get("type", "").rpartition(":")[2]


async def edit(acme: Acme, staff: UUID, change: Any, token: str = "", tag: str = "") -> Answer:
    headers = {"If-Match": tag} if tag else {}
    return await acme.identity.ask(
        "PATCH", f"/v1/staff/{staff}", token=token or acme.ray, json=change, headers=headers
    )  # fmt: skip


async def show(acme: Acme, staff: UUID) -> Answer:
    return await acme.identity.ask("GET", f"/v1/staff/{staff}", token=acme.ray)


async def row(acme: Acme, staff: UUID) -> Any:
    return dict((await run_as_owner(acme.identity, "SELECT * FROM staff WHERE id = $1", staff))[0])


async def audited(acme: Acme, event: str) -> list[Any]:
    query = "SELECT target, body::jsonb -> 'detail' ->> 'changed' AS changed FROM audit WHERE event = $1 AND org = $2"
    query += " ORDER BY number"
    return [(row["target"], row["changed"]) for row in await run_as_owner(acme.identity, query, event, acme.org)]


def changes(acme: Acme, staff: UUID) -> list[Any]:
    return [one for one in acme.identity.heard.of(contract.StaffChanged) if one.state.staff == staff]


# --- what can be changed --------------------------------------------------------------------------------------


async def test_what_is_named_changes_and_the_rest_stays(acme: Acme) -> None:
    jane = await acme.add("Jane", extension="42", mobile=MOBILE)
    before = (await show(acme, jane)).json
    answer = await edit(acme, jane, {"name": " Jane Solo ", "extension": "43"})
    assert answer.status == 200
    assert answer.json == before | {"name": "Jane Solo", "extension": "43", "version": before["version"] + 1}
    answer = await edit(acme, jane, {"extension": None, "mobile": None})
    assert (answer.json["extension"], answer.json["mobile"], answer.json["name"]) == (None, None, "Jane Solo")
    assert await audited(acme, "user_updated") == [
        (str(jane), '["extension", "name"]'),
        (str(jane), '["extension", "mobile"]'),
    ]


async def test_what_is_so_already_is_no_change(acme: Acme) -> None:
    jane = await acme.add("Jane", mobile=MOBILE)
    before = await show(acme, jane)
    answer = await edit(acme, jane, {"name": "Jane", "mobile": MOBILE.replace(" ", ""), "type": "standard"})
    assert (answer.status, answer.json, answer.headers["ETag"]) == (200, before.json, before.headers["ETag"])
    assert await audited(acme, "user_updated") == []
    assert problem(await edit(acme, jane, {})) == (422, "nothing_to_change")


@pytest.mark.checklist("H09")
async def test_what_is_nobodys_to_set_is_refused_and_not_passed_over(acme: Acme) -> None:
    jane = await acme.add("Jane")
    before = await row(acme, jane)
    for field in _NOBODYS:
        for value in ("x", True, None):
            assert problem(await edit(acme, jane, {"name": "Leia", field: value})) == (422, "invalid"), field
            body = {"type": "standard", "name": "Luke", "email": "luke@acme.example", "username": "Luke", field: value}
            assert problem(await acme.identity.post("/v1/staff", body, token=acme.ray)) == (422, "invalid"), field
    assert await row(acme, jane) == before


@pytest.mark.checklist("H05", "H09")
@pytest.mark.parametrize("field", [{"type": "owner"}, {"default_level": "full"}, {"route_anywhere": True}])
async def test_an_edit_makes_nobody_the_owner_and_gives_no_permission(acme: Acme, field: Any) -> None:
    jane = await acme.add("Jane")
    assert problem(await edit(acme, jane, field)) == (422, "invalid")
    body = {"type": "owner", "name": "Luke", "email": "luke@acme.example", "username": "Luke"}
    assert problem(await acme.identity.post("/v1/staff", body, token=acme.ray)) == (422, "invalid")


async def test_an_extension_is_one_persons_however_many_ask_for_it(acme: Acme) -> None:
    people = [await acme.add(f"Crew{n}") for n in range(6)]
    answers = await asyncio.gather(*(edit(acme, one, {"extension": "77"}) for one in people))
    assert sorted(answer.status for answer in answers) == [200, *[409] * 5]
    assert {problem(answer)[1] for answer in answers if answer.status == 409} == {"extension_taken"}
    adding = {"type": "standard", "name": "Luke", "email": "luke@acme.example", "extension": "77"}
    assert (await acme.identity.post("/v1/staff", adding, token=acme.ray)).status == 409
    other = await register(acme.identity, "Other Crates")
    assert await other.add("Luke", extension="77"), "another organisation has its own"


@pytest.mark.checklist("H07", "A08")
async def test_a_username_that_somebody_had_is_nobodys_again(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme, "Jane")
    luke = await acme.add("Luke")
    assert (await edit(acme, jane.staff, {"username": "JANE"})).json["username"] == "JANE", "the same name"
    assert (await edit(acme, jane.staff, {"username": "Leia"})).status == 200
    for name in ("jane", "Jane", "leia"):
        assert problem(await edit(acme, luke, {"username": name})) == (409, "username_taken")
    assert problem(await edit(acme, jane.staff, {"username": "Jane"})) == (409, "username_taken"), "not her own either"
    assert (await identity.ask("GET", "/v1/me", token=jane.token)).json["username"] == "Leia"
    assert (await identity.post("/v1/login", {"login": jane.login, "password": PASSWORD})).status == 401
    assert (await log_in(identity, jane.login.replace("Jane", "Leia"))).status == 200


# --- addresses and numbers ------------------------------------------------------------------------------------


@pytest.mark.checklist("F06", "F08")
async def test_the_address_of_somebody_invited_changes_at_once_and_kills_what_was_sent(acme: Acme) -> None:
    identity, jane = acme.identity, await acme.add("Jane")
    await identity.post(f"/v1/staff/{jane}/activation-email", token=acme.ray)
    await identity.told(contract.LinkIssued, 2)
    link = identity.heard.link()
    assert (await edit(acme, jane, {"email": "solo@acme.example"})).json["email"] == "solo@acme.example"
    assert problem(await identity.post("/v1/activations", {"token": link, "password": PASSWORD})) == (422, "link_dead")


@pytest.mark.checklist("F08")
async def test_the_address_of_somebody_active_counts_when_they_have_confirmed_it(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme, "Jane")
    identity.clock.advance(minutes=2)
    before = len(identity.heard.of(contract.LinkIssued))
    answer = await edit(acme, jane.staff, {"email": "solo@acme.example", "name": "Jane Solo"})
    assert (answer.json["email"], answer.json["name"]) == ("Jane@acme.example", "Jane Solo")
    (link,) = (await identity.told(contract.LinkIssued, before + 1))[before:]
    assert link.purpose == "email"
    assert (await identity.post("/v1/email-confirmations", {"token": identity.heard.link()})).status == 200
    assert (await show(acme, jane.staff)).json["email"] == "solo@acme.example"


@pytest.mark.checklist("C08", "F08")
async def test_a_number_that_somebody_else_entered_is_not_confirmed_and_its_person_is_told(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme, "Jane", mobile=MOBILE)
    await run_as_owner(identity, "UPDATE staff SET mobile_confirmed_at = now() WHERE id = $1", jane.staff)
    assert (await edit(acme, jane.staff, {"mobile": OTHER_MOBILE})).status == 200
    assert (await row(acme, jane.staff))["mobile_confirmed_at"] is None
    told = [one.staff for one in identity.heard.of(contract.NoticeIssued) if one.kind == "mobile_changed"]
    assert told == [jane.staff]


@pytest.mark.checklist("G14")
@pytest.mark.parametrize(
    "change", [{"email": "solo@acme.example"}, {"mobile": OTHER_MOBILE}, {"type": "administrator"}]
)
async def test_what_leads_into_an_account_takes_a_fresh_factor(acme: Acme, change: Any) -> None:
    jane = await sign_in(acme, "Jane")
    acme.identity.clock.advance(minutes=4, seconds=50)
    token = await refreshed(acme)
    acme.identity.clock.advance(seconds=20)
    assert problem(await edit(acme, jane.staff, change, token)) == (401, "step_up_needed")
    assert (await edit(acme, jane.staff, {"name": "Jane Solo"}, token)).status == 200


async def refreshed(acme: Acme) -> str:
    """A new access token for Ray's session, whose factor is as old as it was."""
    leia = await sign_in(acme, "Leia", type="administrator")
    acme.identity.clock.advance(minutes=4, seconds=50)
    grant = {"grant_type": "refresh_token", "refresh_token": leia.refresh}
    return str((await acme.identity.ask("POST", "/oauth/token", data=grant)).json["access_token"])


# --- types ----------------------------------------------------------------------------------------------------


@pytest.mark.checklist("H04", "G03")
async def test_another_type_is_told_and_ends_what_speaks_of_the_old_one(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme, "Jane")
    for n, type in enumerate(("administrator", "standard"), start=1):
        token = jane.token if n == 1 else (await log_in(identity, jane.login)).json["access_token"]
        assert (await edit(acme, jane.staff, {"type": type})).json["type"] == type
        await identity.told(contract.StaffChanged, n)
        assert (changes(acme, jane.staff)[-1].state.type, len(changes(acme, jane.staff))) == (type, n)
        assert (await identity.ask("GET", "/v1/me", token=token)).status == 401
    assert await audited(acme, "user_updated") == [(str(jane.staff), '["type"]')] * 2


# --- who may do what to whom ----------------------------------------------------------------------------------

_RANKS = {"standard": 0, "administrator": 1, "owner": 2}
_ACTS = ("edit", "raise", "suspend", "reactivate", "delete", "logout", "activation-email", "weblink", "add", "add one")
# Nobody adds an owner (see above), and an administrator is raised no further.
_NO_REQUEST = {("add", "owner"), ("add one", "owner"), ("raise", "administrator")}


@pytest.mark.checklist("H05")
@pytest.mark.parametrize("act", _ACTS)
async def test_nobody_reaches_above_themselves(acme: Acme, act: str) -> None:
    """Callers of every type, who by authz may everything on staff accounts, against everybody else of every type."""
    callers = {
        "administrator": await sign_in(acme, "Leia", type="administrator"),
        "standard": await sign_in(acme, "Vada"),
        "nobody": await sign_in(acme, "Luke"),
        "owner": SignedIn(acme.owner_id, "", acme.ray, "", acme.app),  # the last: logging oneself out is allowed
    }
    every = [f"core.staff.{action}" for action in ("view", "create", "edit", "delete")]
    acme.identity.authz.permit(callers["standard"].staff, *every)
    faults = []
    for who, caller in callers.items():
        for n, target in enumerate(("standard", "administrator", "owner")):
            if (act, target) in _NO_REQUEST:
                continue
            answer = await _attempt(acme, act, caller, target, f"{who}{n}")
            if (answer.status < 300) != _allowed(act, who, target):
                faults.append(f"{who} -> {act} -> {target}: {answer.status} {answer.text[:120]}")
            if answer.status >= 300 and answer.status not in (403, 404, 409):
                faults.append(f"{who} -> {act} -> {target}: {answer.status}")
    assert not faults, "\n".join(faults)


def _allowed(act: str, who: str, target: str) -> bool:
    if who == "nobody" or _RANKS[target] > _RANKS[who]:
        return False
    if act == "raise":
        return who != "standard" and target == "standard"
    if target == "owner":  # and so the caller: only what ends nothing of one's own
        return act in ("edit", "logout", "weblink")
    return True


async def _attempt(acme: Acme, act: str, caller: SignedIn, target: str, name: str) -> Answer:
    ask = acme.identity.ask
    if act in ("add", "add one"):
        body: dict[str, Any] = {"type": target, "name": "Han", "email": "han@acme.example", "username": f"han-{name}"}
        body |= {"portal": False} if act == "add one" else {}
        return await ask("POST", "/v1/staff", token=caller.token, json=body)
    staff = acme.owner_id if target == "owner" else await acme.add(f"han-{name}", type=target)
    if target != "owner" and act not in ("activation-email", "raise"):
        await acme.activate(staff)
    if act == "reactivate" and target != "owner":
        await acme.identity.post(f"/v1/staff/{staff}/suspend", token=acme.ray)
    if act in ("edit", "raise"):
        change = {"name": f"Han {name}"} if act == "edit" else {"type": "administrator"}
        return await edit(acme, staff, change, caller.token)
    if act == "delete":
        return await ask("DELETE", f"/v1/staff/{staff}", token=caller.token)
    return await ask("POST", f"/v1/staff/{staff}/{act}", token=caller.token)


@pytest.mark.checklist("H05")
@pytest.mark.parametrize(
    "change", [{"type": "standard"}, {"portal": False}, {"email": "me@acme.example"}, {"mobile": MOBILE}]
)
async def test_nobody_changes_their_own_standing_or_slips_past_confirming(acme: Acme, change: Any) -> None:
    leia = await sign_in(acme, "Leia", type="administrator")
    assert problem(await edit(acme, leia.staff, change, leia.token)) == (403, "own_account")
    assert (await edit(acme, leia.staff, {"name": "Leia Organa"}, leia.token)).status == 200


@pytest.mark.checklist("H05")
async def test_nobody_raises_themselves(acme: Acme) -> None:
    vada = await sign_in(acme, "Vada")
    acme.identity.authz.permit(vada.staff, "core.staff.view", "core.staff.edit", "core.staff.create")
    assert problem(await edit(acme, vada.staff, {"type": "administrator"}, vada.token)) == (403, "own_account")
    luke = await acme.add("Luke")
    assert problem(await edit(acme, luke, {"type": "administrator"}, vada.token)) == (403, "administrators_only")
    assert (await edit(acme, luke, {"name": "Luke S."}, vada.token)).status == 200


# --- two at once ----------------------------------------------------------------------------------------------


@pytest.mark.checklist("L04")
async def test_an_edit_of_what_is_not_so_any_more_changes_nothing(acme: Acme) -> None:
    jane = await acme.add("Jane")
    tag = (await show(acme, jane)).headers["ETag"]
    first = await edit(acme, jane, {"name": "Jane Solo"}, tag=tag)
    assert (first.status, first.headers["ETag"]) == (200, (await show(acme, jane)).headers["ETag"])
    assert first.headers["ETag"] != tag
    second = await edit(acme, jane, {"name": "Jane Organa"}, tag=tag)
    assert (problem(second), second.json["etag"]) == ((412, "changed_meanwhile"), first.headers["ETag"])
    assert (await show(acme, jane)).json["name"] == "Jane Solo"
    for good in (first.headers["ETag"], "*", f'"x", {first.headers["ETag"]}'):
        assert (await edit(acme, jane, {"name": "Jane Solo"}, tag=good)).status == 200
    for wrong in ('"x"', "x", f"W/{first.headers['ETag']}"):
        assert (await edit(acme, jane, {"name": "Jane"}, tag=wrong)).status == 412


@pytest.mark.checklist("L04")
async def test_of_twenty_who_edit_what_they_saw_one_does(acme: Acme) -> None:
    jane = await acme.add("Jane")
    tag = (await show(acme, jane)).headers["ETag"]
    answers = await asyncio.gather(*(edit(acme, jane, {"name": f"Jane {n}"}, tag=tag) for n in range(20)))
    assert sorted(answer.status for answer in answers) == [200, *[412] * 19]


@pytest.mark.checklist("L04")
@pytest.mark.parametrize("act", ["suspend", "email"])
async def test_whatever_changes_the_account_changes_its_tag(acme: Acme, act: str) -> None:
    jane = await sign_in(acme, "Jane")
    tag = (await show(acme, jane.staff)).headers["ETag"]
    if act == "suspend":
        await acme.identity.post(f"/v1/staff/{jane.staff}/suspend", token=acme.ray)
    else:
        await run_as_owner(acme.identity, "UPDATE staff SET email = 'solo@acme.example' WHERE id = $1", jane.staff)
    assert (await edit(acme, jane.staff, {"name": "Jane Solo"}, tag=tag)).status == 412


# --- without portal -------------------------------------------------------------------------------------------


@pytest.mark.checklist("H11", "A10")
async def test_an_account_without_portal_never_gets_in(acme: Acme) -> None:
    """Not even with a password, which it can't have."""
    identity = acme.identity
    chewie, jane = await acme.add("Chewie", portal=False, mobile=MOBILE), await sign_in(acme, "Jane")
    password = "UPDATE staff SET password_hash = (SELECT password_hash FROM staff WHERE id = $2),"
    password += " email_confirmed_at = now(), mobile_confirmed_at = now() WHERE id = $1"
    await run_as_owner(identity, password, chewie, jane.staff)
    login = jane.login.replace("Jane", "Chewie")
    refused = await identity.post("/v1/login", {"login": login, "password": PASSWORD})
    wrong = await identity.post("/v1/login", {"login": jane.login, "password": "another"})
    assert (refused.status, refused.json) == (401, wrong.json)
    told = len(identity.heard.of(contract.LinkIssued))
    assert problem(await identity.post(f"/v1/staff/{chewie}/activation-email", token=acme.ray)) == (409, "not_invited")
    assert (await identity.post(f"/v1/staff/{chewie}/password-link", token=acme.ray)).status == 409
    assert (await identity.post("/v1/password-resets", {"login": login})).status == 202
    asked = await identity.post("/v1/password-resets", {"login": jane.login})
    assert asked.status == 202
    issued = await identity.told(contract.LinkIssued, told + 1)  # Jane's, which was asked for afterwards
    assert {one.staff for one in issued[told:]} == {jane.staff}
    assert [one for one in identity.heard.of(contract.CodeIssued) if one.staff == chewie] == []


@pytest.mark.checklist("H11")
async def test_without_the_portal_everything_ends_that_leads_in(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme, "Jane")
    begun = (await identity.post("/v1/login", {"login": jane.login, "password": PASSWORD})).json["transaction"]
    assert (await identity.post("/v1/login/codes", {"transaction": begun, "factor": "email"})).status == 202
    await identity.told(contract.CodeIssued, 3)
    answer = await edit(acme, jane.staff, {"portal": False})
    assert (answer.json["portal"], answer.json["status"], answer.json["activation"]) == (False, "active", "not_needed")
    assert (await identity.ask("GET", "/v1/me", token=jane.token)).status == 401
    finish = {"transaction": begun, "factor": "email", "code": identity.heard.code()}
    assert (await identity.post("/v1/login/finish", finish)).status == 401
    grant = {"grant_type": "refresh_token", "refresh_token": jane.refresh}
    assert (await identity.ask("POST", "/oauth/token", data=grant)).status == 400
    kept = await row(acme, jane.staff)
    assert {kept[name] for name in ("password_hash", "totp_sealed", "totp_confirmed_at")} == {None}
    await identity.told(contract.StaffChanged, 1)
    assert [one.state.status for one in changes(acme, jane.staff)] == ["active"]


@pytest.mark.checklist("H11", "H03")
async def test_whoever_gets_the_portal_has_yet_to_activate_the_account(acme: Acme) -> None:
    identity, chewie = acme.identity, await acme.add("Chewie", portal=False)
    assert (await edit(acme, chewie, {"portal": True})).json["status"] == "invited"
    login = await acme.activate(chewie)
    assert (await log_in(identity, login)).status == 200
    states = [one.state.status for one in identity.heard.of(contract.StaffEvent) if one.state.staff == chewie]
    assert states == ["active", "invited", "active"]
    assert (await edit(acme, chewie, {"portal": False})).json["status"] == "active"
    assert (await edit(acme, chewie, {"portal": True})).json["status"] == "invited", "the old password is worth nothing"


async def test_the_portal_of_somebody_suspended_stays_as_it_is(acme: Acme) -> None:
    jane = await sign_in(acme, "Jane")
    await acme.identity.post(f"/v1/staff/{jane.staff}/suspend", token=acme.ray)
    assert problem(await edit(acme, jane.staff, {"portal": False})) == (409, "not_active")


async def test_an_invitation_ends_with_the_portal(acme: Acme) -> None:
    identity, jane = acme.identity, await acme.add("Jane")
    await identity.post(f"/v1/staff/{jane}/activation-email", token=acme.ray)
    await identity.told(contract.LinkIssued, 2)
    link = identity.heard.link()
    assert (await edit(acme, jane, {"portal": False})).json["status"] == "active"
    assert problem(await identity.post("/v1/activations", {"token": link, "password": PASSWORD})) == (422, "link_dead")
