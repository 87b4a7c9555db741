"""The first step of a login tells nothing: not by its bytes, not by what it does; and what it was the audit log knows."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from services.identity.password.passwords import Passwords
from shared.db import Tx
from staffgate.contracts import identity as contract
from tests.conftest import fresh_database
from tests.service.identity.conftest import (
    PASSWORD,
    SMS_INBOX_SECRET,
    Acme,
    Answer,
    Running,
    log_in,
    register,
    run_as_owner,
    running,
    sign_in,
)
from tests.service.identity.states import State, refused_states, set_policy

_EACH_TIMES_OWN = {"Date", "X-Request-ID"}


async def attempt(identity: Running, login: str, password: str = PASSWORD, **more: Any) -> Answer:
    return await identity.post("/v1/login", {"login": login, "password": password} | more)


async def reasons(identity: Running, org: UUID) -> list[Any]:
    """Of failed logins, in the organisation's audit log, the newest last: why, and of whom."""
    rows = await run_as_owner(
        identity, "SELECT body FROM audit WHERE org = $1 AND event = 'authn_login_fail' ORDER BY number", org
    )
    entries = [json.loads(row["body"]) for row in rows]
    return [(one["detail"]["reason"], one.get("target")) for one in entries]


@pytest.mark.checklist("A01", "A03", "A06")
async def test_refused_logins_are_the_same_to_the_byte(acme: Acme) -> None:
    answers = {name: await _refused(acme.identity, state) for name, state in (await refused_states(acme)).items()}
    first = answers["wrong password"]
    assert first[0] == 401
    assert {name: answer for name, answer in answers.items() if answer != first} == {}


async def _refused(identity: Running, state: State) -> tuple[int, str, dict[str, str]]:
    answer = await attempt(identity, state.login, state.password)
    headers = {name: value for name, value in answer.headers.items() if name not in _EACH_TIMES_OWN}
    return answer.status, answer.text, headers


async def test_the_audit_log_says_why_a_login_was_refused(acme: Acme) -> None:
    identity = acme.identity
    for name, state in (await refused_states(acme)).items():
        before = len(await reasons(identity, state.org))
        assert (await attempt(identity, state.login, state.password)).status == 401
        found = await reasons(identity, state.org)
        assert len(found) == before + 1, name
        assert found[-1][0] == state.reason, name
        if state.staff is not None:
            assert found[-1][1] == str(state.staff), name
    told = await run_as_owner(identity, "SELECT string_agg(body, '') AS all FROM audit")
    assert "Nobody" not in told[0]["all"], "what was typed is not written down"


