"""Sessions: seen and ended by their person and by administrators, over in time, and over everywhere."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from services.identity.api import api
from services.identity.organisation.ownership import Ownership
from services.identity.organisation.security import Security
from services.identity.staff.accounts import StaffAccounts
from services.identity.staff.contacts import Contacts
from staffgate.access import TokenRefused, Verifier
from staffgate.contracts import identity as contract
from staffgate.contracts.identity import KeySet
from tests.service.identity.conftest import (
    ISSUER,
    SIGNING,
    SMS_INBOX_SECRET,
    Acme,
    Answer,
    Running,
    log_in,
    register,
    run_as_owner,
    sign_in,
)


def problem(answer: Answer) -> tuple[int, str]:
    return answer.status, (answer.json or {}).get("type", "").rpartition(":")[2]


async def sessions(identity: Running, token: str, path: str = "/v1/me/sessions") -> list[Any]:
    answer = await identity.ask("GET", path, token=token)
    assert answer.status == 200, answer.text
    return list(answer.json["sessions"])


async def refreshed(identity: Running, token: str) -> Answer:
    form = {"grant_type": "refresh_token", "refresh_token": token}
    return await identity.ask("POST", "/oauth/token", data=form)


async def product(identity: Running) -> str:
    form = {"grant_type": "client_credentials", "client_id": "sms-inbox", "client_secret": SMS_INBOX_SECRET}
    return str((await identity.ask("POST", "/oauth/token", data=form)).json["access_token"])


async def revoked(identity: Running) -> set[str]:
    answer = await identity.ask("GET", "/v1/revocations", token=await product(identity))
    return set(answer.json["sessions"])


def verifier(identity: Running) -> Verifier:
    """As another service has it that joins now."""
    found = Verifier(ISSUER, lambda: identity.clock.now().timestamp())
    found.trust(KeySet(keys=[{name: value for name, value in SIGNING.items() if name != "d"}]))
    return found


@pytest.mark.checklist("G04")
async def test_everybody_sees_where_they_are_signed_in_and_ends_what_they_like(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    identity.clock.advance(minutes=1)
    phone = (await log_in(identity, jane.login)).json["access_token"]
    seen = await sessions(identity, phone)
    assert [one["present"] for one in seen] == [True, False], "the newest first"
    assert {one["ip"] for one in seen} == {"127.0.0.1"}
    assert all("aiohttp" in one["agent"] for one in seen)
    assert datetime.fromisoformat(seen[0]["used_at"]) == identity.clock.now()
    first = seen[1]["id"]
    assert (await identity.ask("DELETE", f"/v1/me/sessions/{first}", token=phone)).status == 204
    assert (await identity.ask("GET", "/v1/me", token=jane.token)).status == 401
    assert problem(await refreshed(identity, jane.refresh)) == (400, "invalid_grant")
    assert [one["id"] for one in await sessions(identity, phone)] == [seen[0]["id"]]
    assert problem(await identity.ask("DELETE", f"/v1/me/sessions/{first}", token=phone)) == (404, "not_found")


@pytest.mark.checklist("G04")
async def test_all_others_end_at_once(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    others = [(await log_in(identity, jane.login)).json["access_token"] for _ in range(3)]
    before = len(identity.heard.of(contract.SessionsEnded))
    assert (await identity.post("/v1/me/sessions/end-others", token=jane.token)).status == 204
    for token in others:
        assert (await identity.ask("GET", "/v1/me", token=token)).status == 401
    assert len(await sessions(identity, jane.token)) == 1
    told = (await identity.told(contract.SessionsEnded, before + 1))[before:]
    assert [len(one.sessions) for one in told] == [3]
    assert (await identity.post("/v1/me/sessions/end-others", token=jane.token)).status == 204, "and again"
    assert len(identity.heard.of(contract.SessionsEnded)) == before + 1


@pytest.mark.checklist("G03", "G04")
async def test_an_administrator_ends_one_session_of_somebody(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    kept = (await log_in(identity, jane.login)).json["access_token"]
    path = f"/v1/staff/{jane.staff}/sessions"
    seen = await sessions(identity, acme.ray, path)
    assert len(seen) == 2
    assert not any(one["present"] for one in seen)
    mine = next(one["id"] for one in await sessions(identity, jane.token) if one["present"])
    assert (await identity.ask("DELETE", f"{path}/{mine}", token=acme.ray)).status == 204
    assert (await identity.ask("GET", "/v1/me", token=jane.token)).status == 401
    assert (await identity.ask("GET", "/v1/me", token=kept)).status == 200
    assert problem(await identity.ask("DELETE", f"{path}/{mine}", token=acme.ray)) == (404, "not_found")
    logged = await run_as_owner(
        identity, "SELECT target FROM audit WHERE org = $1 AND event = 'sessions_ended_by_admin'", acme.org
    )
    assert [UUID(row["target"]) for row in logged] == [jane.staff]


@pytest.mark.checklist("G04", "H02")
async def test_a_session_of_somebody_else_is_not_there(acme: Acme) -> None:
    """Neither under one's own, nor under another person, nor from another organisation, nor by who may only view."""
    identity, jane, luke = acme.identity, await sign_in(acme), await sign_in(acme, "Luke")
    other = await register(identity, "Other Crates")
    mine = next(one["id"] for one in await sessions(identity, jane.token))
    for path, token in (
        (f"/v1/me/sessions/{mine}", luke.token),
        (f"/v1/staff/{luke.staff}/sessions/{mine}", acme.ray),
        (f"/v1/staff/{jane.staff}/sessions/{mine}", other.ray),
        (f"/v1/staff/{jane.staff}/sessions/{mine}", luke.token),
        (f"/v1/staff/{jane.staff}/sessions/{uuid4()}", acme.ray),
    ):
        assert problem(await identity.ask("DELETE", path, token=token)) == (404, "not_found"), path
    for staff, token in ((jane.staff, other.ray), (uuid4(), other.ray), (jane.staff, luke.token)):
        answer = await identity.ask("GET", f"/v1/staff/{staff}/sessions", token=token)
        assert problem(answer) == (404, "not_found")
    identity.authz.permit(luke.staff, "core.staff.view", over={jane.staff})
    assert len(await sessions(identity, luke.token, f"/v1/staff/{jane.staff}/sessions")) == 1
    answer = await identity.ask("DELETE", f"/v1/staff/{jane.staff}/sessions/{mine}", token=luke.token)
    assert problem(answer) == (403, "not_permitted")
    assert (await identity.ask("GET", "/v1/me", token=jane.token)).status == 200


