"""An operator lets an owner in again who has lost everything: it waits, everybody concerned hears of it, and it can be
stopped; carried out, it leaves nothing to get in with but the new mailbox."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
import pytest_asyncio

from services.identity import commands
from services.identity.app import Settings, recoveries
from services.identity.organisation.recoveries import Asked, Recoveries
from services.identity.staff.lifecycle import Lifecycle
from services.identity.store.logins import NewLogin, add_login, end_logins_of, finish_login
from services.identity.store.staff import StaffRow
from shared.bus.outbox import write_events
from shared.db import Database, Tx
from shared.errors import Conflict, NotFound
from shared.ids import RandomIds
from staffgate.contracts import identity as contract
from staffgate.contracts.identity import NoticeKind
from tests.service.identity.conftest import (
    FACTOR,
    ISSUER,
    NOTIFY,
    PASSWORD,
    SIGNING,
    Acme,
    Running,
    enrol_app,
    register,
    run_as_owner,
    sign_in,
)
from tests.service.identity.possessions import audited, finished
from tests.service.identity.post import next_link, notices, opened, own_reset_link
from tests.service.identity.states import ELSEWHERE, set_policy

WAIT = timedelta(hours=24)
ASKED = Asked(email="ray@elsewhere.example", reason="Lost phone and mailbox; passport seen.", operator="Han")


def settings_of(identity: Running) -> Settings:
    return Settings(
        database_url=identity.app_url,
        http_port=0,
        public_url=ISSUER,
        authz_url="http://127.0.0.1:9",
        signing_key=json.dumps(SIGNING),
        factor_key=json.dumps(FACTOR),
        code_key=base64.b64encode(bytes(32)).decode(),
        seal_key=json.dumps({name: value for name, value in NOTIFY.items() if name != "d"}),
    )


@pytest_asyncio.fixture
async def operator(acme: Acme) -> AsyncIterator[Recoveries]:
    """With the service's own settings, and its clock."""
    identity = acme.identity
    db = Database(
        identity.app_url, clock=identity.clock, ids=RandomIds(), write_events=write_events, committed=lambda: None
    )
    async with db.opened():
        yield recoveries(settings_of(identity), db)


async def told(identity: Running, kind: NoticeKind, count: int) -> set[str]:
    """The addresses to which that went."""

    def there() -> bool:
        return len(notices(identity, kind)) >= count

    async with asyncio.timeout(30):
        while not there():
            await asyncio.sleep(0.005)
    return {one.to for one in notices(identity, kind)}


async def owner_of(acme: Acme) -> Any:
    return (await run_as_owner(acme.identity, "SELECT * FROM staff WHERE id = $1", acme.owner_id))[0]


async def test_the_owner_gets_in_again_by_the_new_mailbox(acme: Acme, operator: Recoveries) -> None:
    identity, before = acme.identity, await owner_of(acme)
    laya = await sign_in(acme, "Laya", type="administrator")
    links = len(identity.heard.of(contract.LinkIssued))
    asked = await operator.ask(acme.org, acme.owner_id, ASKED, WAIT)
    assert asked.due_at == identity.clock.now() + WAIT
    assert await told(identity, NoticeKind.RECOVERY_ASKED, 2) == {"ray@acme.example", "Laya@acme.example"}
    assert {one.facts["hours"] for one in notices(identity, NoticeKind.RECOVERY_ASKED)} == {"24"}
    identity.clock.advance(hours=24, seconds=-1)
    assert await operator.sweep() == 0
    assert dict(await owner_of(acme)) == dict(before), "nothing has changed yet"
    identity.clock.advance(seconds=1)
    assert (await operator.sweep(), await operator.sweep()) == (1, 0)
    assert await told(identity, NoticeKind.OWNER_RECOVERED, 2) == {"ray@acme.example", "Laya@acme.example"}
    token = await next_link(identity, links)
    link = identity.heard.links(acme.owner_id)[-1]
    assert (link.purpose, opened(identity, link).to) == (contract.LinkPurpose.RESET, ASKED.email)
    done = await identity.post("/v1/password-resets/finish", {"token": token, "password": PASSWORD})
    assert done.status == 200, done.text
    _, tokens = await enrol_app(identity, done.json["login"])
    shown = await identity.ask("GET", "/v1/me", token=tokens["access_token"])
    assert (shown.json["type"], shown.json["email"]) == ("owner", ASKED.email)
    assert laya.app is not None
    shown = await finished(identity, laya.login, "totp", laya.app.at(identity.clock.now()))
    assert shown.status == 200, "nobody else's factors are touched"