@pytest.mark.checklist("A02", "A03", "A04")
async def test_each_refused_login_runs_the_same_statements_and_one_hash(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = await refused_states(acme)
    done: list[str] = []

    def watch(cls: Any, name: str) -> None:
        real = getattr(cls, name)

        async def watched(self: Any, *args: Any, **more: Any) -> Any:
            task = asyncio.current_task()
            if task is not None and task.get_name().startswith("Task-"):  # what goes on by itself has a name of its own
                done.append(f"{name}: {next(one for one in args if isinstance(one, str))}" if cls is Tx else name)
            return await real(self, *args, **more)

        monkeypatch.setattr(cls, name, watched)

    for name in ("one", "all", "value", "column", "run"):
        watch(Tx, name)
    real = Passwords._matches

    def watched(self: Passwords, stored: str, password: str) -> bool:
        done.append("hash")
        return real(self, stored, password)

    monkeypatch.setattr(Passwords, "_matches", watched)
    worked = {}
    for name, state in states.items():
        done.clear()
        assert (await attempt(acme.identity, state.login, state.password)).status == 401
        worked[name] = [*done]
    assert worked["wrong password"].count("hash") == 1
    assert {name: work for name, work in worked.items() if work != worked["wrong password"]} == {}


@pytest.mark.checklist("A06")
async def test_nothing_says_that_an_organisation_exists(acme: Acme) -> None:
    """What is asked without a password answers alike for a name that there is and one that there is not."""
    for body in ({"device": "x"}, {"device": acme.number}):
        answer = await acme.identity.post("/v1/login/organisation", body)
        assert answer.status == 404
    device = (await acme.identity.post("/v1/login/organisation", {"login": acme.number})).status
    assert device == 422, "it can't be asked by name at all"


@pytest.mark.checklist("A08")
async def test_one_address_in_two_organisations_is_two_people(acme: Acme) -> None:
    identity, other = acme.identity, await register(acme.identity, "Other Crates")
    here, there = await acme.activate(await acme.add()), await other.activate(await other.add())
    await run_as_owner(identity, "UPDATE staff SET password_hash = NULL WHERE org = $1 AND username = 'Jane'", acme.org)
    assert (await attempt(identity, here)).status == 401
    begun = await attempt(identity, there)
    assert begun.status == 200
    assert (await attempt(identity, f"{acme.number}\\Jane")).status == 401


@pytest.mark.checklist("A11")
async def test_nobody_is_in_a_fresh_database(postgres: str) -> None:
    async with running(await fresh_database(postgres, "identity")) as identity:
        for table in ("organisation", "organisation_name", "staff", "login", "session", "device", "link"):
            assert (await run_as_owner(identity, f"SELECT count(*) FROM {table}"))[0][0] == 0, table
        for name in ("admin", "root", "staffgate", "Ray"):
            for login in (name, f"{name}\\{name}", f"\\{name}"):
                for password in ("", name, "admin", "password", PASSWORD):
                    assert (await attempt(identity, login, password)).status in (401, 429)


# --- devices, and what a person is told ---------------------------------------------------------------------------


async def finish(identity: Running, started: Answer, code: str = "") -> Answer:
    """By e-mail."""
    ask = {"transaction": started.json["transaction"], "factor": "email"}
    before = len(identity.heard.of(contract.CodeIssued))
    assert (await identity.post("/v1/login/codes", ask)).status == 202
    await identity.told(contract.CodeIssued, before + 1)
    return await identity.post("/v1/login/finish", ask | {"code": code or identity.heard.code()})


async def told_of(identity: Running, staff: UUID) -> list[str]:
    """The notices that are waiting or gone, the oldest first."""
    await identity.told(contract.StaffAdded, 1)
    rows = await run_as_owner(
        identity, "SELECT convert_from(body, 'UTF8') AS body FROM outbox WHERE type = $1 ORDER BY id",
        contract.NoticeIssued.type,
    )  # fmt: skip
    events = [json.loads(row["body"]) for row in rows]
    data = [one.get("data", one) for one in events]
    return [one["kind"] for one in data if one["staff"] == str(staff)]


@pytest.mark.checklist("A12")
async def test_a_login_from_a_new_device_is_told_and_one_from_a_known_device_is_not(acme: Acme) -> None:
    identity, jane = acme.identity, await acme.add()
    login = await acme.activate(jane)
    first = await finish(identity, await attempt(identity, login))
    device = first.json["device"]
    assert device
    assert await told_of(identity, jane) == [], "of the very first login everybody knows"
    known = await finish(identity, await attempt(identity, login, device=device))
    assert known.json["device"] is None, "it is known, and goes on being so"
    assert await told_of(identity, jane) == []
    for other in ("no device at all", device[:-1] + ("x" if device[-1] != "x" else "y")):
        new = await finish(identity, await attempt(identity, login, device=other))
        assert new.json["device"] not in (None, device)
    assert await told_of(identity, jane) == ["new_device"] * 2


@pytest.mark.checklist("A12")
async def test_a_login_after_failures_is_told(acme: Acme) -> None:
    identity, jane = acme.identity, await acme.add()
    login = await acme.activate(jane)
    device = (await finish(identity, await attempt(identity, login))).json["device"]
    for failures, want in ((2, []), (3, ["login_after_failures"])):
        for _ in range(failures):
            assert (await attempt(identity, login, "wrong")).status == 401
        assert (await finish(identity, await attempt(identity, login, device=device))).status == 200
        assert await told_of(identity, jane) == want
    entries = await run_as_owner(
        identity, "SELECT event FROM audit WHERE org = $1 AND target = $2", acme.org, str(jane)
    )
    assert [row["event"] for row in entries].count("authn_login_successafterfail") == 1


@pytest.mark.checklist("A12")
async def test_a_right_password_with_a_wrong_factor_is_told_once_a_login(acme: Acme) -> None:
    identity, jane = acme.identity, await acme.add()
    login = await acme.activate(jane)
    for count in (1, 2):
        started = await attempt(identity, login)
        assert (await finish(identity, started, "00000000")).status == 401
        guess = {"transaction": started.json["transaction"], "factor": "email", "code": "11111111"}
        assert (await identity.post("/v1/login/finish", guess)).status == 401
        assert await told_of(identity, jane) == ["second_factor_failed"] * count
        identity.clock.advance(seconds=60)
    entries = await run_as_owner(
        identity, "SELECT event FROM audit WHERE org = $1 AND target = $2", acme.org, str(jane)
    )
    assert [row["event"] for row in entries].count("authn_factor_fail") == 4


async def test_a_known_device_remembers_its_organisation_and_nothing_else(acme: Acme) -> None:
    identity = acme.identity
    tokens = await finish(identity, await attempt(identity, await acme.activate(await acme.add())))
    answer = await identity.post("/v1/login/organisation", {"device": tokens.json["device"]})
    assert (answer.status, answer.json) == (200, {"organisation": acme.number})
    unknown = await identity.post("/v1/login/organisation", {"device": tokens.json["refresh_token"]})
    assert unknown.status == 404
    identity.clock.advance(days=181)
    assert (await identity.post("/v1/login/organisation", {"device": tokens.json["device"]})).status == 404


async def test_a_closed_organisation_is_remembered_by_no_device(acme: Acme) -> None:
    identity = acme.identity
    tokens = await finish(identity, await attempt(identity, await acme.activate(await acme.add())))
    await run_as_owner(identity, "UPDATE organisation SET closed_at = now() WHERE org = $1", acme.org)
    answer = await identity.post("/v1/login/organisation", {"device": tokens.json["device"]})
    assert answer.status == 404


async def test_a_person_has_twenty_known_devices_at_most(acme: Acme) -> None:
    identity, jane = acme.identity, await acme.add()
    login = await acme.activate(jane)
    first = (await finish(identity, await attempt(identity, login))).json["device"]
    for number in range(25):
        identity.clock.advance(minutes=10)
        started = await attempt(identity, login, **({"device": first} if number % 5 == 0 else {}))
        assert (await finish(identity, started)).status == 200
    rows = await run_as_owner(identity, "SELECT count(*) FROM device WHERE staff = $1", jane)
    assert rows[0][0] == 20
    assert (await identity.post("/v1/login/organisation", {"device": first})).status == 200, "in use, and so kept"


# --- every way in, and every state that shuts it ------------------------------------------------------------------

_SHUT = {
    "suspended": ("UPDATE staff SET status = 'suspended' WHERE id = $1", True),
    "deleted": ("UPDATE staff SET status = 'deleted' WHERE id = $1", True),
    "no portal": ("UPDATE staff SET portal = false WHERE id = $1", True),
    "closed": ("UPDATE organisation SET closed_at = now() WHERE org = (SELECT org FROM staff WHERE id = $1)", True),
    "network": (
        'UPDATE organisation SET security = \'{"networks": ["192.0.2.0/24"]}\''
        " WHERE org = (SELECT org FROM staff WHERE id = $1)",
        True,
    ),
    # A lock is against guessing: whoever is in stays in, or a stranger could put them out.
    "locked": ("UPDATE staff SET locked_at = now() WHERE id = $1", False),
}


@pytest.mark.checklist("A10", "H11")
@pytest.mark.parametrize("state", [*_SHUT])
async def test_every_way_in_is_shut_by_every_state(acme: Acme, state: str) -> None:
    """Password, second factor, code, refresh, access token, step-up: none of them is a way round."""
    identity, jane = acme.identity, await sign_in(acme)
    identity.clock.advance(minutes=1)
    started = await attempt(identity, jane.login)
    ask = {"transaction": started.json["transaction"], "factor": "email"}
    before = len(identity.heard.of(contract.CodeIssued))
    await identity.post("/v1/login/codes", ask)
    await identity.told(contract.CodeIssued, before + 1)
    code = identity.heard.code()
    identity.clock.advance(minutes=1)
    statement, ends_sessions = _SHUT[state]
    await run_as_owner(identity, statement, jane.staff)
    refresh = {"grant_type": "refresh_token", "refresh_token": jane.refresh}
    ways = {
        "password": (await attempt(identity, jane.login)).status,
        "code": (await identity.post("/v1/login/codes", ask)).status,
        "finish": (await identity.post("/v1/login/finish", ask | {"code": code})).status,
        "access token": (await identity.ask("GET", "/v1/me", token=jane.token)).status,
        "step-up": (await identity.post("/v1/me/step-up", token=jane.token)).status,
        "refresh": (await identity.ask("POST", "/oauth/token", data=refresh)).status,
    }
    inside = {"access token": 401, "step-up": 401, "refresh": 400}
    stays = {"access token": 200, "step-up": 201, "refresh": 200}
    assert ways == {"password": 401, "code": 401, "finish": 401} | (inside if ends_sessions else stays)


@pytest.mark.checklist("A10")
async def test_a_product_is_nobodys_account(acme: Acme) -> None:
    """Its credentials are not stopped by what stops people, and let in no person."""
    await set_policy(acme, contract.SecurityPolicy(networks=["192.0.2.0/24"]))
    form = {"grant_type": "client_credentials", "client_id": "sms-inbox", "client_secret": SMS_INBOX_SECRET}
    token = (await acme.identity.ask("POST", "/oauth/token", data=form)).json["access_token"]
    assert (await acme.identity.ask("GET", "/v1/revocations", token=token)).status == 200
    assert (await acme.identity.ask("GET", "/v1/me", token=token)).status == 403


@pytest.mark.checklist("A10")
async def test_an_expired_lock_lets_in_again(acme: Acme) -> None:
    identity, jane = acme.identity, await acme.add()
    login, now = await acme.activate(jane), acme.identity.clock.now()
    await run_as_owner(
        identity, "UPDATE staff SET locked_at = $2, locked_until = $3 WHERE id = $1", jane, now,
        now + timedelta(minutes=30),
    )  # fmt: skip
    assert (await attempt(identity, login)).status == 401
    identity.clock.advance(minutes=30)
    assert (await log_in(identity, login)).status == 200


async def test_the_login_is_written_down_with_what_was_proved(acme: Acme) -> None:
    jane = await sign_in(acme)
    rows = await run_as_owner(
        acme.identity, "SELECT body FROM audit WHERE org = $1 AND target = $2 AND event = 'authn_login_success'",
        acme.org, str(jane.staff),
    )  # fmt: skip
    details = [json.loads(row["body"])["detail"] for row in rows]
    assert Counter(one["acr"] for one in details) == {"aal1+": 1}
    assert details[0]["amr"] == ["pwd", "email"]
