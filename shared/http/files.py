"""Bodies that are files: one that is taken as it comes, and one that is sent while it is made."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import ClassVar

import msgspec
from aiohttp import hdrs, web

from shared.errors import Malformed


class Content(msgspec.Struct, frozen=True):
    """Which files an operation takes, and up to how many bytes: `content: Annotated[bytes, Content("text/csv", 5 << 20)]`."""

    type: str
    limit: int
    also: tuple[str, ...] = ()  # other types that will do

    @property
    def types(self) -> tuple[str, ...]:
        return self.type, *self.also


class Download(msgspec.Struct, frozen=True):
    """A file as an answer. Nothing holds all of it: a part is made when the one before has gone out."""

    content_type: ClassVar[str]

    name: str
    parts: AsyncIterator[bytes]


class Csv(Download, frozen=True):
    content_type: ClassVar[str] = "text/csv"


class JsonLines(Download, frozen=True):
    """A JSON document a line."""

    content_type: ClassVar[str] = "application/jsonl"


async def received(request: web.Request, wanted: Content) -> bytes:
    if request.content_type not in wanted.types:
        raise Malformed("wrong_content_type", f"Send the file as Content-Type: {' or '.join(wanted.types)}.")
    try:
        return await request.clone(client_max_size=wanted.limit).read()
    except web.RequestPayloadError as fault:
        raise Malformed("malformed_body", "The body is not encoded as its Content-Encoding says.") from fault


def sent(download: Download) -> web.Response:
    headers = {hdrs.CONTENT_DISPOSITION: f'attachment; filename="{download.name}"'}
    response = web.Response(body=download.parts, headers=headers)
    response.content_type, response.charset = download.content_type, "utf-8"
    return response