async def test_it_is_written_down_as_the_operators_act(acme: Acme, operator: Recoveries) -> None:
    await operator.ask(acme.org, acme.owner_id, ASKED, WAIT)
    acme.identity.clock.advance(hours=24)
    await operator.sweep()
    detail = {"operator": "Han", "reason": ASKED.reason, "hours": 24}
    for event in ("org_owner_recovery_asked", "org_owner_recovered"):
        (entry,) = await audited(acme, event)
        assert (entry.get("actor"), entry["target"], entry["detail"]) == (None, str(acme.owner_id), detail)


async def test_nothing_that_was_there_lets_anybody_in(acme: Acme, operator: Recoveries) -> None:
    """Password, app, recovery codes, device, sessions, links: each of them might be with somebody else."""
    identity, login = acme.identity, f"{acme.number}\\Ray"
    laya = await sign_in(acme, "Laya", type="administrator")
    offered = await identity.post("/v1/organisation/transfer", {"to": str(laya.staff)}, token=acme.ray)
    assert offered.status == 201, offered.text
    old_link = await own_reset_link(identity, login)
    await operator.ask(acme.org, acme.owner_id, ASKED, timedelta(0))
    (entry,) = await audited(acme, "org_owner_recovery_asked")
    assert entry["detail"]["hours"] == 0, "that nobody waited is written down"
    assert await told(identity, NoticeKind.OWNER_RECOVERED, 2) == {"ray@acme.example", "Laya@acme.example"}
    assert (await identity.ask("GET", "/v1/me", token=acme.ray)).status == 401
    assert (await identity.post("/v1/login", {"login": login, "password": PASSWORD})).status == 401
    used = await identity.post("/v1/password-resets/finish", {"token": old_link, "password": PASSWORD})
    assert used.json["type"] == "urn:staffgate:problem:link_dead"
    ray = await owner_of(acme)
    assert (ray["password_hash"], ray["totp_sealed"], ray["email"], ray["email_confirmed_at"]) == (
        None, None, ASKED.email, None,
    )  # fmt: skip
    for table in ("device", "passkey", "recovery_code"):
        assert await run_as_owner(identity, f"SELECT FROM {table} WHERE staff = $1", acme.owner_id) == [], table
    assert await run_as_owner(identity, "SELECT FROM ownership_offer WHERE org = $1", acme.org) == []


async def test_an_owner_who_logs_in_has_lost_nothing_and_stops_it(acme: Acme, operator: Recoveries) -> None:
    identity, login = acme.identity, f"{acme.number}\\Ray"
    laya = await sign_in(acme, "Laya", type="administrator")
    await operator.ask(acme.org, acme.owner_id, ASKED, WAIT)
    identity.clock.advance(hours=1)
    assert laya.app is not None
    assert (await finished(identity, laya.login, "totp", laya.app.at(identity.clock.now()))).status == 200
    assert (await operator.look(acme.number)).waiting is not None, "another administrator does not"
    assert (await finished(identity, login, "totp", "000000")).status == 401
    assert (await operator.look(acme.number)).waiting is not None, "nor does who fails"
    assert (await finished(identity, login, "totp", acme.app.at(identity.clock.now()))).status == 200
    assert (await operator.look(acme.number)).waiting is None
    identity.clock.advance(hours=24)
    assert await operator.sweep() == 0
    assert (await owner_of(acme))["email"] == "ray@acme.example"
    (entry,) = await audited(acme, "org_owner_recovery_stopped")
    assert entry["actor"] == str(acme.owner_id)


