"""Staff accounts from a file, and into one."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from staffgate.contracts.identity.names import END

# In a file every account has these, in any order; `type`, `name` and `email` have to be there.
COLUMNS = (
    "type",
    "name",
    "email",
    "username",
    "extension",
    "mobile",
    "locale",
    "default_level",
    "route_anywhere",
    "portal",
    "role",
    "team",
)
# What ErrorDetail.csv has besides; a file that is sent again may still have them.
FAULT_COLUMNS = ("row", "column", "code", "text")

ImportKey = Annotated[str, Meta(pattern=r"^[!-~]{1,255}" + END, description="Up to 255 visible ASCII characters")]


class ImportMode(StrEnum):
    """Nobody is added unless every row is good; or the good rows are, and the others are told."""

    ALL = "all"
    GOOD = "good"


class ImportState(StrEnum):
    """waiting -> running -> finished. refused and failed are ends too; `reason` says why."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"
    REFUSED = "refused"
    FAILED = "failed"


class ImportAsked(msgspec.Struct, kw_only=True):
    """`key` stands for the header Idempotency-Key where that can't be sent. `activate` sends everybody their link."""

    mode: Literal["all", "good"]
    key: ImportKey | None = None
    activate: bool = False


class Import(msgspec.Struct, kw_only=True):
    """How far it is: `done` of `rows` in this phase. What is wrong with the `bad` ones is in ErrorDetail.csv."""

    id: UUID
    by: UUID
    mode: ImportMode
    activate: bool
    state: ImportState
    phase: Literal["validate", "create"]
    reason: str | None
    rows: int
    done: int
    good: int
    bad: int
    created: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class ImportList(msgspec.Struct, kw_only=True):
    imports: list[Import]


class ErrorsAsked(msgspec.Struct, kw_only=True):
    """`left` is every row that made nobody, the good ones of a file of which nothing was taken too."""

    rows: Literal["bad", "left"] = "bad"
