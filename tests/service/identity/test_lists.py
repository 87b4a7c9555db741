"""An organisation's lists: numbers that staff may appear with, visitors who are turned away."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest

from services.identity.organisation import blocklist, numbers
from tests.service.identity.conftest import SMS_INBOX_SECRET, Acme, Answer, register, run_as_owner, sign_in

NUMBER = "+61 491 570 006"


def problem(answer: Answer) -> tuple[int, str]:
    return answer.status, (answer.json or {}).get("type", "").rpartition(":")[2]


async def product(acme: Acme) -> str:
    form = {"grant_type": "client_credentials", "client_id": "sms-inbox", "client_secret": SMS_INBOX_SECRET}
    return str((await acme.identity.ask("POST", "/oauth/token", data=form)).json["access_token"])


async def allow(acme: Acme, number: str, *purposes: str, label: str = "", token: str = "") -> Answer:
    body = {"label": label, "purposes": [*purposes]}
    path = f"/v1/numbers/{quote(number, safe='')}"
    return await acme.identity.ask("PUT", path, json=body, token=token or acme.ray)


async def check(acme: Acme, number: str, purpose: str, org: UUID | None = None) -> Answer:
    body = {"org": str(org or acme.org), "number": number, "purpose": purpose}
    return await acme.identity.post("/v1/numbers/check", body, token=await product(acme))


async def block(acme: Acme, kind: str, value: str, reason: str = "", token: str = "") -> Answer:
    body = {"kind": kind, "value": value, "reason": reason}
    return await acme.identity.post("/v1/blocklist", body, token=token or acme.ray)


async def visitor(acme: Acme, org: UUID | None = None, **known: str) -> Answer:
    return await acme.identity.post(
        "/v1/visitors/check", {"org": str(org or acme.org)} | known, token=await product(acme)
    )


async def is_blocked(acme: Acme, **known: str) -> bool:
    answer = await visitor(acme, None, **known)
    assert answer.status == 200, answer.text
    assert answer.json["blocked"] is bool(answer.json["matches"])
    return bool(answer.json["blocked"])


async def listed(acme: Acme, **query: Any) -> Any:
    answer = await acme.identity.ask("GET", "/v1/blocklist", params=query, token=acme.ray)
    assert answer.status == 200, answer.text
    return answer.json


# --- numbers --------------------------------------------------------------------------------------------------


async def test_an_empty_list_allows_every_number_and_a_list_only_its_own(acme: Acme) -> None:
    """Each purpose by itself: a list of callers says nothing about senders."""
    assert (await check(acme, NUMBER, "caller_id")).json == {"allowed": True, "listed": False}
    assert (await allow(acme, "+61 (491) 570-157", "caller_id", label="Sales")).status == 200
    assert (await check(acme, "+61491570157", "caller_id")).json == {"allowed": True, "listed": True}
    assert (await check(acme, NUMBER, "caller_id")).json == {"allowed": False, "listed": False}
    assert (await check(acme, NUMBER, "sms_sender")).json == {"allowed": True, "listed": False}
    assert (await acme.identity.ask("DELETE", "/v1/numbers/%2B61491570157", token=acme.ray)).status == 204
    assert (await check(acme, NUMBER, "caller_id")).json["allowed"] is True


async def test_a_number_is_one_number_however_it_is_typed(acme: Acme) -> None:
    first = (await allow(acme, NUMBER, "sms_sender", "caller_id", label=" Sales ")).json
    assert (first["number"], first["label"], first["purposes"]) == (
        "+61491570006",
        "Sales",
        ["caller_id", "sms_sender"],
    )
    assert first["added_by"] == str(acme.owner_id)
    await allow(acme, "+61491570006", "caller_id", label="Support")
    shown = (await acme.identity.ask("GET", "/v1/numbers", token=acme.ray)).json["numbers"]
    assert [(one["number"], one["label"], one["purposes"]) for one in shown] == [
        ("+61491570006", "Support", ["caller_id"])
    ]
    for wrong in ("0491570006", "+61", "luke", "+999999999999999999"):
        assert problem(await allow(acme, wrong, "caller_id")) == (422, "number_invalid")
    answer = await acme.identity.ask("DELETE", "/v1/numbers/%2B61491570157", token=acme.ray)
    assert problem(answer) == (404, "not_found")


async def test_everybody_sees_the_numbers_and_only_some_change_them(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    await allow(acme, NUMBER, "caller_id")
    assert len((await identity.ask("GET", "/v1/numbers", token=jane.token)).json["numbers"]) == 1
    assert problem(await allow(acme, NUMBER, "sms_sender", token=jane.token)) == (403, "not_permitted")
    identity.authz.permit(jane.staff, "core.organisation.edit")
    assert (await allow(acme, NUMBER, "sms_sender", token=jane.token)).json["added_by"] == str(jane.staff)
    identity.authz.away = True
    assert problem(await allow(acme, NUMBER, "caller_id", token=acme.ray)) == (503, "authz_away")


@pytest.mark.checklist("H01", "H02")
async def test_a_list_is_one_organisation_s(acme: Acme) -> None:
    other = await register(acme.identity, "Other Crates")
    await allow(acme, NUMBER, "caller_id")
    await block(acme, "email", "luke@rebels.example")
    entry = (await listed(acme))["visitors"][0]["id"]
    assert (await acme.identity.ask("GET", "/v1/numbers", token=other.ray)).json["numbers"] == []
    assert (await listed(other))["visitors"] == []
    assert (await check(acme, "+61491570157", "caller_id", other.org)).json["allowed"] is True
    assert (await visitor(acme, other.org, email="luke@rebels.example")).json["blocked"] is False
    for path in (f"/v1/blocklist/{entry}", "/v1/numbers/%2B61491570006"):
        assert problem(await acme.identity.ask("DELETE", path, token=other.ray)) == (404, "not_found")
    assert len((await listed(acme))["visitors"]) == 1
    nobodys = uuid4()
    assert problem(await check(acme, NUMBER, "caller_id", nobodys)) == (404, "not_found")
    assert problem(await visitor(acme, nobodys, ip="203.0.113.7")) == (404, "not_found")


async def test_there_is_an_end_to_a_list(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "_MOST", 3)
    monkeypatch.setattr(blocklist, "_MOST", 3)
    many = await asyncio.gather(*(allow(acme, f"+6149157015{n}", "caller_id") for n in range(6)))
    assert sorted(answer.status for answer in many) == [200] * 3 + [409] * 3
    many = await asyncio.gather(*(block(acme, "number", f"+6149157015{n}") for n in range(6)))
    assert sorted(answer.status for answer in many) == [201] * 3 + [409] * 3
    kept = (await listed(acme))["visitors"]
    assert len(kept) == 3
    assert (await acme.identity.ask("DELETE", f"/v1/blocklist/{kept[0]['id']}", token=acme.ray)).status == 204
    assert (await block(acme, "number", NUMBER)).status == 201


# --- visitors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "same", "different"),
    [
        ("number", "+61 491 570 006", "+61491570006", "+61491570157"),
        ("email", "Luke@Rebels.Example", "luke@rebels.example", "laya@rebels.example"),
        ("email", "luke@bücher.example", "LUKE@xn--bcher-kva.example", "luke@bucher.example"),
        ("email", "luke@rebels.example.", "luke@rebels.example", "luke@rebels.example2"),
        ("ip", "203.0.113.7", "::ffff:203.0.113.7", "203.0.113.8"),
        ("ip", "203.0.113.99/24", "203.0.113.0", "203.0.114.0"),
        ("ip", "::ffff:203.0.113.0/120", "203.0.113.255", "203.0.112.255"),
        ("ip", "2001:db8::/32", "2001:DB8:ffff::1", "2001:db9::1"),
        ("ip", "2001:0db8:0:0::7", "2001:db8::7", "2001:db8::8"),
    ],
)
async def test_a_visitor_is_known_however_they_are_written(
    acme: Acme, kind: str, value: str, same: str, different: str
) -> None:
    entry = await block(acme, kind, value, "Phishing")
    assert entry.status == 201, entry.text
    assert await is_blocked(acme, **{kind: same})
    assert not await is_blocked(acme, **{kind: different})
    assert problem(await block(acme, kind, same))[0] == (409 if "/" not in value and value != "2001:db8::/32" else 201)
    assert (await acme.identity.ask("DELETE", f"/v1/blocklist/{entry.json['id']}", token=acme.ray)).status == 204


@pytest.mark.parametrize(
    ("kind", "value", "code"),
    [
        ("number", "0491 570 006", "number_invalid"),
        ("number", "luke", "number_invalid"),
        ("email", "luke", "email_invalid"),
        ("email", "luke@rebels", "email_invalid"),
        ("email", "@rebels.example", "email_invalid"),
        ("email", "a b@rebels.example", "email_invalid"),
        ("email", "luke@" + "a" * 64 + ".example", "email_invalid"),
        ("ip", "203.0.113.256", "ip_invalid"),
        ("ip", "fe80::1%eth0", "ip_invalid"),
        ("ip", "rebels.example", "ip_invalid"),
        ("ip", "0.0.0.0/0", "network_too_wide"),
        ("ip", "8.0.0.0/7", "network_too_wide"),
        ("ip", "2000::/3", "network_too_wide"),
    ],
)
async def test_what_is_no_visitor_is_refused_and_not_listed(acme: Acme, kind: str, value: str, code: str) -> None:
    assert problem(await block(acme, kind, value)) == (422, code)
    assert (await listed(acme))["visitors"] == []


async def test_a_check_names_every_entry_that_turns_the_visitor_away(acme: Acme) -> None:
    ids = [
        (await block(acme, kind, value)).json["id"]
        for kind, value in (
            ("number", NUMBER),
            ("email", "luke@rebels.example"),
            ("ip", "203.0.0.0/16"),
            ("ip", "203.0.113.7"),
        )
    ]
    known = {"number": NUMBER, "email": "luke@rebels.example", "ip": "203.0.113.7"}
    found = (await visitor(acme, None, **known)).json
    assert [one["id"] for one in found["matches"]] == ids
    assert problem(await visitor(acme)) == (422, "nothing_to_check")
    assert problem(await visitor(acme, ip="203.0.113.0/24")) == (422, "ip_invalid"), "a visitor has one address"


async def test_the_list_is_read_in_pages_and_searched(acme: Acme) -> None:
    for n in range(7):
        await block(acme, "email", f"luke{n}@rebels.example", "100% phishing" if n % 2 else "Rude_words")
    await block(acme, "number", NUMBER, "Phishing")
    seen: list[Any] = []
    before: dict[str, Any] = {}
    while True:
        page = await listed(acme, limit=3, **before)
        seen += [one["value"] for one in page["visitors"]]
        if page["next"] is None:
            break
        before = {"before": page["next"]}
        if len(seen) == 3:
            await block(acme, "number", "+61491570157")  # what is added meanwhile shifts no page
    assert seen == ["+61491570006", *(f"luke{n}@rebels.example" for n in reversed(range(7)))]
    assert len((await listed(acme, q="PHISHING"))["visitors"]) == 4
    assert len((await listed(acme, q="PHISHING", kind="email"))["visitors"]) == 3
    assert len((await listed(acme, q="0% ph"))["visitors"]) == 3
    assert len((await listed(acme, q="e_w"))["visitors"]) == 4
    assert (await listed(acme, q="%"))["visitors"] == (await listed(acme, q="100%"))["visitors"], "no wildcards"
    assert (await listed(acme, q="\\"))["visitors"] == []


@pytest.mark.checklist("O01")
async def test_the_log_says_what_was_done_to_lists_and_no_visitor_s_address(acme: Acme) -> None:
    entry = (await block(acme, "email", "luke@rebels.example", "Phishing")).json["id"]
    await acme.identity.ask("DELETE", f"/v1/blocklist/{entry}", token=acme.ray)
    await allow(acme, NUMBER, "caller_id")
    await acme.identity.ask("DELETE", "/v1/numbers/%2B61491570006", token=acme.ray)
    rows = await run_as_owner(
        acme.identity,
        "SELECT event, body, body::jsonb -> 'detail' AS detail FROM audit WHERE org = $1"
        " AND event IN ('org_blocklist_changed', 'org_numbers_changed') ORDER BY number",
        acme.org,
    )
    assert [row["event"] for row in rows] == ["org_blocklist_changed"] * 2 + ["org_numbers_changed"] * 2
    assert all(entry in row["detail"] for row in rows[:2])
    assert not [row for row in rows if "rebels" in row["body"] or "491570006" in row["body"]]


async def test_only_who_may_sees_and_changes_the_blocklist(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    entry = (await block(acme, "email", "luke@rebels.example")).json["id"]
    acts: dict[str, Any] = {
        "view": lambda: identity.ask("GET", "/v1/blocklist", token=jane.token),
        "create": lambda: block(acme, "email", "laya@rebels.example", token=jane.token),
        "delete": lambda: identity.ask("DELETE", f"/v1/blocklist/{entry}", token=jane.token),
    }
    for action, act in acts.items():
        assert problem(await act()) == (403, "not_permitted")
        identity.authz.permit(jane.staff, f"core.organisation.{action}", over={jane.staff})
        assert problem(await act()) == (403, "not_permitted"), "over the whole organisation, or not at all"
        identity.authz.permit(jane.staff, f"core.organisation.{action}")
        assert (await act()).status < 300, action