async def test_the_operator_stops_it(acme: Acme, operator: Recoveries) -> None:
    await operator.ask(acme.org, acme.owner_id, ASKED, WAIT)
    with pytest.raises(Conflict, match="recovery_waits"):
        await operator.ask(
            acme.org, acme.owner_id, msgspec.structs.replace(ASKED, email="other@elsewhere.example"), timedelta(0)
        )
    await operator.stop(acme.org, "It was not Ray.", "Han")
    with pytest.raises(NotFound):
        await operator.stop(acme.org, "Again.", "Han")
    acme.identity.clock.advance(hours=25)
    assert await operator.sweep() == 0
    assert len(await audited(acme, "org_owner_recovery_asked")) == 1
    (entry,) = await audited(acme, "org_owner_recovery_stopped")
    assert entry["detail"] == {"operator": "Han", "reason": "It was not Ray."}


async def test_who_is_no_owner_any_more_is_left_alone(acme: Acme, operator: Recoveries) -> None:
    await operator.ask(acme.org, acme.owner_id, ASKED, WAIT)
    await run_as_owner(acme.identity, "UPDATE staff SET type = 'administrator' WHERE id = $1", acme.owner_id)
    acme.identity.clock.advance(hours=24)
    assert await operator.sweep() == 1
    ray = await owner_of(acme)
    assert ray["email"] == "ray@acme.example"
    assert ray["totp_sealed"]
    (entry,) = await audited(acme, "org_owner_recovery_stopped")
    assert entry["detail"] == {"reason": "not_owner"}


async def test_an_owner_whose_address_was_mistyped_gets_the_first_link(acme: Acme, operator: Recoveries) -> None:
    identity = acme.identity
    before = len(identity.heard.of(contract.LinkIssued))
    owner = {"name": "Han", "email": "typo@acme.example", "username": "Han"}
    answer = await identity.post("/v1/organisations", {"name": "Falcon Freight", "owner": owner})
    assert answer.status == 201, answer.text
    issued = await identity.told(contract.LinkIssued, before + 1)
    before = len(issued)
    await operator.ask(UUID(answer.json["organisation"]), issued[-1].staff, ASKED, timedelta(0))
    token = await next_link(identity, before)
    assert opened(identity, identity.heard.of(contract.LinkIssued)[-1]).to == ASKED.email
    assert (await identity.post("/v1/activations", {"token": token, "password": PASSWORD})).status == 200


async def test_of_many_replicas_one_carries_it_out(acme: Acme, operator: Recoveries) -> None:
    links = len(acme.identity.heard.links(acme.owner_id))
    await operator.ask(acme.org, acme.owner_id, ASKED, WAIT)
    acme.identity.clock.advance(hours=24)
    assert sum(await asyncio.gather(*(operator.sweep() for _ in range(4)))) == 1
    await told(acme.identity, NoticeKind.OWNER_RECOVERED, 1)
    assert len(acme.identity.heard.links(acme.owner_id)) == links + 1
    assert len(await audited(acme, "org_owner_recovered")) == 1


