"""A request's line and headers as they came: for operations whose proof is a signature over the request itself."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """`target` is path and query as they were sent; the headers' names are in lower case."""

    target: str
    content_type: str
    headers: Mapping[str, str]
