"""Looks for secrets wherever the suite leaves anything: rows, the database's own files, the broker's, logs, metrics.

A secret is looked for as it is, in base64 at each of its three places, as hexadecimal, and as URLs and e-mails write it.
Values that PostgreSQL compresses in its files are found in the rows.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import asyncpg

from deploy.local.databases import with_database
from deploy.local.keys import DATABASES
from tests.system.platform import Platform

_PRINTABLE = re.compile(rb"[\x20-\x7e\xa0-\xff]{6,}")


def forms(secret: str) -> set[bytes]:
    """Every spelling in which it may lie somewhere."""
    plain = secret.encode()
    digits = secret.isdigit()  # eight of them turn up within any id
    own = rb"(?<![\w.:+-])" + plain + rb"(?!\w)" if digits else re.escape(plain)
    spelt = {quote(secret, safe="").encode(), plain.replace(b"=", b"=3D").replace(b"+", b"=2B"), plain.hex().encode()}
    spelt |= {form for standard in _base64(plain) for form in (standard, standard.translate(_URL_SAFE))}
    return {own} | {re.escape(one) for one in spelt - {plain}}


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def _base64(plain: bytes) -> Iterator[bytes]:
    """The part that does not depend on what stands around it, wherever it begins."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + plain)
        known = (before + len(plain)) * 8 // 6
        yield encoded[(before * 8 + 5) // 6 : known]


def found(secrets: Iterable[str], places: Mapping[str, bytes]) -> dict[str, str]:
    """The places in which something lies, and one of the things."""
    looked_for = [(secret, form) for secret in secrets for form in forms(secret)]
    plain = [(secret, form, _literal(form)) for secret, form in looked_for]
    leaks = {}
    for place, content in places.items():
        for secret, form, literal in plain:
            if literal in content and re.search(form, content):
                leaks[place] = secret
    return leaks


def _literal(form: bytes) -> bytes:
    """What a form is without its borders: found a hundred times faster, and hardly ever there."""
    return re.sub(rb"\\(.)", rb"\1", form.removeprefix(rb"(?<![\w.:+-])").removesuffix(rb"(?!\w)"))


# --- where ----------------------------------------------------------------------------------------------------


async def everywhere(platform: Platform) -> dict[str, bytes]:
    places = dict(files(platform.folder, lambda path: path.suffix == ".log" and path.name != "mailbox.log"))
    places |= dict(files(platform.rabbitmq.folder, lambda _: True))
    for database in DATABASES:
        places |= await rows(platform, database)
    return places | await heaps(platform) | await metrics(platform)


def files(folder: Path, wanted: Any) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file() and wanted(path):
            yield str(path.relative_to(folder.parent)), b"\n".join(_PRINTABLE.findall(path.read_bytes()))


async def rows(platform: Platform, database: str) -> dict[str, bytes]:
    """Every table's rows as a dump would have them; bytes as text where they are text, and as hexadecimal."""
    connection = await asyncpg.connect(with_database(platform.postgres.url, database))
    try:
        names = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        contents = {}
        for (name,) in names:
            columns = await connection.fetch(f'SELECT * FROM "{name}"')
            contents[f"{database}.{name}"] = b"\n".join(_as_bytes(value) for row in columns for value in row)
        return contents
    finally:
        await connection.close()


def _as_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


async def heaps(platform: Platform) -> dict[str, bytes]:
    """The server's files by database, and what it logs ahead: rows that were changed or deleted lie there for long."""
    connection = await asyncpg.connect(platform.postgres.url)
    await connection.execute("CHECKPOINT")
    databases = await connection.fetch("SELECT oid::text, datname FROM pg_database")
    numbers = {row["oid"]: row["datname"] for row in databases}
    data = Path(await connection.fetchval("SHOW data_directory"))
    await connection.close()
    contents = {f"{numbers[name]}: {number}": content for name, number, content in _numbered(data, numbers)}
    return contents | dict(files(data / "pg_wal", lambda _: True))


def _numbered(data: Path, numbers: Mapping[str, str]) -> Iterator[tuple[str, str, bytes]]:
    for number, database in numbers.items():
        if database in DATABASES:
            for name, content in files(data / "base" / number, lambda _: True):
                yield number, name, content


async def metrics(platform: Platform) -> dict[str, bytes]:
    pages = {}
    async with aiohttp.ClientSession() as http:
        for name in platform.processes:
            if name != "mailbox":
                async with http.get(platform.urls[name] + "/metrics") as answer:
                    pages[f"metrics of {name}"] = await answer.read()
    return pages
