"""The second wall: what PostgreSQL itself refuses, whatever a query of ours forgets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from staffgate.contracts import identity as contract
from tests.service.identity.conftest import Acme, Running, register

TENANT_TABLES = (
    "organisation",
    "staff",
    "link",
    "login",
    "code",
    "session",
    "refresh_token",
    "staff_import",
    "staff_import_row",
    "reply",
    "ownership_offer",
    "allowed_number",
    "blocked_visitor",
    "password_failure",
    "owner_recovery",
)

# By registering an organisation and letting its owner in.
FILLED = ("organisation", "staff", "link", "login", "code", "session", "refresh_token", "recovery_code")


@pytest_asyncio.fixture
async def as_identity(identity: Running) -> AsyncIterator[Any]:
    """A connection as the service's own role."""
    connection = await asyncpg.connect(identity.app_url)
    yield connection
    await connection.close()


async def test_a_query_that_forgets_the_organisation_sees_one_organisation_only(acme: Acme, as_identity: Any) -> None:
    await register(acme.identity, "Other Crates")
    for table in TENANT_TABLES:
        async with as_identity.transaction():
            await as_identity.execute(f"SET LOCAL app.org = '{acme.org}'")
            orgs = {row["org"] for row in await as_identity.fetch(f"SELECT org FROM {table}")}
        assert orgs <= {acme.org}, table
        assert orgs or table not in FILLED, table


async def test_without_an_organisation_there_are_no_rows(acme: Acme, as_identity: Any) -> None:
    for table in TENANT_TABLES:
        assert await as_identity.fetchval(f"SELECT count(*) FROM {table}") == 0, table


async def test_a_row_can_not_be_written_into_another_organisation(acme: Acme, as_identity: Any) -> None:
    other = await register(acme.identity, "Other Crates")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with as_identity.transaction():
            await as_identity.execute(f"SET LOCAL app.org = '{acme.org}'")
            await as_identity.execute("UPDATE staff SET org = $1", other.org)


async def test_the_service_can_neither_step_round_the_wall_nor_take_a_name_back(as_identity: Any) -> None:
    role = await as_identity.fetchrow("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
    owned = await as_identity.fetchval("SELECT count(*) FROM pg_tables WHERE tableowner = current_user")
    walled = await as_identity.fetchval(
        "SELECT count(*) FROM pg_class WHERE relname = ANY($1) AND relrowsecurity", list(TENANT_TABLES)
    )
    assert (role["rolsuper"], role["rolbypassrls"], owned, walled) == (False, False, 0, len(TENANT_TABLES))
    for statement in (
        "ALTER TABLE staff DISABLE ROW LEVEL SECURITY",
        "DELETE FROM organisation_name",
        "UPDATE organisation_name SET org = gen_random_uuid()",
        "DELETE FROM staff",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await as_identity.execute(statement)


async def test_every_table_with_an_organisation_has_the_wall(identity: Running, as_identity: Any) -> None:
    bare = await as_identity.fetch(
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org'"
        " WHERE c.relkind = 'r' AND NOT c.relrowsecurity AND c.relnamespace = 'public'::regnamespace"
    )
    assert {row["relname"] for row in bare} == {"organisation_name"}, "looked up before the organisation is known"


async def test_nobody_reaches_into_another_organisation(acme: Acme) -> None:
    """Every operation that names a person answers for a stranger's as for one that does not exist."""
    identity = acme.identity
    other = await register(identity, "Other Crates")
    stranger = await other.add("Luke")
    nobody = "00000000-0000-7000-8000-000000000000"
    await identity.told(contract.StaffAdded, 3)
    before = len(identity.heard.events)
    for method, path in (
        ("GET", "/v1/staff/{}"),
        ("POST", "/v1/staff/{}/activation-email"),
        ("POST", "/v1/staff/{}/suspend"),
        ("POST", "/v1/staff/{}/reactivate"),
    ):
        foreign = await identity.ask(method, path.format(stranger), token=acme.ray)
        missing = await identity.ask(method, path.format(nobody), token=acme.ray)
        assert (foreign.status, foreign.text.replace(str(stranger), "")) == (404, missing.text.replace(nobody, ""))
    assert len(identity.heard.events) == before
