"""What ends with an account that is suspended or deleted, to whom its work goes; and nobody is put out who has to stay."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any
from uuid import UUID, uuid4

import pytest

from staffgate.contracts import identity as contract
from tests.service.identity.conftest import PASSWORD, Acme, Answer, log_in, register, run_as_owner, sign_in

STEPS: dict[str, tuple[set[str], str, Any, str]] = {
    "suspend": ({"active"}, "suspended", contract.StaffSuspended, "user_suspended"),
    "reactivate": ({"suspended"}, "active", contract.StaffReactivated, "user_reactivated"),
    "activate": ({"invited"}, "active", contract.StaffActivated, "user_activated"),
    "delete": ({"invited", "active", "suspended"}, "deleted", contract.StaffDeleted, "user_deleted"),
}


def problem(answer: Answer) -> tuple[int, str]:
    return answer.status, (answer.json or {}).get("type", "").rpartition(":")[2]


async def step(acme: Acme, act: str, staff: UUID, token: str = "", **query: str) -> Answer:
    """One step of an account's life, as `token` (Ray by default) asks for it."""
    identity, token = acme.identity, token or acme.ray
    if act == "delete":
        return await identity.ask("DELETE", f"/v1/staff/{staff}", token=token, params=query)
    return await identity.ask("POST", f"/v1/staff/{staff}/{act}", token=token, params=query)


async def status_of(acme: Acme, staff: UUID) -> str:
    rows = await run_as_owner(acme.identity, "SELECT status FROM staff WHERE id = $1", staff)
    return str(rows[0]["status"])


async def written(acme: Acme, staff: UUID) -> list[str]:
    """What the audit log says of somebody, from the first entry on."""
    query = "SELECT event FROM audit WHERE target = $1 ORDER BY number"
    return [row["event"] for row in await run_as_owner(acme.identity, query, str(staff))]


def told(acme: Acme, staff: UUID) -> list[type]:
    return [type(one) for one in acme.identity.heard.of(contract.StaffEvent) if one.state.staff == staff]


# --- what ends with an account --------------------------------------------------------------------------------


@pytest.mark.checklist("H03", "A10")
@pytest.mark.parametrize("act", ["suspend", "delete"])
async def test_whoever_is_put_out_is_out_everywhere(acme: Acme, act: str) -> None:
    identity, jane = acme.identity, await sign_in(acme, "Jane")
    link = await reset_link(acme, jane.staff)
    begun = (await identity.post("/v1/login", {"login": jane.login, "password": PASSWORD})).json["transaction"]
    assert (await step(acme, act, jane.staff)).status in (200, 204)
    assert (await identity.ask("GET", "/v1/me", token=jane.token)).status == 401
    grant = {"grant_type": "refresh_token", "refresh_token": jane.refresh}
    assert (await identity.ask("POST", "/oauth/token", data=grant)).status == 400
    assert (await identity.post("/v1/login/codes", {"transaction": begun, "factor": "email"})).status == 401
    assert (await identity.post("/v1/login", {"login": jane.login, "password": PASSWORD})).status == 401
    used = await identity.post("/v1/password-resets/finish", {"token": link, "password": "nine yards of copper pipe"})
    assert problem(used) == (422, "link_dead")
    ended = [one for one in identity.heard.of(contract.SessionsEnded) if one.staff == jane.staff]
    assert len(ended) == 1


async def reset_link(acme: Acme, staff: UUID) -> str:
    identity = acme.identity
    identity.clock.advance(minutes=2)  # so soon after the first no other link is sent
    before = len(identity.heard.of(contract.LinkIssued))
    sent = await identity.post(f"/v1/staff/{staff}/password-link", token=acme.ray)
    assert sent.status == 202, sent.text
    await identity.told(contract.LinkIssued, before + 1)
    return identity.heard.link()


async def test_links_that_were_sent_before_a_suspension_stay_dead_after_it(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme, "Jane")
    link = await reset_link(acme, jane.staff)
    for act in ("suspend", "reactivate"):
        assert (await step(acme, act, jane.staff)).status == 200
    used = await identity.post("/v1/password-resets/finish", {"token": link, "password": "nine yards of copper pipe"})
    assert problem(used) == (422, "link_dead")
    assert (await log_in(identity, jane.login)).status == 200


@pytest.mark.checklist("H07")
async def test_a_deleted_account_is_nobodys_and_its_names_are_never_given_again(acme: Acme) -> None:
    identity = acme.identity
    han = await acme.add("Han", extension="42", mobile="+61 491 570 006")
    await acme.activate(han)
    assert (await step(acme, "delete", han)).status == 204
    for method, path in (
        ("GET", ""), ("DELETE", ""), ("POST", "/suspend"), ("POST", "/reactivate"), ("POST", "/logout"),
        ("POST", "/activation-email"), ("GET", "/weblink"), ("POST", "/weblink"),
    ):  # fmt: skip
        assert problem(await identity.ask(method, f"/v1/staff/{han}{path}", token=acme.ray)) == (404, "not_found")
    edit = await identity.ask("PATCH", f"/v1/staff/{han}", token=acme.ray, json={"name": "Greedo"})
    assert problem(edit) == (404, "not_found")
    again = {"type": "standard", "name": "Han", "email": "han@acme.example", "username": "hAN"}
    assert problem(await identity.post("/v1/staff", again, token=acme.ray)) == (409, "username_taken")
    heir = await acme.add("Luke", extension="42")
    assert heir != han, "an extension is a place: it may be somebody else's now"


