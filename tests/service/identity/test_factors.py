"""Second factors as a policy: who needs one, who may use which, and what becomes of somebody who has lost theirs."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from services.authz.api import api as authz_api
from services.identity.api import api as identity_api
from services.notify.api import api as notify_api
from shared.access import Access
from shared.errors import Unavailable
from shared.http.middleware import telling
from shared.http.openapi import document
from shared.http.operation import Api
from staffgate.contracts.caller import Person
from staffgate.contracts.identity import FactorKind, FactorRule, NoticeKind, SecurityPolicy
from tests.locks import until_held_up
from tests.service.bad_input.sound import operations
from tests.service.identity.authenticator import Authenticator
from tests.service.identity.conftest import (
    ISSUER,
    PASSWORD,
    SMS_INBOX_SECRET,
    Acme,
    Answer,
    confirm_mobile,
    log_in,
    run_as_owner,
    until,
)
from tests.service.identity.possessions import (
    Member,
    add_app,
    add_passkey,
    audited,
    begun,
    by_passkey_alone,
    finished,
    list_factors,
    member,
    problem,
    sent,
    with_app,
    with_passkey,
)
from tests.service.identity.post import notices
from tests.service.identity.sound import FOR_ENROLLING
from tests.service.identity.states import set_policy
from tests.service.identity.test_bad_input import claims_of

NOT_REQUIRED = SecurityPolicy(standard=FactorRule(required=False, allowed=[*FactorKind]))


async def reset(acme: Acme, jane: Member, token: str = "") -> Answer:
    return await acme.identity.post(f"/v1/staff/{jane.staff}/factors/reset", token=token or acme.ray)


# --- required, or not ---------------------------------------------------------------------------------------------


async def test_where_none_is_required_the_password_is_enough_for_who_has_none(acme: Acme) -> None:
    identity, jane = acme.identity, await member(acme)
    assert (await finished(identity, jane.login, None)).status == 401, "by default one is required"
    await set_policy(acme, NOT_REQUIRED)
    assert (await begun(identity, jane.login))["factors"] == []
    answer = await finished(identity, jane.login, None)
    assert answer.status == 200, answer.text
    claims = claims_of(answer.json["access_token"])
    assert (claims["amr"], claims["acr"]) == (["pwd"], "aal1")
    jane.token = answer.json["access_token"]
    await add_app(jane)
    assert (await finished(identity, jane.login, None)).status == 401, "who has one is asked for it"
    assert (await finished(identity, jane.login, "totp", jane.later())).status == 200
    assert (await identity.ask("DELETE", "/v1/me/factors/totp", token=jane.token)).status == 204
    assert (await finished(identity, jane.login, None)).status == 200


async def test_a_login_without_a_factor_is_finished_once(acme: Acme) -> None:
    identity, jane = acme.identity, await member(acme)
    await set_policy(acme, NOT_REQUIRED)
    finish = {"transaction": (await begun(identity, jane.login))["transaction"]}
    answers = await asyncio.gather(*(identity.post("/v1/login/finish", finish) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [200] + [401] * 7


@pytest.mark.checklist("C09")
async def test_of_administrators_a_factor_is_always_required(acme: Acme) -> None:
    """Whatever stands in the settings."""
    laya = await with_app(acme, "Laya", type="administrator")
    await set_policy(acme, SecurityPolicy(administrators=FactorRule(required=False)))
    assert (await finished(acme.identity, laya.login, None)).status == 401
    answer = await acme.identity.ask("DELETE", "/v1/me/factors/totp", token=laya.token)
    assert problem(answer) == (409, "last_factor")


# --- enrolling, and nothing else ----------------------------------------------------------------------------------


async def enrolling(acme: Acme, username: str = "Laya") -> str:
    """The token of an administrator who has not enrolled anything yet."""
    login = await acme.activate(await acme.add(username, type="administrator"))
    answer = await log_in(acme.identity, login)
    assert claims_of(answer.json["access_token"])["acr"] == "enrol"
    return str(answer.json["access_token"])


@pytest.mark.checklist("D08")
async def test_who_has_to_enrol_can_do_nothing_else_in_identity(acme: Acme) -> None:
    """Every operation there is, asked with what would be a good token of that person otherwise."""
    token, wrong = await enrolling(acme), {}
    for operation in operations(document("identity", "0", identity_api.operations)):
        if not operation.needs_token:
            continue
        path = operation.path.replace("{", "").replace("}", "")
        path = path.replace("/staff/staff", f"/staff/{acme.owner_id}")
        answer = await acme.identity.ask(operation.method, path, token=token, headers={"Content-Type": "text/plain"})
        shut = answer.status == 403 and problem(answer)[1] == "wrong_caller"
        if shut is (operation.id in FOR_ENROLLING):
            wrong[operation.id] = (answer.status, answer.text)
        if operation.id == "log_out":
            token = await enrolling(acme, "Leia")
    assert not wrong, wrong


@pytest.mark.checklist("D08")
@pytest.mark.parametrize(("name", "api"), [("authz", authz_api), ("notify", notify_api)])
async def test_who_has_to_enrol_can_do_nothing_in_the_other_services(acme: Acme, name: str, api: Api) -> None:
    """They know no such caller: the token, which identity has issued, is refused as no token of a person."""
    token, access = await enrolling(acme), Access(acme.identity.url, ISSUER, acme.identity.clock)
    async with access.kept("sms-inbox", SMS_INBOX_SECRET):
        await until_ready(access)
        assert isinstance(await access.authenticate(acme.ray), Person)
        app = web.Application(middlewares=[telling(0)])
        app.add_routes(api.routes(None, access.authenticate))
        async with TestClient(TestServer(app)) as client:
            asked = [one for one in operations(document(name, "0", api.operations)) if one.needs_token]
            for operation in asked:
                path = operation.path.replace("{", "").replace("}", "")
                answer = await client.request(
                    operation.method, path, headers={"Authorization": f"Bearer {token}"}
                )  # fmt: skip
                assert (answer.status, "enrol_first" in await answer.text()) == (401, True), operation.id
    assert asked


async def until_ready(access: Access) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                return await access.ready()
            except Unavailable:
                await asyncio.sleep(0.01)


@pytest.mark.checklist("D08")
async def test_enrolling_a_factor_lets_in_and_the_enrolling_session_is_over(acme: Acme) -> None:
    identity, token = acme.identity, await enrolling(acme)
    authenticator = Authenticator()
    options = (await identity.post("/v1/me/factors/passkeys/options", token=token)).json["options"]
    body = {"credential": authenticator.create(options)}
    added = await identity.post("/v1/me/factors/passkeys", body, token=token)
    assert added.status == 201, added.text
    assert len(added.json["recovery_codes"]) == 10
    claims = claims_of(added.json["access_token"])
    assert (claims["amr"], claims["acr"]) == (["pwd", "hwk"], "aal2")
    assert (await identity.ask("GET", "/v1/me", token=added.json["access_token"])).status == 200
    assert (await identity.ask("GET", "/v1/me/factors", token=token)).status == 401
    assert (await by_passkey_alone(identity, authenticator)).status == 200


@pytest.mark.checklist("D08")
async def test_a_session_that_may_only_enrol_lasts_a_quarter_of_an_hour(acme: Acme) -> None:
    token = await enrolling(acme)
    answer = await acme.identity.ask("GET", "/v1/me/factors", token=token)
    assert answer.status == 200
    rows = await run_as_owner(
        acme.identity, "SELECT expires_at - created_at AS life FROM session WHERE acr = 'enrol' AND id = $1",
        UUID(claims_of(token)["sid"]),
    )  # fmt: skip
    assert rows[0]["life"] == timedelta(minutes=15)


# --- what there is ------------------------------------------------------------------------------------------------


@pytest.mark.checklist("C08")
async def test_a_person_and_their_administrators_see_what_is_enrolled(acme: Acme) -> None:
    identity, jane = acme.identity, await with_app(acme, mobile="+61491570006")
    await confirm_mobile(identity, jane.staff)
    await add_passkey(jane, Authenticator())
    own = await list_factors(jane)
    assert [(one["kind"], one["strength"], one["allowed"]) for one in own["factors"]] == [
        ("passkey", "strong", True),
        ("totp", "strong", True),
        ("sms", "weaker", True),
        ("email", "weaker", True),
    ]
    assert [one["hint"] for one in own["factors"]] == [None, None, "+61***06", "J***@acme.example"]
    assert (own["required"], own["recovery_codes_left"], len(own["passkeys"])) == (True, 10, 1)
    assert (await identity.ask("GET", f"/v1/staff/{jane.staff}/factors", token=acme.ray)).json == own
    await set_policy(acme, SecurityPolicy(standard=FactorRule(allowed=[FactorKind.TOTP])))
    assert [one["allowed"] for one in (await list_factors(jane))["factors"]] == [False, True, False, False]


# --- removed, at the same moment ------------------------------------------------------------------------------------


@pytest.mark.checklist("H04")
async def test_two_removals_at_the_same_moment_leave_one_factor(acme: Acme) -> None:
    """Each by itself would leave the other."""
    identity, laya = acme.identity, await with_app(acme, "Laya", type="administrator")
    await add_passkey(laya, Authenticator())
    passkey = (await list_factors(laya))["passkeys"][0]["id"]
    paths = ("/v1/me/factors/totp", f"/v1/me/factors/passkeys/{passkey}")
    owner: Any = await asyncpg.connect(identity.owner_url)
    async with owner.transaction():
        # The audit log comes last: neither is committed before both have looked.
        await owner.execute("SELECT FROM audit_head WHERE org = $1 FOR UPDATE", acme.org)
        acts = [asyncio.create_task(identity.ask("DELETE", path, token=laya.token)) for path in paths]
        await until_held_up(owner, 2)
    await owner.close()
    answers = [await act for act in acts]
    assert sorted(answer.status for answer in answers) == [204, 409], [answer.text for answer in answers]


# --- lost -----------------------------------------------------------------------------------------------------------


@pytest.mark.checklist("D09", "A12")
async def test_a_reset_takes_everything_and_leads_to_enrolling_anew(acme: Acme) -> None:
    identity, jane = acme.identity, await with_app(acme, type="administrator", mobile="+61491570006")
    await confirm_mobile(identity, jane.staff)
    await add_passkey(jane, Authenticator())
    begun_before = (await begun(identity, jane.login))["transaction"]
    assert (await reset(acme, jane)).status == 204
    assert (await identity.ask("GET", "/v1/me", token=jane.token)).status == 401, "every session has ended"
    late = {"transaction": begun_before, "factor": "totp", "code": jane.later()}
    assert (await identity.post("/v1/login/finish", late)).status == 401
    assert jane.authenticator is not None
    assert (await by_passkey_alone(identity, jane.authenticator)).status == 401
    listed = (await identity.ask("GET", f"/v1/staff/{jane.staff}/factors", token=acme.ray)).json
    assert ([one["kind"] for one in listed["factors"]], listed["recovery_codes_left"]) == (["email"], 0)
    started = await begun(identity, jane.login)
    assert (started["enrol"], [one["kind"] for one in started["factors"]]) == (True, ["email"])
    answer = await log_in(identity, jane.login)
    assert claims_of(answer.json["access_token"])["acr"] == "enrol"
    await until(lambda: notices(identity, NoticeKind.FACTORS_RESET))
    entry = (await audited(acme, "authn_factors_reset"))[0]
    assert (entry["actor"], entry["target"]) == (str(acme.owner_id), str(jane.staff))


@pytest.mark.checklist("C04", "D09")
async def test_a_reset_forgets_the_failures(acme: Acme) -> None:
    identity, jane = acme.identity, await member(acme)
    transaction = (await begun(identity, jane.login))["transaction"]
    await identity.post("/v1/login/finish", {"transaction": transaction, "factor": "email", "code": "00000000"})
    await run_as_owner(identity, "UPDATE login SET attempts = 101 WHERE staff = $1 AND finished_at IS NULL", jane.staff)
    assert (await log_in(identity, jane.login)).status == 401
    assert (await reset(acme, jane)).status == 204
    assert (await log_in(identity, jane.login)).status == 200


@pytest.mark.checklist("H05", "D09")
async def test_nobody_resets_their_own_factors_or_those_of_somebody_above(acme: Acme) -> None:
    identity, jane = acme.identity, await member(acme)
    laya, leia = [await with_app(acme, name, type="administrator") for name in ("Laya", "Leia")]
    owner = f"/v1/staff/{acme.owner_id}/factors/reset"
    assert problem(await identity.post(owner, token=laya.token)) == (403, "above_you")
    assert problem(await identity.post(owner, token=acme.ray)) == (403, "own_account")
    identity.authz.permit(jane.staff, "core.staff.view", "core.staff.edit")
    assert problem(await reset(acme, laya, jane.token)) == (403, "above_you")
    luke = await member(acme, "Luke")
    assert (await reset(acme, luke, jane.token)).status == 204, "who may edit accounts resets those of their equals"
    assert (await reset(acme, leia, laya.token)).status == 204


@pytest.mark.checklist("H04")
async def test_two_administrators_who_reset_each_other_leave_one_with_a_factor(acme: Acme) -> None:
    identity = acme.identity
    both = [await with_app(acme, name, type="administrator") for name in ("Laya", "Leia")]
    await run_as_owner(identity, "UPDATE staff SET status = 'invited' WHERE id = $1", acme.owner_id)
    owner: Any = await asyncpg.connect(identity.owner_url)
    async with owner.transaction():
        # The audit log comes last: neither is committed before both have looked.
        await owner.execute("SELECT FROM audit_head WHERE org = $1 FOR UPDATE", acme.org)
        first, second = both
        acts = [
            asyncio.create_task(reset(acme, second, first.token)),
            asyncio.create_task(reset(acme, first, second.token)),
        ]
        await until_held_up(owner, 2)
    await owner.close()
    answers = [await act for act in acts]
    # 401: the slower one's own session was over by the time it was looked at.
    refused = problem(max(answers, key=lambda one: one.status))
    assert min(answer.status for answer in answers) == 204
    assert refused in ((409, "last_administrator"), (401, "token_refused")), refused
    left = [one for one in both if (await identity.ask("GET", "/v1/me", token=one.token)).status == 200]
    assert len(left) == 1
    assert "totp" in [one["kind"] for one in (await list_factors(left[0]))["factors"]]


async def test_a_login_that_shows_a_passkey_while_it_is_reset_is_no_deadlock(acme: Acme) -> None:
    identity, jane = acme.identity, await with_passkey(acme)
    assert jane.authenticator is not None
    for _ in range(5):
        started = (await begun(identity, jane.login))["transaction"]
        asked = (await identity.post("/v1/login/passkey-options", {"transaction": started})).json
        if "options" not in asked:
            break
        body = {
            "transaction": started,
            "factor": "passkey",
            "credential": jane.authenticator.get(asked["options"]),
        }
        answers = await asyncio.gather(identity.post("/v1/login/finish", body), reset(acme, jane))
        assert answers[0].status in (200, 401)
        assert answers[1].status == 204


@pytest.mark.checklist("C01", "D02", "D07")
async def test_nothing_of_a_factor_is_told_logged_or_audited(acme: Acme, capfd: pytest.CaptureFixture[str]) -> None:
    identity, jane = acme.identity, await with_app(acme)
    assert jane.app is not None
    assert jane.codes is not None
    code = await sent(identity, (await begun(identity, jane.login))["transaction"])
    assert (await finished(identity, jane.login, "recovery", jane.codes[0])).status == 200
    audit = await run_as_owner(identity, "SELECT string_agg(body, '') AS text FROM audit WHERE org = $1", acme.org)
    places = (audit[0]["text"], "".join(capfd.readouterr()), b"".join(identity.heard.bodies).decode())
    for secret in (jane.app.secret, code, jane.codes[0], PASSWORD, "jane@acme.example", "Jane@acme.example"):
        assert not any(secret in place for place in places), secret
