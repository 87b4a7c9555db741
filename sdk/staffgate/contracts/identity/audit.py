"""The audit log as those may see it who administer the organisation, and a person's own part of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

_Number = Annotated[int, Meta(ge=1, le=2**53)]
_Limit = Annotated[int, Meta(ge=1, le=500)]
_Word = Annotated[str, Meta(max_length=50, pattern="^[a-z_]+$")]
# With a zone, or it would be anybody's guess which day is meant.
Moment = Annotated[datetime, Meta(tz=True)]


class AuditFilter(msgspec.Struct, kw_only=True, rename={"since": "from", "until": "to"}):
    """`person` is who did it, or to whom it was done; `event` is a word of the log."""

    person: UUID | None = None
    event: _Word | None = None
    since: Moment | None = None
    until: Moment | None = None


class AuditQuery(AuditFilter, kw_only=True, rename={"since": "from", "until": "to"}):
    """`before` is the `next` of the page before."""

    before: _Number | None = None
    limit: _Limit = 100


class AuditEntry(msgspec.Struct, kw_only=True):
    """Who (`actor`), to whom (`target`), from where, with what result. `request` is the trace id in the services' logs."""

    number: int
    at: str
    event: str
    result: str
    actor: UUID | None = None
    target: UUID | None = None
    ip: str = ""
    agent: str = ""
    request: str = ""
    detail: dict[str, str | int | bool | list[str]] = {}


class AuditPage(msgspec.Struct, kw_only=True):
    """The newest first. `next` is where the following page begins, null on the last one."""

    entries: list[AuditEntry]
    next: int | None


class AuditAnchor(msgspec.Struct, kw_only=True):
    """An entry whose hash was written down earlier, outside this system: then even a log that was made anew is found out."""

    number: _Number | None = None
    hash: Annotated[str, Meta(min_length=64, max_length=64, pattern="^[0-9a-f]+$")] | None = None


class AuditVerdict(msgspec.Struct, kw_only=True):
    """`broken_at` is the first entry that is not as it was written, and `why` in what way. `entries` and `hash` are where
    the chain ends: an anchor to be kept."""

    sound: bool
    entries: int
    hash: str
    broken_at: int | None = None
    why: str | None = None


class ActivityQuery(msgspec.Struct, kw_only=True):
    """`before` is the `next` of the page before."""

    before: _Number | None = None
    limit: _Limit = 50


class Activity(msgspec.Struct, kw_only=True):
    """Something that happened to an account. `yours`: you did it; where from is told unless a colleague did it."""

    at: str
    event: str
    result: str
    yours: bool
    ip: str
    agent: str


class ActivityPage(msgspec.Struct, kw_only=True):
    """The newest first. `next` is where the following page begins, null on the last one."""

    activity: list[Activity]
    next: int | None