@pytest.mark.checklist("H07")
async def test_nothing_that_a_deleted_person_proved_is_kept(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme, "Laya", type="administrator")
    await identity.post("/v1/me/factors/recovery-codes", token=jane.token)
    assert (await step(acme, "delete", jane.staff)).status == 204
    query = "SELECT password_hash, totp_sealed, totp_next, totp_confirmed_at, weblink FROM staff WHERE id = $1"
    assert set((await run_as_owner(identity, query, jane.staff))[0].values()) == {None}
    for table in ("device", "passkey", "recovery_code", "former_password"):
        assert await run_as_owner(identity, f"SELECT FROM {table} WHERE staff = $1", jane.staff) == [], table


async def test_who_was_deleted_is_listed_for_administrators_only(acme: Acme) -> None:
    identity = acme.identity
    han, vada = await acme.add("Han"), await sign_in(acme, "Vada")
    await step(acme, "delete", han)
    identity.authz.permit(vada.staff, "core.staff.view")
    ask = {"params": {"status": "deleted"}}
    assert problem(await identity.ask("GET", "/v1/staff", token=vada.token, **ask)) == (403, "administrators_only")
    listed = (await identity.ask("GET", "/v1/staff", token=acme.ray, **ask)).json["staff"]
    assert [(one["id"], one["status"], one["weblink"]) for one in listed] == [(str(han), "deleted", None)]
    for status in ("all", "activated", "deactivated"):
        listed = (await identity.ask("GET", f"/v1/staff?status={status}", token=acme.ray)).json["staff"]
        assert str(han) not in [one["id"] for one in listed]


async def test_a_forced_logout_ends_every_session_and_nothing_else(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme, "Jane")
    second = (await log_in(identity, jane.login)).json["access_token"]
    assert (await step(acme, "logout", jane.staff)).status == 204
    for token in (jane.token, second):
        assert (await identity.ask("GET", "/v1/me", token=token)).status == 401
    assert (await written(acme, jane.staff))[-1] == "sessions_ended_by_admin"
    assert (await status_of(acme, jane.staff), (await log_in(identity, jane.login)).status) == ("active", 200)


# --- handing over ---------------------------------------------------------------------------------------------


@pytest.mark.checklist("H06")
@pytest.mark.parametrize(("act", "kind"), [("suspend", contract.StaffSuspended), ("delete", contract.StaffDeleted)])
async def test_to_whom_work_goes_travels_in_the_event(acme: Acme, act: str, kind: Any) -> None:
    identity = acme.identity
    jane, luke, han = [await sign_in(acme, name) for name in ("Jane", "Luke", "Han")]
    assert (await step(acme, act, jane.staff, handover_to=str(luke.staff))).status in (200, 204)
    assert (await step(acme, act, han.staff)).status in (200, 204)
    events = await identity.told(kind, 2)
    assert [(one.state.staff, one.handover_to) for one in events] == [(jane.staff, luke.staff), (han.staff, None)]
    query = "SELECT body::jsonb -> 'detail' ->> 'handover_to' AS to FROM audit WHERE event = $1 AND org = $2"
    rows = await run_as_owner(identity, f"{query} ORDER BY number", STEPS[act][3], acme.org)
    assert [row["to"] for row in rows] == [str(luke.staff), ""]


@pytest.mark.checklist("H06")
@pytest.mark.parametrize("act", ["suspend", "delete"])
async def test_work_goes_to_nobody_who_could_not_take_it(acme: Acme, act: str) -> None:
    identity, jane = acme.identity, await sign_in(acme, "Jane")
    (han, _), luke = (await signed_out(acme, "Han")), await acme.add("Luke")
    chewie, leia = await acme.add("Chewie", portal=False), await acme.add("Leia")
    await step(acme, "suspend", han)
    await step(acme, "delete", leia)
    stranger = (await register(identity, "Other Crates")).owner_id
    before = len(identity.heard.of(contract.StaffEvent))
    for receiver in (jane.staff, han, luke, chewie, leia, stranger, uuid4()):
        answer = await step(acme, act, jane.staff, handover_to=str(receiver))
        assert problem(answer) == (422, "handover_impossible"), receiver
    assert problem(await step(acme, act, jane.staff, handover="x")) == (422, "invalid"), "a slip is not passed over"
    assert (await status_of(acme, jane.staff), len(identity.heard.of(contract.StaffEvent))) == ("active", before)


