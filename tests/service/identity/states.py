"""Everything that can stand against a login, each with somebody whom it concerns and who types the right password."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from uuid import UUID

import aiohttp
import msgspec

from staffgate.contracts import identity as contract
from tests.service.identity.conftest import PASSWORD, Acme, Running, register, run_as_owner

ELSEWHERE = "192.0.2.0/24"  # where no test comes from


@dataclass(frozen=True)
class State:
    """What is typed, and the reason that the audit log gives, in whose chain."""

    login: str
    reason: str
    org: UUID
    password: str = PASSWORD
    staff: UUID | None = None


NOBODYS = UUID(int=0)


async def refused_states(acme: Acme) -> dict[str, State]:
    """By name. Jane is there in all of them; the passwords are right but where the state is about the password."""
    identity, owner = acme.identity, acme.identity
    people = {}
    for name in ("active", "suspended", "locked", "no_portal"):
        staff = await acme.add(f"Jane-{name}")
        people[name] = (staff, await acme.activate(staff))
    invited = await acme.add("Jane-invited")
    other, closed = await register(identity, "Elsewhere Crates"), await register(identity, "Closed Crates")
    outside, gone = await other.add("Jane"), await closed.add("Jane")
    outside_login, gone_login = await other.activate(outside), await closed.activate(gone)
    await run_as_owner(owner, "UPDATE staff SET status = 'suspended' WHERE id = $1", people["suspended"][0])
    now = identity.clock.now()
    await run_as_owner(owner, "UPDATE staff SET locked_at = $2 WHERE id = $1", people["locked"][0], now)
    await run_as_owner(owner, "UPDATE staff SET portal = false WHERE id = $1", people["no_portal"][0])
    await run_as_owner(owner, "UPDATE organisation SET closed_at = $2 WHERE org = $1", closed.org, now)
    await set_policy(other, contract.SecurityPolicy(networks=[ELSEWHERE]))
    login = people["active"][1]
    own = {"org": acme.org, "staff": people["active"][0]}
    return {
        "unknown organisation": State(f"No{acme.number[4:]}\\Jane", "unknown_organisation", NOBODYS),
        "unknown account": State(f"{acme.number}\\Nobody", "unknown_account", acme.org),
        "wrong password": State(login, "password", password="another password", **own),
        "not activated": State(f"{acme.number}\\Jane-invited", "invited", acme.org, staff=invited),
        "suspended": State(people["suspended"][1], "suspended", acme.org, staff=people["suspended"][0]),
        "locked": State(people["locked"][1], "locked", acme.org, staff=people["locked"][0]),
        "no portal": State(people["no_portal"][1], "no_portal", acme.org, staff=people["no_portal"][0]),
        "network refused": State(outside_login, "network", other.org, staff=outside),
        "closed": State(gone_login, "closed", closed.org, staff=None),
        "empty password": State(login, "password", password="", **own),
        "over-long password": State(login, "password", password="x" * 4096, **own),
        "strange Unicode": State(login, "password", password="\uffff\u0301\U0010ffff" + PASSWORD, **own),
        "NUL in the password": State(login, "password", password="\0" + PASSWORD, **own),
        "NUL in the name": State(f"{acme.number}\\Ja\0ne", "unknown_organisation", NOBODYS),
        "no separator": State("Jane", "unknown_organisation", NOBODYS),
    }


async def set_policy(acme: Acme, policy: contract.SecurityPolicy) -> None:
    """What the organisation wants, without the operation that sets it."""
    text = msgspec.json.encode(policy).decode()
    await run_as_owner(acme.identity, "UPDATE organisation SET security = $2::jsonb WHERE org = $1", acme.org, text)


@asynccontextmanager
async def coming_from(identity: Running, ip: str) -> AsyncIterator[Running]:
    """The same, asked from another address of this machine (all of 127.0.0.0/8 is)."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=(ip, 0))) as session:
        yield replace(identity, session=session)
