"""Recovery codes: shown once, kept as digests, good once each; and their person hears of every use."""

from __future__ import annotations

import asyncio
import hashlib
import math

import pytest

from staffgate.contracts.identity import FactorKind, FactorRule, NoticeKind, SecurityPolicy
from tests.service.identity.authenticator import Authenticator
from tests.service.identity.conftest import Acme, run_as_owner, until
from tests.service.identity.possessions import (
    add_passkey,
    audited,
    begun,
    finished,
    list_factors,
    member,
    problem,
    with_app,
    with_passkey,
)
from tests.service.identity.post import notices
from tests.service.identity.states import set_policy
from tests.service.identity.test_bad_input import claims_of


@pytest.mark.checklist("D07")
async def test_ten_codes_come_with_the_first_strong_factor_and_are_shown_once(acme: Acme) -> None:
    jane = await with_app(acme)
    codes = jane.codes
    assert codes is not None
    assert len(set(codes)) == 10
    assert {math.log2(27) * len(code.replace("-", "")) >= 64 for code in codes} == {True}
    jane.codes = None
    await add_passkey(jane, Authenticator())
    assert jane.codes is None, "with the second one there are codes already"
    listed = await acme.identity.ask("GET", "/v1/me/factors", token=jane.token)
    assert listed.json["recovery_codes_left"] == 10
    rows = await run_as_owner(acme.identity, "SELECT digest FROM recovery_code WHERE staff = $1", jane.staff)
    assert {len(row["digest"]) for row in rows} == {32}
    unkeyed = {hashlib.sha256(form.encode()).digest() for code in codes for form in (code, code.replace("-", ""))}
    assert not unkeyed & {row["digest"] for row in rows}
    assert not any(code in listed.text for code in codes)


@pytest.mark.checklist("D07", "A12")
async def test_a_code_lets_in_once_however_it_is_typed_and_is_noticed(acme: Acme) -> None:
    identity, jane = acme.identity, await with_app(acme)
    assert jane.codes is not None
    typed = jane.codes[0].replace("-", "").lower()
    transactions = [(await begun(identity, jane.login))["transaction"] for _ in range(10)]
    uses = [{"transaction": one, "factor": "recovery", "code": typed} for one in transactions]
    answers = await asyncio.gather(*(identity.post("/v1/login/finish", use) for use in uses))
    assert sorted(answer.status for answer in answers) == [200] + [401] * 9
    token = next(answer.json["access_token"] for answer in answers if answer.status == 200)
    assert (claims_of(token)["amr"], claims_of(token)["acr"]) == (["pwd", "kba"], "aal2")
    assert (await finished(identity, jane.login, "recovery", jane.codes[0])).status == 401
    await until(lambda: notices(identity, NoticeKind.RECOVERY_CODE_USED))
    assert [one.facts["left"] for one in notices(identity, NoticeKind.RECOVERY_CODE_USED)] == ["9"]
    assert [one["detail"] for one in await audited(acme, "authn_recovery_code_used")] == [{"left": 9}]
    jane.token = token
    assert (await list_factors(jane))["recovery_codes_left"] == 9


@pytest.mark.checklist("D07")
async def test_a_code_is_its_persons_alone(acme: Acme) -> None:
    jane, luke = await with_app(acme), await with_app(acme, "Luke")
    assert jane.codes is not None
    assert (await finished(acme.identity, luke.login, "recovery", jane.codes[0])).status == 401
    assert (await finished(acme.identity, jane.login, "recovery", jane.codes[0])).status == 200


@pytest.mark.checklist("D07")
async def test_new_codes_kill_the_old_ones(acme: Acme) -> None:
    identity, jane = acme.identity, await with_passkey(acme)
    assert jane.codes is not None
    made = await identity.post("/v1/me/factors/recovery-codes", token=jane.token)
    assert (made.status, len(made.json["codes"])) == (201, 10)
    assert (await finished(identity, jane.login, "recovery", jane.codes[0])).status == 401
    assert (await finished(identity, jane.login, "recovery", made.json["codes"][0])).status == 200
    await until(lambda: len(notices(identity, NoticeKind.RECOVERY_CODES_MADE)) == 3)  # Ray's, and twice Jane's
    assert (
        len([one for one in await audited(acme, "authn_recovery_codes_made") if one["target"] == str(jane.staff)]) == 2
    )


async def test_codes_stand_in_for_something_strong_and_only_where_they_are_allowed(acme: Acme) -> None:
    identity, jane = acme.identity, await member(acme)
    refused = await identity.post("/v1/me/factors/recovery-codes", token=jane.token)
    assert problem(refused) == (409, "no_strong_factor")
    await set_policy(acme, SecurityPolicy(standard=FactorRule(allowed=[FactorKind.TOTP, FactorKind.EMAIL])))
    han = await with_app(acme, "Han")
    assert han.codes is None
    refused = await identity.post("/v1/me/factors/recovery-codes", token=han.token)
    assert problem(refused) == (422, "factor_not_allowed")
