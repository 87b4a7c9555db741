"""If-Match: a change is made to what its caller saw, or not at all (RFC 9110, section 13.1.1)."""

from __future__ import annotations

from shared.errors import PreconditionFailed


def require_match(if_match: str | None, etag: str | None) -> None:
    """Without the header there is nothing to hold it to; `*` is whatever is there. A weak tag never matches."""
    if if_match is None or if_match.strip() == "*":
        return
    if etag not in [one.strip() for one in if_match.split(",")]:
        raise PreconditionFailed("changed_meanwhile", "It is not as you last saw it; look again.", etag=etag)
