"""The automatic lock: where the organisation wants it, and never a means to keep somebody out."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from staffgate.contracts import identity as contract
from tests.service.identity.conftest import Acme, Answer, Running, run_as_owner, sign_in
from tests.service.identity.states import set_policy
from tests.service.identity.test_login import attempt, finish, reasons, told_of
from tests.service.identity.test_throttle import known_device

THREE = contract.SecurityPolicy(lock=contract.LockRule(after=3, minutes=30))
FOR_EVER = contract.SecurityPolicy(lock=contract.LockRule(after=3, minutes=None))


async def lock(identity: Running, login: str) -> None:
    for _ in range(3):
        assert (await attempt(identity, login, "wrong")).status == 401


async def is_locked(acme: Acme, staff: UUID) -> bool:
    rows = await run_as_owner(
        acme.identity,
        "SELECT coalesce(locked_at <= $2 AND coalesce(locked_until > $2, true), false) FROM staff WHERE id = $1",
        staff, acme.identity.clock.now(),
    )  # fmt: skip
    return bool(rows[0][0])


@pytest.mark.checklist("E03")
async def test_an_account_locks_after_so_many_failures_and_it_looks_like_a_wrong_password(acme: Acme) -> None:
    identity, jane = acme.identity, await acme.add()
    login = await acme.activate(jane)
    await set_policy(acme, THREE)
    wrong = await attempt(identity, login, "wrong")
    assert not await is_locked(acme, jane)
    for _ in range(2):
        await attempt(identity, login, "wrong")
    assert await is_locked(acme, jane)
    right = await attempt(identity, login)
    assert (right.status, right.text) == (401, wrong.text)
    assert (await reasons(identity, acme.org))[-1] == ("locked", str(jane))
    assert await told_of(identity, jane) == ["account_locked"]
    rows = await run_as_owner(
        identity, "SELECT body FROM audit WHERE org = $1 AND event = 'authn_login_lock'", acme.org
    )
    assert [json.loads(row["body"])["detail"] for row in rows] == [{"failures": 3}]


@pytest.mark.checklist("E03")
async def test_no_account_locks_by_default(acme: Acme) -> None:
    identity, jane = acme.identity, await acme.add()
    await lock(identity, await acme.activate(jane))
    assert not await is_locked(acme, jane)


@pytest.mark.checklist("E03")
async def test_a_lock_ends_by_time_and_takes_as_many_failures_again(acme: Acme) -> None:
    identity, jane = acme.identity, await acme.add()
    login = await acme.activate(jane)
    await set_policy(acme, THREE)
    await lock(identity, login)
    assert (await attempt(identity, login, "wrong while it is locked")).status == 401
    identity.clock.advance(minutes=30)
    assert not await is_locked(acme, jane)
    for _ in range(2):
        assert (await attempt(identity, login, "wrong")).status == 401
        identity.clock.advance(minutes=1)
    assert not await is_locked(acme, jane)
    assert (await attempt(identity, login)).status == 200


@pytest.mark.checklist("E03")
async def test_success_in_between_begins_the_count_anew(acme: Acme) -> None:
    identity, jane = acme.identity, await acme.add()
    login = await acme.activate(jane)
    await set_policy(acme, THREE)
    for _ in range(2):
        await attempt(identity, login, "wrong")
        await attempt(identity, login, "wrong")
        assert (await attempt(identity, login)).status == 200
    assert not await is_locked(acme, jane)


@pytest.mark.checklist("E03")
async def test_an_administrator_unlocks(acme: Acme) -> None:
    identity, jane = acme.identity, await acme.add()
    login = await acme.activate(jane)
    await set_policy(acme, FOR_EVER)
    await lock(identity, login)
    identity.clock.advance(days=3)
    assert (await attempt(identity, login)).status == 401, "for as long as nobody unlocks it"
    token = (await finish_ray(acme)).json["access_token"]
    unlocked = await identity.post(f"/v1/staff/{jane}/unlock", token=token)
    assert (unlocked.status, unlocked.json["locked"]) == (200, False)
    assert (await attempt(identity, login)).status == 200
    rows = await run_as_owner(
        identity, "SELECT body FROM audit WHERE event = 'authn_login_unlock' AND org = $1", acme.org
    )
    assert [json.loads(row["body"])["target"] for row in rows] == [str(jane)]


async def finish_ray(acme: Acme) -> Answer:
    """With the app."""
    started = await attempt(acme.identity, f"{acme.number}\\Ray")
    code = acme.app.at(acme.identity.clock.now())
    body = {"transaction": started.json["transaction"], "factor": "totp", "code": code}
    return await acme.identity.post("/v1/login/finish", body)


@pytest.mark.checklist("E02", "E03")
async def test_unlocking_takes_back_the_wait_as_well(acme: Acme) -> None:
    identity, jane = acme.identity, await acme.add()
    login = await acme.activate(jane)
    for _ in range(6):
        last = await attempt(identity, login, "wrong")
    assert last.status == 429
    assert (await identity.post(f"/v1/staff/{jane}/unlock", token=acme.ray)).status == 200
    assert (await attempt(identity, login)).status == 200


@pytest.mark.checklist("E03", "H05")
async def test_only_administrators_unlock_administrators(acme: Acme) -> None:
    identity = acme.identity
    laya = await sign_in(acme, "Laya", type="administrator")
    luke = await sign_in(acme, "Luke")
    identity.authz.permit(luke.staff, "core.staff.view", "core.staff.edit")
    assert (await identity.post(f"/v1/staff/{laya.staff}/unlock", token=luke.token)).status == 403
    assert (await identity.post(f"/v1/staff/{luke.staff}/unlock", token=laya.token)).status == 200


@pytest.mark.checklist("E02", "E03")
async def test_a_lock_does_not_keep_out_a_known_device_nor_whoever_is_in(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    device = await known_device(identity, jane.login)
    await set_policy(acme, FOR_EVER)
    await lock(identity, jane.login)
    assert await is_locked(acme, jane.staff)
    identity.clock.advance(minutes=1)
    assert (await identity.ask("GET", "/v1/me", token=jane.token)).status == 200
    assert (await finish(identity, await attempt(identity, jane.login, device=device))).status == 200
    assert (await attempt(identity, jane.login)).status == 401, "strangers stay out"


@pytest.mark.checklist("E03")
async def test_a_login_that_was_begun_is_not_finished_by_somebody_who_is_locked(acme: Acme) -> None:
    identity, jane = acme.identity, await acme.add()
    login = await acme.activate(jane)
    started = await attempt(identity, login)
    ask = {"transaction": started.json["transaction"], "factor": "email"}
    before = len(identity.heard.of(contract.CodeIssued))
    assert (await identity.post("/v1/login/codes", ask)).status == 202
    await identity.told(contract.CodeIssued, before + 1)
    await set_policy(acme, THREE)
    await lock(identity, login)
    assert (await identity.post("/v1/login/finish", ask | {"code": identity.heard.code()})).status == 401


@pytest.mark.checklist("E02", "E03")
async def test_a_reset_link_ends_the_lock_and_the_wait(acme: Acme) -> None:
    """Whoever reads the mailbox is the person: a stranger's guesses are forgotten."""
    identity, jane = acme.identity, await acme.add()
    login = await acme.activate(jane)
    await set_policy(acme, FOR_EVER)
    for _ in range(6):
        last = await attempt(identity, login, "wrong")
    assert (last.status, await is_locked(acme, jane)) == (429, True)
    before = len(identity.heard.of(contract.LinkIssued))
    assert (await identity.post("/v1/password-resets", {"login": login})).status == 202
    await identity.told(contract.LinkIssued, before + 1)
    new = {"token": identity.heard.link(), "password": "eight miles of copper wire"}
    assert (await identity.post("/v1/password-resets/finish", new)).status == 200
    assert (await attempt(identity, login, new["password"])).status == 200
