"""Ways round the story's steps that were found, and are shut."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pyotp
import pytest

from staffgate.contracts import identity as contract
from tests.locks import until_held_up
from tests.service.identity.conftest import PASSWORD, Acme, Running, log_in, sign_in


async def begun(identity: Running, login: str) -> str:
    return str((await identity.post("/v1/login", {"login": login, "password": PASSWORD})).json["transaction"])


async def test_whoever_has_the_password_can_not_guess_on_over_many_logins(acme: Acme) -> None:
    identity, login = acme.identity, await acme.activate(await acme.add())
    token = (await log_in(identity, login)).json["access_token"]
    app = pyotp.TOTP((await identity.post("/v1/me/factors/totp", token=token)).json["secret"])
    confirm = {"code": app.at(identity.clock.now())}
    assert (await identity.post("/v1/me/factors/totp/confirm", confirm, token=token)).status == 200
    identity.clock.advance(seconds=60)
    right = app.at(identity.clock.now())
    for _ in range(2):
        guess = {
            "transaction": await begun(identity, login),
            "factor": "totp",
            "code": f"{(int(right) + 7) % 10**6:06d}",
        }
        answers = await asyncio.gather(*(identity.post("/v1/login/finish", guess) for _ in range(5)))
        assert {answer.status for answer in answers} == {401}
    finish = {"transaction": await begun(identity, login), "factor": "totp", "code": right}
    assert (await identity.post("/v1/login/finish", finish)).status == 401, "ten tries an hour, over all logins"
    identity.clock.advance(hours=1, seconds=1)
    finish = {"transaction": await begun(identity, login), "factor": "totp", "code": app.at(identity.clock.now())}
    assert (await identity.post("/v1/login/finish", finish)).status == 200


async def test_a_login_begun_before_a_suspension_ends_with_it(acme: Acme) -> None:
    identity, jane = acme.identity, await acme.add()
    login = await acme.activate(jane)
    ask = {"transaction": await begun(identity, login), "factor": "email"}
    await identity.post("/v1/login/codes", ask)
    await identity.told(contract.CodeIssued, 2)
    for act in ("suspend", "reactivate"):
        assert (await identity.post(f"/v1/staff/{jane}/{act}", token=acme.ray)).status == 200
    assert (await identity.post("/v1/login/finish", ask | {"code": identity.heard.code()})).status == 401


async def test_activating_while_the_link_is_sent_again_is_no_deadlock(acme: Acme) -> None:
    identity = acme.identity
    for n in range(8):
        jane = await acme.add(f"Jane{n}")
        before = len(identity.heard.of(contract.LinkIssued))
        await identity.post(f"/v1/staff/{jane}/activation-email", token=acme.ray)
        await identity.told(contract.LinkIssued, before + 1)
        use = {"token": identity.heard.link(), "password": PASSWORD}
        again = (identity.post(f"/v1/staff/{jane}/activation-email", token=acme.ray) for _ in range(3))
        answers = await asyncio.gather(identity.post("/v1/activations", use), *again)
        assert {answer.status for answer in answers} <= {200, 202, 409, 422, 429}


@pytest.mark.parametrize("charset", ["punycode", "utf-7", "unicode_escape", "no-such-thing"])
async def test_a_form_is_utf_8(identity: Running, charset: str) -> None:
    """Python decodes a megabyte of punycode for a minute, and makes lone surrogates of the others."""
    headers = {"Content-Type": f"application/x-www-form-urlencoded; charset={charset}"}
    for path in ("/activate", "/oauth/token"):
        answer: Any = await identity.ask("POST", path, data=b"token=-" + b"a" * 500_000, headers=headers)
        assert (answer.status, answer.json["type"]) == (400, "urn:staffgate:problem:wrong_charset")


async def test_two_administrators_who_suspend_each_other_leave_one(acme: Acme) -> None:
    """The last active one is not suspended, though each of two requests by itself would leave the other."""
    identity = acme.identity
    both = [await sign_in(acme, name, type="administrator") for name in ("Laya", "Leia")]
    ids, tokens = [one.staff for one in both], [one.token for one in both]
    owner: Any = await asyncpg.connect(identity.owner_url)
    await owner.execute("UPDATE staff SET status = 'invited' WHERE id = $1", acme.owner_id)  # nobody else is there
    async with owner.transaction():
        # Both are held up until both have come: neither has seen what the other does.
        await owner.execute("SELECT FROM staff WHERE id = ANY($1) FOR UPDATE", ids)
        acts = [
            asyncio.create_task(identity.post(f"/v1/staff/{other}/suspend", token=token))
            for other, token in zip(reversed(ids), tokens, strict=True)
        ]
        await until_held_up(owner, 2)
    answers = [await act for act in acts]
    # 401: the slower one's own session was over by the time it was looked at.
    assert sorted(answer.status for answer in answers) in ([200, 409], [200, 401]), [answer.text for answer in answers]
    left = await owner.fetchval("SELECT count(*) FROM staff WHERE id = ANY($1) AND status = 'active'", ids)
    await owner.close()
    assert left == 1
