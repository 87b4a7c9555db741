"""The second wall: what PostgreSQL itself refuses, whatever a query of ours forgets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from tests.service.authz.conftest import Authz, Organisation, registered
from tests.service.authz.office import Office, change, on

TENANT_TABLES = (
    "organisation_revision", "subject", "item", "permission_grant", "contract", "tenant", "tenant_member", "team",
    "team_member", "role", "staff_group", "group_member", "assignment", "product_access", "subscriber_link",
    "audit_entry", "recent_change",
)  # fmt: skip


@pytest_asyncio.fixture
async def as_authz(authz: Authz) -> AsyncIterator[Any]:
    """A connection as the service's own role."""
    connection = await asyncpg.connect(authz.database.app)
    yield connection
    await connection.close()


async def filled(acme: Organisation) -> Organisation:
    """With a row in every table."""
    await acme.register("inbox:sales")
    jane, office = await acme.add(), Office(acme)
    group = (await office.one("add_group", name="Support"))["id"]
    await office.made(
        change("set_grant", staff=jane, target=on("sms"), level="use"),
        change("add_contract", key="7", label="Agreement 7", products=["telephony"]),
        change("set_access", staff=jane, contract="7", product="telephony", level="user"),
        change("add_tenant", key="acme", label="Acme"),
        change("add_tenant_members", tenant="acme", staff=[jane]),
        change("create_role", name="Sender", data_access="team"),
        change("assign_role", staff=jane, role="agent"),
        change("add_group_members", group=group, staff=[jane]),
        change("link_subscriber", staff=jane, subscriber="101"),
    )
    return acme


async def test_a_query_that_forgets_the_organisation_sees_one_organisation_only(
    acme: Organisation, as_authz: Any
) -> None:
    await filled(acme)
    await filled(await registered(acme.authz, "Other Crates"))
    for table in TENANT_TABLES:
        async with as_authz.transaction():
            await as_authz.execute(f"SET LOCAL app.org = '{acme.org}'")
            orgs = {row["org"] for row in await as_authz.fetch(f"SELECT org FROM {table}")}
        assert orgs == {acme.org}, table


async def test_without_an_organisation_there_are_no_rows(acme: Organisation, as_authz: Any) -> None:
    await filled(acme)
    for table in TENANT_TABLES:
        assert await as_authz.fetchval(f"SELECT count(*) FROM {table}") == 0, table


async def test_a_row_can_not_be_written_into_another_organisation(acme: Organisation, as_authz: Any) -> None:
    await filled(acme)
    other = await registered(acme.authz, "Other Crates")
    for table in TENANT_TABLES:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with as_authz.transaction():
                await as_authz.execute(f"SET LOCAL app.org = '{acme.org}'")
                await as_authz.execute(f"UPDATE {table} SET org = $1", other.org)


async def test_the_service_can_neither_step_round_the_wall_nor_move_a_person(authz: Authz, as_authz: Any) -> None:
    role = await as_authz.fetchrow("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
    owned = await as_authz.fetchval("SELECT count(*) FROM pg_tables WHERE tableowner = current_user")
    walled = await as_authz.fetchval(
        "SELECT count(*) FROM pg_class WHERE relname = ANY($1) AND relrowsecurity", list(TENANT_TABLES)
    )
    assert (role["rolsuper"], role["rolbypassrls"], owned, walled) == (False, False, 0, len(TENANT_TABLES))
    for statement in (
        "ALTER TABLE subject DISABLE ROW LEVEL SECURITY",
        "DELETE FROM subject_organisation",
        "UPDATE subject_organisation SET org = gen_random_uuid()",
        "DELETE FROM subject",
        "DELETE FROM organisation_revision",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await as_authz.execute(statement)


async def test_every_table_with_an_organisation_has_the_wall(authz: Authz, as_authz: Any) -> None:
    bare = await as_authz.fetch(
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org'"
        " WHERE c.relkind = 'r' AND NOT c.relrowsecurity AND c.relnamespace = 'public'::regnamespace"
    )
    assert {row["relname"] for row in bare} == {"subject_organisation"}, "looked up before the organisation is known"
