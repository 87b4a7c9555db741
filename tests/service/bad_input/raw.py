"""Bytes that no decent client sends, over a bare connection."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from yarl import URL

# What may stand in a header's value for all that HTTP's grammar minds, and some that may not.
VALUES = {
    "no UTF-8": b"\xff\xfe",
    "Latin-1": "Jos\u00e9".encode("latin-1"),
    "UTF-8": "José 📦".encode(),
    "a NUL": b"a\0b",
    "a bare CR": b"a\rX-Injected: 1",
    "a folded line": b"a\r\n b",
    "too long": b"a" * 9000,
    "nothing": b"",
}
HEADERS = ("User-Agent", "X-Request-ID", "traceparent", "Authorization", "Content-Type", "Accept", "Host", "Cookie")


async def answer(url: str, method: str, path: str, headers: Mapping[str, bytes], content: bytes) -> tuple[int, bytes]:
    """The status and the whole answer; 0 where the connection was dropped without a word."""
    place = URL(url)
    reader, writer = await asyncio.open_connection(place.host, place.port)
    whole = {"Host": b"identity.test", "Content-Length": str(len(content)).encode(), "Connection": b"close"} | dict(
        headers
    )
    lines = [f"{method} {path} HTTP/1.1".encode(), *(name.encode() + b": " + value for name, value in whole.items())]
    writer.write(b"\r\n".join(lines) + b"\r\n\r\n" + content)
    try:
        said = await asyncio.wait_for(reader.read(), 30)
    finally:
        writer.close()
    return (int(said.split(b" ", 2)[1]) if said.startswith(b"HTTP/") else 0), said
