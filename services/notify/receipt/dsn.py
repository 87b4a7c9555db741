"""Bounces and complaints as mail servers send them: a report (RFC 3464, in the multipart/report of RFC 6522), or what a
mailbox provider makes of its "this is spam" (RFC 5965).

Anybody can write to the address where bounces go, so what is read here is a stranger's. It is read in one pass, to a
depth of one and a bounded number of parts; whatever is not such a report of one of our own messages, by a name that only
whoever had the message can know, is None.
"""

from __future__ import annotations

import binascii
import quopri
import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Literal
from uuid import UUID

import msgspec

from services.notify.channels.tokens import Tokens

_MOST_PARTS = 10
_LARGEST_HEAD = 64 << 10  # of a part: what is after that is not looked at
_NAME = re.compile(rb"^([!-9;-~]{1,80}):[ \t]*(.*)$")
_MESSAGE_ID = re.compile(r"<([^<>@\s]{1,80})@[^<>@\s]{1,255}>")
_BOUNDARY = re.compile(r"""\bboundary\s*=\s*(?:"([^"]{1,200})"|([^\s;"]{1,200}))""", re.I)
_STATUS = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
# Class 5, and yet nothing about the address: the mailbox is full, the message is too large or not wanted, a rule forbids it.
_OF_THE_MESSAGE = re.compile(r"5\.(2\.[234]|3\.\d+|5\.\d+|6\.\d+|7\.\d+)")
# Who says that, in a feedback report: a person. (Others: `not-spam`, `auth-failure`, `virus`.)
_BY_A_PERSON = frozenset({"abuse", "fraud", "opt-out", "opt-out-list", "other"})
_REPORTS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_FEEDBACK = "message/feedback-report"
_RETURNED = frozenset(
    {"message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers", "message/rfc822-headers"}
)
# Of several recipients (an alias that was resolved) the worst counts.
_ACTIONS = {"delivered": 1, "delayed": 2, "failed": 3}

Fields = dict[str, str]
Word = Literal["delivered", "delayed", "bounced", "complained"]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What has become of which message. `answer` is what the other server said, not yet fit to be kept."""

    delivery: UUID
    word: Word
    permanent: bool = False
    answer: str = ""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    content: bytes


def read(content: bytes, tokens: Tokens) -> Report | None:
    fields, body = _split(content)
    if not _type(fields).startswith("multipart/"):
        return None
    parts = list(_parts(fields, body))
    ours = next(filter(None, (_message_id(part, tokens) for part in parts if part.type in _RETURNED)), None)
    for part in parts:
        if part.type in _REPORTS:
            return _delivery_report(ours, part, tokens)
        if part.type == _FEEDBACK and ours:
            return _feedback(ours, part)
    return None


def _delivery_report(ours: UUID | None, part: Part, tokens: Tokens) -> Report | None:
    """The first block is about the message, each of the others about one recipient. Where nothing of the message came
    back, the first says under which name it was handed over (RFC 3461's ENVID)."""
    blocks = [_fields(block) for block in re.split(rb"\n[ \t]*\n", part.content, maxsplit=_MOST_PARTS)]
    ours = ours or tokens.read(blocks[0].get("original-envelope-id", ""))
    if ours is None:
        return None
    named = [(_ACTIONS.get(_word(block, "action"), 0), block) for block in blocks]
    worst, block = max(named, key=lambda one: one[0], default=(0, {}))
    said = block.get("diagnostic-code", "")
    code = _code(block.get("status", ""), said)
    answer = f"{code} {said}".strip()
    if worst == 0:
        return None
    if worst < _ACTIONS["failed"]:
        return Report(delivery=ours, word="delivered" if worst == 1 else "delayed", answer=answer)
    permanent = code.startswith("5") and not _OF_THE_MESSAGE.fullmatch(code)
    return Report(delivery=ours, word="bounced", permanent=permanent, answer=answer)


def _code(status: str, said: str) -> str:
    """Some servers report `5.0.0` and leave what it was to what the other one said."""
    found = _STATUS.search(status)
    if found is None or found.group().endswith(".0.0"):
        exact = _STATUS.search(said)
        if exact is not None and (found is None or exact.group(1) == found.group(1)):
            found = exact
    return found.group() if found else ""


def _feedback(ours: UUID, part: Part) -> Report | None:
    kind = _word(_fields(part.content), "feedback-type")
    return Report(delivery=ours, word="complained", answer=kind) if kind in _BY_A_PERSON else None


def _message_id(part: Part, tokens: Tokens) -> UUID | None:
    """Of the message that came back, if it is one of ours: they are `<id.token@domain>`."""
    found = _MESSAGE_ID.search(_split(part.content)[0].get("message-id", ""))
    return tokens.read(found.group(1)) if found else None


# --- MIME, as much of it as a report needs ----------------------------------------------------------------------


def _parts(fields: Fields, body: bytes) -> Iterator[Part]:
    boundary = _BOUNDARY.search(fields.get("content-type", ""))
    if boundary is None:
        return
    line = b"--" + (boundary.group(1) or boundary.group(2)).encode(errors="replace")
    marks = re.split(rb"^" + re.escape(line) + rb"(?:--)?[ \t]*$\n?", body, maxsplit=_MOST_PARTS, flags=re.M)
    for raw in marks[1:]:
        head, content = _split(raw)
        yield Part(type=_type(head), content=_decoded(head, content))


def _split(content: bytes) -> tuple[Fields, bytes]:
    """Headers, and what comes after the first empty line; with line feeds alone."""
    content = content.replace(b"\r\n", b"\n")
    if content.startswith(b"\n"):
        return {}, content[1:]
    head, _, body = content.partition(b"\n\n")
    return _fields(head), body


def _fields(head: bytes) -> Fields:
    """By name in lower case, the first of each; lines that are continued are one."""
    unfolded = re.sub(rb"\n(?=[ \t])", b"", head[:_LARGEST_HEAD])
    fields: Fields = {}
    for line in unfolded.split(b"\n"):
        if found := _NAME.match(line):
            fields.setdefault(found.group(1).decode().lower(), found.group(2).decode(errors="replace").strip())
    return fields


def _type(fields: Fields) -> str:
    return fields.get("content-type", "text/plain").partition(";")[0].strip().lower()


def _word(fields: Fields, name: str) -> str:
    return fields.get(name, "").partition(";")[0].partition("(")[0].strip().lower()


def _decoded(fields: Fields, content: bytes) -> bytes:
    encoding = fields.get("content-transfer-encoding", "").strip().lower()
    try:
        if encoding == "base64":
            return b64decode(content)
        return quopri.decodestring(content) if encoding == "quoted-printable" else content
    except (binascii.Error, ValueError):
        return b""
