"""Refresh tokens: one successor each, so that no lost answer puts anybody out; and used again later, the end for all."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from staffgate.contracts import identity as contract
from tests.service.identity.conftest import Acme, Answer, Running, run_as_owner, sign_in

_AT_ONCE = 50


async def refreshed(identity: Running, token: str) -> Answer:
    form = {"grant_type": "refresh_token", "refresh_token": token}
    return await identity.ask("POST", "/oauth/token", data=form)


async def patiently(identity: Running, token: str) -> Answer:
    """As a client does: whom a busy service asks to come again comes again, with the same token."""
    while (answer := await refreshed(identity, token)).status == 503:
        assert answer.headers["Retry-After"]
    return answer


async def live_tokens(acme: Acme) -> int:
    """That have not been used, of sessions that go on."""
    statement = (
        "SELECT count(*) FROM refresh_token r JOIN session s ON s.id = r.session AND s.ended_at IS NULL"
        " JOIN staff p ON p.id = s.staff AND p.username = 'Jane' WHERE r.org = $1 AND r.used_at IS NULL"
    )
    return int((await run_as_owner(acme.identity, statement, acme.org))[0]["count"])


async def play(acme: Acme, rounds: int) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    token = jane.refresh
    for round in range(rounds):
        answers = await asyncio.gather(*(patiently(identity, token) for _ in range(_AT_ONCE)))
        assert {answer.status for answer in answers} == {200}, f"somebody was put out in round {round}"
        (token,) = {answer.json["refresh_token"] for answer in answers}
        assert await live_tokens(acme) == 1
        identity.clock.advance(seconds=20)
    assert not identity.heard.of(contract.SessionsEnded)[1:]  # the one is Ray's, whose first could only enrol


@pytest.mark.checklist("G10")
async def test_fifty_at_once_get_one_successor_and_nobody_is_put_out(acme: Acme) -> None:
    await play(acme, 20)


@pytest.mark.long
@pytest.mark.checklist("G10")
async def test_a_thousand_times_fifty_at_once_put_nobody_out(acme: Acme) -> None:
    await play(acme, 1000)


@pytest.mark.checklist("G09", "G10")
async def test_a_lost_answer_is_asked_for_again_within_ten_seconds(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    first = (await refreshed(identity, jane.refresh)).json["refresh_token"]
    second = (await refreshed(identity, first)).json["refresh_token"]
    identity.clock.advance(seconds=10)
    again = await refreshed(identity, jane.refresh)
    assert again.json["refresh_token"] == first, "the same, though its own successor is out by now"
    assert (await refreshed(identity, second)).status == 200


@pytest.mark.checklist("G10", "A12")
async def test_a_token_used_again_later_ends_everything_that_came_of_it(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    newest = (await refreshed(identity, jane.refresh)).json
    identity.clock.advance(seconds=10.001)
    before = len(identity.heard.of(contract.SessionsEnded))
    replayed = await refreshed(identity, jane.refresh)
    assert (replayed.status, replayed.json["error"]) == (400, "invalid_grant")
    assert (await refreshed(identity, newest["refresh_token"])).status == 400
    assert (await identity.ask("GET", "/v1/me", token=newest["access_token"])).status == 401
    ended = (await identity.told(contract.SessionsEnded, before + 1))[before:]
    assert [one.staff for one in ended] == [jane.staff]
    notices = [one for one in identity.heard.of(contract.NoticeIssued) if one.kind is contract.NoticeKind.TOKEN_REUSED]
    assert [one.staff for one in notices] == [jane.staff]
    rows = await run_as_owner(
        identity, "SELECT body::jsonb ->> 'result' AS result, target FROM audit WHERE org = $1"
        " AND event = 'authn_token_reuse'", acme.org,
    )  # fmt: skip
    assert [(row["result"], row["target"]) for row in rows] == [("failure", str(jane.staff))]


@pytest.mark.checklist("G10")
async def test_many_who_replay_at_once_end_it_once(acme: Acme) -> None:
    """Old tokens of one family, at the same moment: each shares the person's row, and none waits for the other for ever."""
    identity, jane = acme.identity, await sign_in(acme)
    old, token = [], jane.refresh
    for _ in range(5):
        old.append(token)
        token = (await refreshed(identity, token)).json["refresh_token"]
    identity.clock.advance(seconds=11)
    answers = await asyncio.gather(*(refreshed(identity, one) for one in old * 6))
    assert {answer.status for answer in answers} == {400}
    rows = await run_as_owner(
        identity, "SELECT count(*) FROM audit WHERE org = $1 AND event = 'authn_token_reuse'", acme.org
    )
    assert rows[0]["count"] == 1


@pytest.mark.checklist("G09")
async def test_refresh_tokens_are_kept_as_digests_and_bound_to_their_session(acme: Acme) -> None:
    identity, jane, luke = acme.identity, await sign_in(acme), await sign_in(acme, "Luke")
    rows = await run_as_owner(identity, "SELECT digest FROM refresh_token WHERE org = $1", acme.org)
    kept = {bytes(row["digest"]) for row in rows}
    assert hashlib.sha256(jane.refresh.encode()).digest() in kept
    assert jane.refresh.encode() not in b"".join(kept)
    assert len(jane.refresh) > 43, "256 bits, behind the organisation's id"
    await identity.post("/v1/me/logout", token=jane.token)
    assert (await refreshed(identity, jane.refresh)).status == 400
    assert (await refreshed(identity, luke.refresh)).status == 200


@pytest.mark.checklist("G09")
async def test_a_refresh_token_of_another_organisation_or_of_nobody_is_none(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    nobodys = jane.refresh[:22] + "A" * 43
    elsewhere = "A" * 22 + jane.refresh[22:]
    for token in (nobodys, elsewhere, jane.refresh[:-1], jane.refresh + "A", "x"):
        answer = await refreshed(identity, token)
        assert (answer.status, answer.json["error"]) == (400, "invalid_grant")
    assert (await refreshed(identity, jane.token)).status == 400
    assert (await refreshed(identity, jane.refresh)).status == 200


@pytest.mark.checklist("G10")
async def test_refreshing_and_logging_out_at_once_is_no_deadlock(acme: Acme) -> None:
    """Both need the person and the session; whoever comes second waits for the first, and not each for the other."""
    identity = acme.identity
    for n in range(6):
        jane = await sign_in(acme, f"Jane{n}")
        answers = await asyncio.gather(
            *(refreshed(identity, jane.refresh) for _ in range(8)),
            identity.post("/v1/me/logout", token=jane.token),
            identity.ask("PUT", "/v1/me/availability", json={"state": "online"}, token=jane.token),
        )
        assert {answer.status for answer in answers} <= {200, 204, 400, 401, 409}
        assert (await refreshed(identity, jane.refresh)).status == 400