async def test_one_that_fails_keeps_no_other_back(
    acme: Acme, operator: Recoveries, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await register(acme.identity, "Other Crates")
    await operator.ask(acme.org, acme.owner_id, ASKED, WAIT)
    acme.identity.clock.advance(seconds=1)
    await operator.ask(other.org, other.owner_id, ASKED, WAIT)
    acme.identity.clock.advance(hours=24)
    real = Lifecycle.disarm

    async def failing(self: Lifecycle, tx: Tx, person: StaffRow) -> None:
        if person.org == acme.org:
            raise ValueError("ours")
        await real(self, tx, person)

    monkeypatch.setattr(Lifecycle, "disarm", failing)
    assert await operator.sweep() == 1
    assert (await owner_of(acme))["email"] == "ray@acme.example", "all of it or nothing"
    monkeypatch.undo()
    assert await operator.sweep() == 1, "tried again"


async def test_a_login_that_was_begun_before_comes_to_nothing(acme: Acme, operator: Recoveries) -> None:
    identity = acme.identity
    started = await identity.post("/v1/login", {"login": f"{acme.number}\\Ray", "password": PASSWORD})
    await operator.ask(acme.org, acme.owner_id, ASKED, timedelta(0))
    identity.clock.advance(seconds=30)
    finish = {"transaction": started.json["transaction"], "factor": "totp", "code": acme.app.at(identity.clock.now())}
    assert (await identity.post("/v1/login/finish", finish)).status == 401


async def test_a_login_that_was_ended_is_not_finished(acme: Acme, operator: Recoveries) -> None:
    """Its try was judged before, in a transaction of its own."""
    now = acme.identity.clock.now()
    new = NewLogin(id=uuid4(), staff=acme.owner_id, digest=uuid4().bytes, expires_at=now + WAIT)
    async with operator._db.begin(acme.org) as tx:
        await add_login(tx, acme.org, new, now)
        await end_logins_of(tx, acme.org, acme.owner_id, now)
        assert not await finish_login(tx, acme.org, new.id, now)


async def test_networks_that_somebody_has_set_do_not_shut_the_owner_out(acme: Acme, operator: Recoveries) -> None:
    identity = acme.identity
    before = len(identity.heard.of(contract.LinkIssued))
    await set_policy(acme, contract.SecurityPolicy(networks=[ELSEWHERE], lock=contract.LockRule(minutes=7)))
    await operator.ask(acme.org, acme.owner_id, ASKED, timedelta(0))
    token = await next_link(identity, before)
    done = await identity.post("/v1/password-resets/finish", {"token": token, "password": PASSWORD})
    assert done.status == 200, done.text
    await enrol_app(identity, done.json["login"])
    policy = (await operator.look(acme.number)).organisation.policy
    assert (policy.networks, policy.lock.minutes) == ([], 7), "the rest stays"
    (entry,) = await audited(acme, "org_security_changed")
    assert entry["detail"] == {"operator": "Han", "changed": [f"networks: {ELSEWHERE} -> none"]}
    assert entry.get("actor") is None


async def test_networks_that_nobody_has_set_are_not_written_down_as_changed(acme: Acme, operator: Recoveries) -> None:
    await operator.ask(acme.org, acme.owner_id, ASKED, timedelta(0))
    assert await audited(acme, "org_security_changed") == []


async def test_an_organisation_is_found_by_either_name_while_it_is_open(acme: Acme, operator: Recoveries) -> None:
    found = await operator.look(acme.number.lower())
    assert (found.organisation.org, found.person.id) == (acme.org, acme.owner_id)
    with pytest.raises(NotFound, match="not_found"):
        await operator.look("NoSuchCrates")
    await run_as_owner(acme.identity, "UPDATE organisation SET closed_at = now() WHERE org = $1", acme.org)
    with pytest.raises(NotFound, match="no_owner"):
        await operator.look(acme.number)


# --- the shell --------------------------------------------------------------------------------------------------


async def shell(
    identity: Running, monkeypatch: pytest.MonkeyPatch, *arguments: str, typed: str = ""
) -> int:  # fmt: skip
    def answered(_question: str) -> str:
        if not typed:
            raise EOFError
        return typed

    monkeypatch.setattr("builtins.input", answered)
    return await commands.do(["recover-owner", *arguments], settings_of(identity))


async def test_the_shell_shows_what_will_happen_and_asks(
    acme: Acme, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = (acme.number, "--email", ASKED.email, "--reason", ASKED.reason, "--by", "Han")
    for typed in ("", "yes"):
        assert await shell(acme.identity, monkeypatch, *asked, typed=typed) == 1
        out, err = capsys.readouterr()
        for part in ("ACME Crates", acme.number, "ray@acme.example", ASKED.email, "in 24 hours", ASKED.reason, "Han"):
            assert part in out, part
        assert "Nothing was done." in err
    assert await audited(acme, "org_owner_recovery_asked") == []
    assert await shell(acme.identity, monkeypatch, *asked, typed=acme.number) == 0
    assert "Written down" in capsys.readouterr().out
    assert await shell(acme.identity, monkeypatch, *asked, "--now", "--yes") == 1
    assert "waits already" in capsys.readouterr().err
    assert await shell(acme.identity, monkeypatch, acme.number, "--stop", *asked[3:]) == 0
    assert "Stopped" in capsys.readouterr().out
    assert await shell(acme.identity, monkeypatch, *asked, "--now", "--yes") == 0
    assert "on its way" in capsys.readouterr().out
    assert (await owner_of(acme))["email"] == ASKED.email


async def test_the_shell_recovers_whom_it_has_shown_and_nobody_else(
    acme: Acme, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The organisation changes hands while the operator reads."""
    laya, real = await sign_in(acme, "Laya", type="administrator"), Recoveries.look

    async def look(self: Recoveries, name: str) -> Any:
        seen = await real(self, name)
        set_type = "UPDATE staff SET type = $2 WHERE id = $1"
        await run_as_owner(acme.identity, set_type, acme.owner_id, "administrator")
        await run_as_owner(acme.identity, set_type, laya.staff, "owner")
        return seen

    monkeypatch.setattr(Recoveries, "look", look)
    asked = (acme.number, "--email", ASKED.email, "--reason", ASKED.reason, "--now", "--yes")
    assert await shell(acme.identity, monkeypatch, *asked) == 1
    assert "another owner" in capsys.readouterr().err
    assert (
        await run_as_owner(acme.identity, "SELECT FROM staff WHERE email = $1 AND org = $2", ASKED.email, acme.org)
        == []
    )


async def test_no_name_writes_on_the_operators_terminal(
    acme: Acme, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    renamed = "UPDATE staff SET name = $2 WHERE id = $1"
    await run_as_owner(acme.identity, renamed, acme.owner_id, "R\x9b2J\u202eay Zoë")
    asked = (acme.number, "--email", ASKED.email, "--reason", ASKED.reason)
    assert await shell(acme.identity, monkeypatch, *asked, typed="no") == 1
    assert "owner R\\u009b2J\\u202eay Zoë, ray@acme.example\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ("--email", "nobody", "--reason", "Lost phone."),
        ("--email", "ray@elsewhere.example\x1b", "--reason", "Lost phone."),
        ("--email", ASKED.email, "--reason", "two\nlines"),
        ("--email", ASKED.email, "--reason", " "),
        ("--email", ASKED.email, "--reason", "x" * 501),
        ("--email", ASKED.email, "--reason", "no \udcff Unicode"),
        ("--email", ASKED.email),
        ("--reason", "Lost phone."),
        ("--email", ASKED.email, "--stop", "--reason", "Lost phone."),
    ],
)
async def test_the_shell_takes_nothing_that_is_half_said(
    arguments: tuple[str, ...], identity: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit) as ended:
        await shell(identity, monkeypatch, "ORG-ANY", *arguments, "--yes")
    assert ended.value.code == 2


async def test_the_shell_says_that_there_is_no_such_organisation(
    identity: Running, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    why = ("--email", ASKED.email, "--reason", "Lost phone.", "--yes")
    assert await shell(identity, monkeypatch, "NoSuchCrates", *why) == 1
    assert "no organisation of that number" in capsys.readouterr().err