@pytest.mark.checklist("H05")
async def test_nobody_puts_out_those_above_them(acme: Acme) -> None:
    identity, laya = acme.identity, await sign_in(acme, "Laya", type="administrator")
    vada = await sign_in(acme, "Vada")
    identity.authz.permit(vada.staff, "core.staff.view", "core.staff.edit")
    for staff, token, by in ((acme.owner_id, acme.ray, laya.token), (laya.staff, laya.token, vada.token)):
        session = (await sessions(identity, token))[0]["id"]
        answer = await identity.ask("DELETE", f"/v1/staff/{staff}/sessions/{session}", token=by)
        assert answer.status == 403
        assert (await identity.ask("GET", "/v1/me", token=token)).status == 200


@pytest.mark.checklist("G02")
async def test_an_hour_without_a_refresh_or_a_day_altogether_is_the_end(acme: Acme) -> None:
    identity, jane, luke = acme.identity, await sign_in(acme), await sign_in(acme, "Luke")
    identity.clock.advance(minutes=59, seconds=59)
    kept = await refreshed(identity, jane.refresh)
    assert kept.status == 200
    identity.clock.advance(seconds=1)
    assert problem(await refreshed(identity, luke.refresh)) == (400, "invalid_grant"), "idle for an hour"
    token = kept.json["refresh_token"]
    for _ in range(23):
        identity.clock.advance(minutes=59)
        kept = await refreshed(identity, token)
        assert kept.status == 200
        token = kept.json["refresh_token"]
    access = kept.json["access_token"]
    assert (await identity.ask("GET", "/v1/me", token=access)).status == 200
    identity.clock.advance(minutes=22)
    last = await refreshed(identity, token)
    assert last.status == 200, "23 h 59 min"
    identity.clock.advance(minutes=1)
    assert problem(await refreshed(identity, last.json["refresh_token"])) == (400, "invalid_grant")
    answer = await identity.ask("GET", "/v1/me", token=last.json["access_token"])
    assert answer.status == 401, "an access token does not outlast its session"


