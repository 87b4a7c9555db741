"""From where people get in: the organisation's networks, the operator's, and whose word about an address is believed."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity import networks
from staffgate.contracts import identity as contract
from tests.service.identity.conftest import Acme, Answer, Running, register, run_as_owner, running, sign_in
from tests.service.identity.states import ELSEWHERE, coming_from, set_policy
from tests.service.identity.test_login import attempt, finish, told_of

HERE = ["127.0.0.0/8"]


def only(*allowed: str) -> contract.SecurityPolicy:
    return contract.SecurityPolicy(networks=[*allowed])


@pytest.mark.checklist("E04")
@pytest.mark.parametrize(
    ("ip", "list", "want"),
    [
        ("192.0.2.7", [], True),
        ("192.0.2.7", ["192.0.2.0/24"], True),
        ("192.0.2.7", ["192.0.2.7"], True),
        ("192.0.3.7", ["192.0.2.0/24"], False),
        ("::ffff:192.0.2.7", ["192.0.2.0/24"], True),
        ("192.0.2.7", ["::ffff:192.0.2.0/120"], True),
        ("::ffff:192.0.3.7", ["192.0.2.0/24"], False),
        ("2001:db8::1", ["2001:db8::/32"], True),
        ("2001:db9::1", ["2001:db8::/32"], False),
        ("2001:db8::1%eth0", ["2001:db8::/32"], True),
        ("192.0.2.7", ["::/0"], False),
        ("2001:db8::1", ["0.0.0.0/0"], False),
        ("", ["0.0.0.0/0", "::/0"], False),
        ("no address", ["0.0.0.0/0", "::/0"], False),
    ],
)
def test_an_address_is_within_a_network(ip: str, list: list[str], want: bool) -> None:
    assert networks.within(ip, list) is want


@pytest.mark.checklist("E04")
@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_however_an_address_is_written_it_is_within_the_same_networks(ip: int, other: int, length: int) -> None:
    address, network = ipaddress.IPv4Address(ip), ipaddress.ip_network((other, length), strict=False)
    want = address in network
    mapped_network = f"::ffff:{network.network_address}/{96 + length}"
    for written in (str(address), f"::ffff:{address}", f"0:0:0:0:0:ffff:{ip >> 16:x}:{ip & 0xFFFF:x}"):
        for allowed in (str(network), mapped_network):
            assert networks.within(written, [allowed]) is want


async def ways(identity: Running, login: str, token: str, refresh: str) -> dict[str, int]:
    body = {"grant_type": "refresh_token", "refresh_token": refresh}
    return {
        "login": (await attempt(identity, login)).status,
        "use": (await identity.ask("GET", "/v1/me", token=token)).status,
        "refresh": (await identity.ask("POST", "/oauth/token", data=body)).status,
    }


@pytest.mark.checklist("E04")
async def test_who_comes_from_outside_the_list_does_not_get_in_refresh_or_go_on(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    await set_policy(acme, only("127.0.0.1", "2001:db8::/32"))
    async with coming_from(identity, "127.0.0.9") as outside:
        assert await ways(outside, jane.login, jane.token, jane.refresh) == {"login": 401, "use": 401, "refresh": 400}
    assert await ways(identity, jane.login, jane.token, jane.refresh) == {"login": 200, "use": 200, "refresh": 200}


@pytest.mark.checklist("E04")
async def test_a_login_begun_inside_is_not_finished_outside(acme: Acme) -> None:
    identity = acme.identity
    login = await acme.activate(await acme.add())
    await set_policy(acme, only("127.0.0.1"))
    started = await attempt(identity, login)
    ask = {"transaction": started.json["transaction"], "factor": "email"}
    async with coming_from(identity, "127.0.0.9") as outside:
        assert (await outside.post("/v1/login/codes", ask)).status == 401
        before = len(identity.heard.of(contract.CodeIssued))
        assert (await identity.post("/v1/login/codes", ask)).status == 202
        await identity.told(contract.CodeIssued, before + 1)
        finish = ask | {"code": identity.heard.code()}
        assert (await outside.post("/v1/login/finish", finish)).status == 401
    assert (await identity.post("/v1/login/finish", finish)).status == 200


@pytest.mark.checklist("E04")
async def test_an_organisation_tightens_the_operators_networks_and_never_widens_them(database: Any) -> None:
    async with running(database, networks="127.0.0.1, 127.0.0.2,2001:db8::/32") as identity:
        acme = await register(identity)
        jane = await sign_in(acme)
        async with coming_from(identity, "127.0.0.3") as outside, coming_from(identity, "127.0.0.2") as inside:
            for policy in (only(), only(*HERE), only("0.0.0.0/0", "127.0.0.3")):
                await set_policy(acme, policy)
                refused = await ways(outside, jane.login, jane.token, jane.refresh)
                assert refused == {"login": 401, "use": 401, "refresh": 400}
            await set_policy(acme, only(*HERE))
            assert (await ways(inside, jane.login, jane.token, jane.refresh))["login"] == 200
            await set_policy(acme, only("127.0.0.1"))
            assert (await ways(inside, jane.login, jane.token, jane.refresh))["login"] == 401
            ray = await attempt(outside, f"{acme.number}\\Ray")
            assert ray.status == 401, "not even the owner gets past the floor"
        settings = await identity.ask("GET", "/v1/organisation/security", token=acme.ray)
        assert settings.json["floor"] == ["127.0.0.1/32", "127.0.0.2/32", "2001:db8::/32"]


def test_a_floor_that_can_not_be_read_stops_the_service() -> None:
    assert networks.read_floor("").networks == ()
    for text in ("here", "192.0.2.0/24;10.0.0.0/8", "fe80::1%eth0"):
        with pytest.raises(ValueError):
            networks.read_floor(text)


# --- the owner, when everybody is locked out ----------------------------------------------------------------------


async def with_the_app(identity: Running, acme: Acme, started: Answer) -> Answer:
    identity.clock.advance(seconds=30)
    code = acme.app.at(identity.clock.now())
    body = {"transaction": started.json["transaction"], "factor": "totp", "code": code}
    return await identity.post("/v1/login/finish", body)


@pytest.mark.checklist("E06")
async def test_the_owner_gets_in_from_elsewhere_with_a_strong_factor_and_it_is_told(acme: Acme) -> None:
    identity = acme.identity
    weak = contract.FactorRule(allowed=[contract.FactorKind.TOTP, contract.FactorKind.EMAIL])
    at_home = await with_the_app(identity, acme, await attempt(identity, f"{acme.number}\\Ray"))
    told = await told_of(identity, acme.owner_id)
    await set_policy(acme, contract.SecurityPolicy(administrators=weak, networks=[ELSEWHERE]))
    started = await attempt(identity, f"{acme.number}\\Ray", device=at_home.json["device"])
    assert [factor["kind"] for factor in started.json["factors"]] == ["totp"], "e-mail would do at home"
    ask = {"transaction": started.json["transaction"], "factor": "email"}
    assert (await identity.post("/v1/login/codes", ask)).status == 422
    tokens = await with_the_app(identity, acme, started)
    assert tokens.status == 200
    token = tokens.json["access_token"]
    assert (await identity.ask("GET", "/v1/organisation/security", token=token)).status == 200
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens.json["refresh_token"]}
    assert (await identity.ask("POST", "/oauth/token", data=refresh)).status == 200
    assert await told_of(identity, acme.owner_id) == [*told, "new_device"], "of a known device, too"
    rows = await run_as_owner(
        identity, "SELECT body FROM audit WHERE org = $1 AND event = 'authn_login_success' ORDER BY number DESC",
        acme.org,
    )  # fmt: skip
    assert json.loads(rows[0]["body"])["detail"]["outside"] is True


@pytest.mark.checklist("E06")
async def test_an_owner_without_a_strong_factor_and_an_administrator_with_one_stay_out(acme: Acme) -> None:
    identity, laya = acme.identity, await sign_in(acme, "Laya", type="administrator")
    await set_policy(acme, only(ELSEWHERE))
    assert (await attempt(identity, laya.login)).status == 401
    assert (await identity.ask("GET", "/v1/me", token=laya.token)).status == 401
    await run_as_owner(identity, "UPDATE staff SET totp_confirmed_at = NULL WHERE id = $1", acme.owner_id)
    refused = await attempt(identity, f"{acme.number}\\Ray")
    wrong = await attempt(identity, f"{acme.number}\\Ray", "wrong")
    assert (refused.status, refused.text) == (401, wrong.text)


# --- whose word about an address is believed ----------------------------------------------------------------------


@pytest.mark.checklist("E05")
async def test_without_proxies_of_ours_nobody_says_where_they_come_from(acme: Acme) -> None:
    identity = acme.identity
    login = await acme.activate(await acme.add())
    await set_policy(acme, only(ELSEWHERE))
    for spoofed in ("192.0.2.1", "192.0.2.1, 127.0.0.1", "127.0.0.1, 192.0.2.1"):
        for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "True-Client-IP"):
            assert (await forwarded(identity, login, {header: spoofed})).status == 401
            identity.clock.advance(hours=1)


async def forwarded(identity: Running, login: str, headers: dict[str, str]) -> Answer:
    body = {"login": login, "password": "seven miles of copper wire"}
    return await identity.ask("POST", "/v1/login", json=body, headers=headers)


@pytest.mark.checklist("E05")
async def test_what_our_own_proxies_added_is_believed_and_nothing_before_it(database: Any) -> None:
    async with running(database, trusted_proxies=2) as identity:
        acme = await register(identity)
        login = await acme.activate(await acme.add())
        await set_policy(acme, only("192.0.2.0/24"))
        for hops, want in (
            ("192.0.2.9, 10.0.0.1", 200),
            ("198.51.100.1, 192.0.2.9, 10.0.0.1", 200),
            ("::ffff:192.0.2.9, 10.0.0.1", 200),
            ("192.0.2.9, 198.51.100.1, 10.0.0.1", 401),
            ("192.0.2.9", 401),
            ("", 401),
            ("192.0.2.9, not an address, 10.0.0.1", 401),
            ("192.0.2.9\t,10.0.0.1", 200),
        ):
            answer = await forwarded(identity, login, {"X-Forwarded-For": hops})
            assert answer.status == want, hops
            identity.clock.advance(hours=1)


@pytest.mark.checklist("E01", "E05")
async def test_a_spoofed_address_is_no_new_budget(database: Any) -> None:
    async with running(database, trusted_proxies=1) as identity:
        for number in range(50):
            spoofed = {"X-Forwarded-For": f"203.0.113.{number}, 198.51.100.7"}
            assert (await forwarded(identity, f"Crates{number}\\Jane", spoofed)).status == 401
        held = await forwarded(identity, "Crates\\Jane", {"X-Forwarded-For": "203.0.113.99, 198.51.100.7"})
        assert held.status == 429
        other = await forwarded(identity, "Crates\\Jane", {"X-Forwarded-For": "198.51.100.7, 198.51.100.8"})
        assert other.status == 401


@pytest.mark.checklist("E01")
def test_one_subscriber_is_one_network() -> None:
    assert networks.prefix("2001:db8:1:2:3::4") == networks.prefix("2001:db8:1:2:ffff::1")
    assert networks.prefix("2001:db8:1:2::1") != networks.prefix("2001:db8:1:3::1")
    assert networks.prefix("::ffff:192.0.2.1") == networks.prefix("192.0.2.1") != networks.prefix("192.0.2.2")


async def test_the_new_device_notice_is_not_sent_for_home(acme: Acme) -> None:
    """The same login from inside is nothing unusual on a known device."""
    identity, jane = acme.identity, await acme.add()
    login = await acme.activate(jane)
    await set_policy(acme, only(*HERE))
    device = (await finish(identity, await attempt(identity, login))).json["device"]
    assert (await finish(identity, await attempt(identity, login, device=device))).status == 200
    assert await told_of(identity, jane) == []
