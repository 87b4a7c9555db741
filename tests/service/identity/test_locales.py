"""In which language a person is written to, and how they find out whether messages reach them at all."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from staffgate.contracts import identity as contract
from staffgate.contracts.identity import NoticeKind
from tests.service.identity.conftest import Acme, Answer, Running, log_in, run_as_owner, sign_in, until
from tests.service.identity.imports import imported, table
from tests.service.identity.post import activation_link, code_to, notices, opened


async def choose(identity: Running, token: str, locale: str | None) -> Answer:
    return await identity.ask("PUT", "/v1/me/locale", json={"locale": locale}, token=token)


async def listed(acme: Acme) -> dict[str, Any]:
    page = (await acme.identity.ask("GET", "/v1/staff?status=all", token=acme.ray)).json
    return {one["username"]: one for one in page["staff"]}


async def messages_sent(identity: Running, count: int) -> list[contract.NoticeMessage]:
    """Test messages, once there are so many."""
    return list(await until(lambda: found if len(found := notices(identity, NoticeKind.TEST)) >= count else None))


async def locale_of(identity: Running, staff: UUID) -> Any:
    return (await run_as_owner(identity, "SELECT locale FROM staff WHERE id = $1", staff))[0][0]


async def test_whoever_is_invited_in_a_language_is_written_to_in_it(acme: Acme) -> None:
    laya = await acme.add("Laya", locale="zh-TW")
    await activation_link(acme, laya)
    assert opened(acme.identity, acme.identity.heard.of(contract.LinkIssued)[-1]).locale == "zh-TW"
    assert (await listed(acme))["Laya"]["locale"] == "zh-TW"


async def test_a_person_chooses_their_own_language_and_codes_and_notices_are_in_it(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    assert (await choose(identity, jane.token, "de-AT")).status == 204
    assert (await identity.ask("GET", "/v1/me", token=jane.token)).json["locale"] == "de-AT"
    assert (await log_in(identity, jane.login)).status == 200
    assert code_to(identity).locale == "de-AT"
    await identity.post("/v1/me/test-message", token=jane.token)
    assert [one.locale for one in await messages_sent(identity, 1)] == ["de-AT"]
    assert (await choose(identity, jane.token, None)).status == 204
    assert await locale_of(identity, jane.staff) is None


async def test_an_administrator_sets_the_language_of_others_and_it_is_written_down(acme: Acme) -> None:
    jane = await acme.add("Jane")
    for locale in ("fr-CA", None):
        answer = await acme.identity.ask("PATCH", f"/v1/staff/{jane}", json={"locale": locale}, token=acme.ray)
        assert (answer.status, answer.json["locale"]) == (200, locale)
    entries = await run_as_owner(
        acme.identity, "SELECT count(*) FROM audit WHERE target = $1 AND event = 'user_updated'", str(jane)
    )
    assert entries[0][0] == 2


async def test_a_file_names_languages_too(acme: Acme) -> None:
    done = await imported(acme, table({"username": "Luke", "locale": "es-419"}, {"username": "Han"}))
    assert done["created"] == 2
    there = await listed(acme)
    assert (there["Luke"]["locale"], there["Han"]["locale"]) == ("es-419", None)


@pytest.mark.parametrize("locale", ["", "d", "German", "de_AT", "DE", "de-at", "de-AT\n", "x" * 13, 7, ["de"]])
async def test_what_is_no_language_is_refused(acme: Acme, locale: object) -> None:
    jane = await sign_in(acme)
    answer = await acme.identity.ask("PUT", "/v1/me/locale", json={"locale": locale}, token=jane.token)
    assert answer.status in (400, 422), answer.text
    assert await locale_of(acme.identity, jane.staff) is None


# --- the test message -----------------------------------------------------------------------------------------


@pytest.mark.checklist("N08")
async def test_a_test_message_goes_to_the_callers_own_address_and_to_nobody_elses(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    sent = await identity.post("/v1/me/test-message", token=jane.token)
    assert sent.status == 202
    assert [one.to for one in await messages_sent(identity, 1)] == ["Jane@acme.example"]
    (event,) = [one for one in identity.heard.of(contract.NoticeIssued) if one.kind is NoticeKind.TEST]
    assert (str(event.notice), event.staff) == (sent.json["message"], jane.staff)


@pytest.mark.checklist("N08")
async def test_whom_a_test_message_goes_to_nobody_can_say(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    answer = await identity.post(
        "/v1/me/test-message?to=luke@rebels.example", {"to": "luke@rebels.example"}, token=jane.token
    )
    assert 400 <= answer.status < 500, answer.text
    assert (await identity.post("/v1/me/test-message", token=jane.token)).status == 202
    assert [one.to for one in await messages_sent(identity, 1)] == ["Jane@acme.example"]


async def test_test_messages_are_no_way_to_flood_a_mailbox(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    assert (await identity.post("/v1/me/test-message", token=jane.token)).status == 202
    again = await identity.post("/v1/me/test-message", token=jane.token)
    assert (again.status, again.json["type"].rpartition(":")[2], again.headers["Retry-After"]) == (
        429,
        "test_just_sent",
        "60",
    )
    identity.clock.advance(seconds=60)
    assert (await identity.post("/v1/me/test-message", token=jane.token)).status == 202
