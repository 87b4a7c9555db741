"""A database of its own for each service, with two roles: one owns the tables and migrates, one only works in them."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

# Any number will do as long as nobody else uses it: it serialises provisioning across processes.
_LOCK = 7_382_101


@dataclass(frozen=True)
class Urls:
    owner: str
    app: str


async def provision(
    admin_url: str, service: str, *, database: str | None = None, owner_password: str, app_password: str
) -> Urls:
    """Make the database and both roles, or bring them to this state. Safe to repeat, and when two do it at once."""
    database = database or service
    owner, app = f"{service}_owner", service
    admin = await asyncpg.connect(admin_url, timeout=15)
    try:
        # Roles are the whole server's, so two runs for two databases still meet here. CREATE DATABASE cannot run
        # in a transaction; a session lock covers it.
        await admin.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await _ensure_role(admin, owner, owner_password)
        await _ensure_role(admin, app, app_password)
        await _ensure_database(admin, database, owner)
        await admin.execute(
            f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC;'
            f'GRANT CONNECT, TEMPORARY ON DATABASE "{database}" TO "{owner}";'
            f'GRANT CONNECT ON DATABASE "{database}" TO "{app}"'
        )
        await _close_public_schema(with_database(admin_url, database), owner)
    finally:
        await admin.close()  # gives the lock back too
    return Urls(
        owner=with_login(with_database(admin_url, database), owner, owner_password),
        app=with_login(with_database(admin_url, database), app, app_password),
    )


async def _ensure_role(admin: asyncpg.Connection, role: str, password: str) -> None:
    exists = await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
    verb = "ALTER" if exists else "CREATE"
    # A role's password cannot be a parameter; quote_literal is the server's own quoting.
    literal = await admin.fetchval("SELECT quote_literal($1::text)", password)
    # SUPERUSER, REPLICATION and BYPASSRLS are off for a new role; only a superuser may even name them here.
    limits = "LOGIN NOCREATEDB NOCREATEROLE" + (" NOSUPERUSER NOBYPASSRLS" if await _is_superuser(admin) else "")
    await admin.execute(f'{verb} ROLE "{role}" WITH {limits} PASSWORD {literal}')


async def _is_superuser(admin: asyncpg.Connection) -> bool:
    return bool(await admin.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"))


async def _ensure_database(admin: asyncpg.Connection, database: str, owner: str) -> None:
    if await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
        return
    if not await _is_superuser(admin):
        # On a managed server the admin is no superuser and may only give away what it could own itself.
        await admin.execute(f'GRANT "{owner}" TO CURRENT_USER')
    await admin.execute(f'CREATE DATABASE "{database}" OWNER "{owner}" ENCODING \'UTF8\' TEMPLATE template0')


async def _close_public_schema(url: str, owner: str) -> None:
    """PostgreSQL 14 and older let everyone create tables in `public`; what is there is still to be used."""
    inside = await asyncpg.connect(url, timeout=15)
    try:
        await inside.execute(
            f'REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT USAGE, CREATE ON SCHEMA public TO "{owner}"'
        )
    finally:
        await inside.close()


def with_database(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{quote(database)}"))


def with_login(url: str, user: str, password: str) -> str:
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user)}:{quote(password, safe='')}@{place}"))