async def signed_out(acme: Acme, username: str) -> tuple[UUID, str]:
    staff = await acme.add(username)
    return staff, await acme.activate(staff)


async def test_whom_the_caller_may_not_see_can_not_be_named(acme: Acme) -> None:
    identity = acme.identity
    jane, luke, vada = [await sign_in(acme, name) for name in ("Jane", "Luke", "Vada")]
    identity.authz.permit(vada.staff, "core.staff.edit", "core.staff.view", over={jane.staff})
    answer = await step(acme, "suspend", jane.staff, vada.token, handover_to=str(luke.staff))
    assert problem(answer) == (422, "handover_impossible")
    assert (await step(acme, "suspend", jane.staff, vada.token)).status == 200


async def test_two_who_hand_over_to_each_other_are_no_deadlock(acme: Acme) -> None:
    for n in range(5):
        (one, _), (other, _) = await signed_out(acme, f"Han{n}"), await signed_out(acme, f"Luke{n}")
        answers = await asyncio.gather(
            step(acme, "suspend", one, handover_to=str(other)), step(acme, "suspend", other, handover_to=str(one))
        )
        assert sorted(answer.status for answer in answers) == [200, 422], "work goes to nobody who is put out as well"


# --- who has to stay ------------------------------------------------------------------------------------------


@pytest.mark.checklist("H04")
@pytest.mark.parametrize("act", ["suspend", "delete", "demote", "no portal"])
async def test_the_owner_is_never_put_out(acme: Acme, act: str) -> None:
    leia = await sign_in(acme, "Leia", type="administrator")
    before = await status_of(acme, acme.owner_id)
    answer = await put_out(acme, act, acme.owner_id, leia.token)
    assert problem(answer) == (403, "owner" if act in ("suspend", "delete") else "owner_only")
    assert problem(await put_out(acme, act, acme.owner_id, acme.ray)) == (403, "own_account")
    assert await status_of(acme, acme.owner_id) == before


async def put_out(acme: Acme, act: str, staff: UUID, token: str) -> Answer:
    if act in ("demote", "no portal"):
        change = {"type": "standard"} if act == "demote" else {"portal": False}
        return await acme.identity.ask("PATCH", f"/v1/staff/{staff}", token=token, json=change)
    return await step(acme, act, staff, token)


@pytest.mark.checklist("H04")
@pytest.mark.parametrize("act", ["suspend", "delete", "demote", "no portal"])
async def test_of_two_administrators_who_put_each_other_out_one_stays(acme: Acme, act: str) -> None:
    """However closely together they ask; the owner, whom nobody can put out, is taken away for this."""
    identity = acme.identity
    for n in range(5):
        both = [await sign_in(acme, f"{name}{n}", type="administrator") for name in ("Laya", "Leia")]
        await run_as_owner(identity, "UPDATE staff SET status = 'invited' WHERE id = $1", acme.owner_id)
        acts = (put_out(acme, act, other.staff, one.token) for one, other in itertools.permutations(both))
        answers = await asyncio.gather(*acts)
        statuses = sorted(answer.status for answer in answers)
        assert statuses[0] in (200, 204), [answer.text for answer in answers]
        assert statuses[1] in (401, 404, 409), [answer.text for answer in answers]
        left = "SELECT id FROM staff WHERE org = $1 AND type <> 'standard' AND status = 'active' AND portal"
        assert len(await run_as_owner(identity, left, acme.org)) == 1
        await run_as_owner(identity, "UPDATE staff SET status = 'active' WHERE id = $1", acme.owner_id)
        for one in both:
            await step(acme, "delete", one.staff)


@pytest.mark.checklist("H04")
@pytest.mark.parametrize("act", ["suspend", "delete", "demote", "no portal"])
async def test_the_last_administrator_stays(acme: Acme, act: str) -> None:
    """Asked by one who is administrator no more, but whose request was let in a moment before."""
    identity = acme.identity
    laya, leia = [await sign_in(acme, name, type="administrator") for name in ("Laya", "Leia")]
    others = "UPDATE staff SET portal = false WHERE id = $1"
    await run_as_owner(identity, others, acme.owner_id)
    # Nobody but Laya counts any more; Leia's session does, for her row is not looked at by what lets her in.
    await run_as_owner(identity, "UPDATE staff SET type = 'standard' WHERE id = $1", leia.staff)
    answer = await put_out(acme, act, laya.staff, leia.token)
    assert problem(answer) == (409, "last_administrator")
    assert await status_of(acme, laya.staff) == "active"


async def test_who_was_put_out_meanwhile_puts_out_nobody(acme: Acme) -> None:
    """Each of two administrators puts the other out; the owner is there, so one of them may go, but not both."""
    for n in range(5):
        both = [await sign_in(acme, f"{name}{n}", type="administrator") for name in ("Laya", "Leia")]
        acts = (step(acme, "suspend", other.staff, one.token) for one, other in itertools.permutations(both))
        answers = await asyncio.gather(*acts)
        assert sorted(answer.status for answer in answers) == [200, 401], [answer.text for answer in answers]
