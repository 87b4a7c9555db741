"""The chain of the audit log: each entry's hash binds its number, its words and everything before it.

Pure: the same entries always give the same verdict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

START = b""  # the hash before the first entry


@dataclass(frozen=True)
class Link:
    """An entry as it is stored."""

    number: int
    body: str
    hash: bytes


@dataclass(frozen=True)
class End:
    """How far a chain was followed: the number and hash of its last entry."""

    number: int = 0
    hash: bytes = START


@dataclass(frozen=True)
class Break:
    """The first entry that is not as it was written."""

    number: int
    why: str


def hash_of(before: bytes, number: int, body: str) -> bytes:
    """As store.audit.add_entry has PostgreSQL work it out."""
    return hashlib.sha256(before + number.to_bytes(8, "big", signed=True) + body.encode()).digest()


def follow(end: End, links: Iterable[Link]) -> End | Break:
    """On from where the last part ended."""
    for link in links:
        wanted = end.number + 1
        if link.number != wanted:
            return Break(wanted, "missing" if link.number > wanted else "out of order")
        if hash_of(end.hash, link.number, link.body) != link.hash:
            return Break(wanted, "changed")
        end = End(link.number, link.hash)
    return end


def close(end: End, head: End | None, last: int) -> Break | None:
    """Does the chain end where the organisation's head says? `last` is the greatest number that there is."""
    if head is None:
        return Break(end.number, "the head is missing")
    if end.number < head.number:
        return Break(end.number + 1, "missing at the end")
    if end != head:
        return Break(max(head.number, 1), "the head says otherwise")
    if last > head.number:
        return Break(head.number + 1, "behind the head")
    return None
