"""Asked twice with one Idempotency-Key, done once: the second time the first answer is given again.

(draft-ietf-httpapi-idempotency-key-header.) Only what was done is kept: a request that was refused has changed nothing,
so the next one with its key is a first one.
"""

from __future__ import annotations

import hashlib
from typing import Protocol

import msgspec
from aiohttp import hdrs, web

from shared.errors import Malformed
from staffgate.contracts.caller import Caller

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
_LONGEST = 255


class Reply(msgspec.Struct, frozen=True):
    status: int
    content_type: str
    body: bytes


class Replies(Protocol):
    """What was answered. Keys belong to their caller."""

    async def begin(self, caller: Caller, key: str, digest: bytes) -> Reply | None:
        """The answer of before; None for the one who is to do it now. Raises Conflict while another does it, and Invalid
        where the key was used for something else."""
        ...

    async def keep(self, caller: Caller, key: str, reply: Reply) -> None: ...

    async def forget(self, caller: Caller, key: str) -> None: ...


def key_of(request: web.Request) -> str | None:
    key = request.headers.get(HEADER)
    if key is not None and (not key.isascii() or not key.isprintable() or not 0 < len(key) <= _LONGEST):
        raise Malformed("wrong_idempotency_key", f"An {HEADER} has 1 to {_LONGEST} visible ASCII characters.")
    return key


def digest_of(request: web.Request, body: bytes) -> bytes:
    """Of all that the answer depends on."""
    parts = (request.method.encode(), request.path_qs.encode(), request.headers.get(hdrs.IF_MATCH, "").encode(), body)
    return hashlib.sha256(b"\0".join(parts)).digest()


def kept(response: web.Response) -> Reply:
    body = response.body if isinstance(response.body, bytes) else b""
    return Reply(response.status, response.content_type if body else "", body)


def again(reply: Reply) -> web.Response:
    headers = {REPLAYED: "true"} | ({hdrs.CONTENT_TYPE: reply.content_type} if reply.content_type else {})
    return web.Response(status=reply.status, body=reply.body or None, headers=headers)