@pytest.mark.checklist("G02")
async def test_an_organisation_can_be_stricter(acme: Acme) -> None:
    identity = acme.identity
    policy = '{"session": {"idle_minutes": 5, "absolute_hours": 1}}'
    await run_as_owner(identity, "UPDATE organisation SET security = $2::jsonb WHERE org = $1", acme.org, policy)
    jane, luke = await sign_in(acme), await sign_in(acme, "Luke")
    identity.clock.advance(minutes=4, seconds=59)
    token = (await refreshed(identity, jane.refresh)).json["refresh_token"]
    identity.clock.advance(seconds=1)
    assert problem(await refreshed(identity, luke.refresh)) == (400, "invalid_grant")
    for _ in range(13):
        identity.clock.advance(minutes=4)
        token = (await refreshed(identity, token)).json["refresh_token"]
    identity.clock.advance(minutes=3)
    assert problem(await refreshed(identity, token)) == (400, "invalid_grant"), "an hour altogether"
    assert "idle" not in str(await sessions(identity, (await log_in(identity, jane.login)).json["access_token"]))


@pytest.mark.checklist("G02")
async def test_a_session_that_is_idle_is_not_shown_as_one(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    identity.clock.advance(minutes=61)
    token = (await log_in(identity, jane.login)).json["access_token"]
    assert [one["present"] for one in await sessions(identity, token)] == [True]


@pytest.mark.checklist("G01")
async def test_every_login_is_a_session_of_its_own_with_an_id_of_no_meaning(acme: Acme) -> None:
    """UUIDv7: 74 random bits behind the time. The id opens nothing: tokens are signed, refresh tokens have 256 bits."""
    identity, jane = acme.identity, await sign_in(acme)
    tokens = [(await log_in(identity, jane.login)).json for _ in range(3)]
    ids = {one["id"] for one in await sessions(identity, tokens[0]["access_token"])}
    assert len(ids) == 4
    assert len({one["refresh_token"] for one in tokens}) == 3
    for one in ids:
        assert (await identity.ask("GET", "/v1/me", token=one)).status == 401
        assert problem(await refreshed(identity, one)) == (400, "invalid_grant")


@pytest.mark.checklist("G03")
async def test_who_joins_late_loads_which_sessions_have_ended(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    mine = (await sessions(identity, jane.token))[0]["id"]
    assert verifier(identity).verify(jane.token)
    await identity.post("/v1/me/logout", token=jane.token)
    late = verifier(identity)
    listed = await revoked(identity)
    assert mine in listed
    late.end([UUID(one) for one in listed])
    with pytest.raises(TokenRefused, match="session_ended"):
        late.verify(jane.token)


@pytest.mark.checklist("G03")
async def test_the_list_of_ended_sessions_stays_short(acme: Acme) -> None:
    """It holds what may have an unexpired token, and nothing else: neither what ended long ago nor what was not used."""
    identity, jane, luke = acme.identity, await sign_in(acme), await sign_in(acme, "Luke")
    ended, unused = (await sessions(identity, jane.token))[0]["id"], (await sessions(identity, luke.token))[0]["id"]
    await identity.post("/v1/me/logout", token=jane.token)
    identity.clock.advance(seconds=359)
    assert ended in await revoked(identity)
    identity.clock.advance(seconds=1)
    assert ended not in await revoked(identity), "its last token has expired"
    again = (await log_in(identity, luke.login)).json["access_token"]
    await identity.post("/v1/me/sessions/end-others", token=again)
    assert unused not in await revoked(identity), "it ended just now, but issued its last token six minutes ago"


NO_STATE = ("Set-Cookie", "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials")


@pytest.mark.checklist("G13")
async def test_no_answer_sets_a_cookie_or_opens_a_door_to_other_origins(acme: Acme) -> None:
    """There are bearer tokens and nothing that a browser sends by itself, so nobody's page can act for somebody."""
    identity, product_token = acme.identity, await product(acme.identity)
    headers = {"Origin": "https://rebels.example", "Access-Control-Request-Method": "POST"}
    for operation in api.operations:
        path = operation.path
        for name in operation.in_path:
            path = path.replace("{" + name + "}", str(acme.owner_id))
        for token in ("", acme.ray, product_token):
            for method in (operation.method, "OPTIONS"):
                if operation.name in ("close_organisation", "log_out") and token:
                    continue
                answer = await identity.ask(method, path, token=token, headers=dict(headers))
                assert not [name for name in NO_STATE if name in answer.headers], (method, path)
                assert answer.status < 500


async def test_a_session_that_ends_while_it_is_looked_at_is_over(acme: Acme) -> None:
    """Whoever waits for the person's row sees the session as it is after the wait."""
    identity = acme.identity
    other: Any = await asyncpg.connect(identity.owner_url)
    waits = (
        "SELECT count(*) FROM pg_locks w JOIN pg_locks h ON h.transactionid = w.transactionid AND h.granted"
        " WHERE h.pid = $1 AND NOT w.granted"
    )
    try:
        async with other.transaction(), asyncio.timeout(30):
            await other.execute("SELECT FROM staff WHERE id = $1 FOR UPDATE", acme.owner_id)
            await other.execute("UPDATE session SET ended_at = now() WHERE staff = $1", acme.owner_id)
            asked = asyncio.create_task(identity.ask("GET", "/v1/me", token=acme.ray))
            while not (await run_as_owner(identity, waits, other.get_server_pid()))[0][0]:
                await asyncio.sleep(0.005)
        assert problem(await asked) == (401, "token_refused")
    finally:
        await other.close()


_JANE = {"type": "standard", "name": "Jane", "email": "jane@acme.example", "username": "Jane"}


@pytest.mark.parametrize(
    ("work", "name", "method", "path", "body"),
    [
        (Contacts, "change_email", "PUT", "/v1/me/email", {"email": "luke@elsewhere.example"}),
        (Ownership, "offer", "POST", "/v1/organisation/transfer", {"to": str(uuid4())}),
        (Ownership, "accept", "POST", "/v1/organisation/transfer/accept", None),
        (StaffAccounts, "add", "POST", "/v1/staff", _JANE),
        (Security, "save", "PUT", "/v1/organisation/security", msgspec.to_builtins(contract.SecurityPolicy())),
    ],
)
async def test_a_session_that_ended_since_it_was_let_in_changes_nothing(
    acme: Acme, monkeypatch: pytest.MonkeyPatch, work: type[Any], name: str, method: str, path: str, body: Any
) -> None:
    identity, real = acme.identity, getattr(work, name)

    async def later(self: object, *given: Any) -> Any:
        await run_as_owner(identity, "UPDATE session SET ended_at = now() WHERE staff = $1", acme.owner_id)
        return await real(self, *given)

    monkeypatch.setattr(work, name, later)
    answer = await identity.ask(method, path, token=acme.ray, **({"json": body} if body else {}))
    assert problem(answer) == (401, "token_refused")


@pytest.mark.checklist("G13")
async def test_a_token_in_a_cookie_or_in_the_address_is_none(acme: Acme) -> None:
    identity = acme.identity
    for headers in ({"Cookie": f"token={acme.ray}; Authorization=Bearer {acme.ray}"}, {"X-Access-Token": acme.ray}):
        assert (await identity.ask("GET", "/v1/me", headers=headers)).status == 401
    assert (await identity.ask("GET", f"/v1/me?access_token={acme.ray}")).status == 401
