"""What happened to accounts and settings: who, to whom, from where, with what result; written with the change itself.

The events' words are OWASP's (Logging Vocabulary Cheat Sheet). A password, a code or a token never comes here, and of a
name that was typed at login only that it was typed.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from uuid import UUID

import msgspec

from services.identity.store import audit as store
from shared import trace
from shared.db import Tx
from staffgate.contracts.caller import Enrolling, Person


class Act(StrEnum):
    """What can stand in the log. `authn` is about getting in, `user` and `org` about what is administered."""

    LOGIN = "authn_login_success"
    LOGIN_AFTER_FAILURES = "authn_login_successafterfail"
    LOGIN_FAILED = "authn_login_fail"
    FACTOR_FAILED = "authn_factor_fail"
    LOCKED = "authn_login_lock"
    UNLOCKED = "authn_login_unlock"
    STEPPED_UP = "authn_step_up"
    TOKEN_REUSED = "authn_token_reuse"  # noqa: S105 - a word of the log
    LOGGED_OUT = "session_ended"
    SESSIONS_ENDED = "sessions_ended_by_admin"
    PASSWORD_SET = "authn_password_set"  # noqa: S105 - a word of the log
    PASSWORD_CHANGED = "authn_password_change"  # noqa: S105 - a word of the log
    PASSWORD_CHANGE_FAILED = "authn_password_change_fail"  # noqa: S105 - a word of the log
    RESET_ASKED = "authn_password_reset_asked"
    FACTOR_ADDED = "authn_factor_added"
    FACTOR_RENAMED = "authn_factor_renamed"
    FACTOR_REMOVED = "authn_factor_removed"
    FACTORS_RESET = "authn_factors_reset"
    PASSKEY_COPIED = "authn_passkey_copied"
    RECOVERY_CODES_MADE = "authn_recovery_codes_made"
    RECOVERY_CODE_USED = "authn_recovery_code_used"
    USER_CREATED = "user_created"
    USER_UPDATED = "user_updated"
    USER_ACTIVATED = "user_activated"
    USER_SUSPENDED = "user_suspended"
    USER_REACTIVATED = "user_reactivated"
    USER_DELETED = "user_deleted"
    USER_ERASED = "user_erased"
    USER_UNREACHABLE = "user_unreachable"
    USER_REACHABLE = "user_reachable"
    ACTIVATION_SENT = "user_activation_sent"
    EMAIL_CHANGED = "user_email_changed"
    MOBILE_CHANGED = "user_mobile_changed"
    WEBLINK_CHANGED = "user_weblink_changed"
    AVAILABILITY_SET = "user_availability_set"
    USERS_IMPORTED = "users_imported"
    USERS_EXPORTED = "users_exported"
    ORG_REGISTERED = "org_registered"
    ORG_NAMED = "org_named"
    ORG_CLOSED = "org_closed"
    SECURITY_CHANGED = "org_security_changed"
    OWNERSHIP_OFFERED = "org_ownership_offered"
    OWNERSHIP_WITHDRAWN = "org_ownership_withdrawn"
    OWNERSHIP_DECLINED = "org_ownership_declined"
    OWNERSHIP_TRANSFERRED = "org_ownership_transferred"
    RECOVERY_ASKED = "org_owner_recovery_asked"
    RECOVERY_STOPPED = "org_owner_recovery_stopped"
    OWNER_RECOVERED = "org_owner_recovered"
    NUMBERS_CHANGED = "org_numbers_changed"
    BLOCKLIST_CHANGED = "org_blocklist_changed"
    SUPPRESSION_CHANGED = "org_suppression_changed"
    MESSAGE_DROPPED = "org_message_dropped"
    AUDIT_EXPORTED = "audit_exported"
    KEY_ROTATED = "sys_key_rotated"


Detail = dict[str, str | int | bool | list[str]]


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One entry's body. `request` is the trace id under which the log of the services has it."""

    event: str
    at: str
    result: str
    actor: UUID | None = None
    target: UUID | None = None
    ip: str = ""
    agent: str = ""
    request: str = ""
    detail: Detail = {}


_encode = msgspec.json.Encoder().encode


def note(
    tx: Tx, org: UUID, act: Act, *, by: Person | Enrolling | UUID | None = None, about: UUID | None = None,
    ok: bool = True, **detail: str | int | bool | list[str],
) -> None:  # fmt: skip
    """Make the entry part of this transaction. `by` is nobody where nobody is known to have done it."""
    body = _written(tx, act, by, about, ok, detail)
    tx.at_the_end(lambda: store.add_entry(tx, org, body))


def note_each(
    tx: Tx, org: UUID, act: Act, people: Sequence[UUID], *, by: UUID, **detail: str | int | bool | list[str]
) -> None:  # fmt: skip
    """The same of many people, an entry for each."""
    bodies = [_written(tx, act, by, one, True, detail) for one in people]
    tx.at_the_end(lambda: store.add_entries(tx, org, bodies))


def _written(
    tx: Tx, act: Act, by: Person | Enrolling | UUID | None, about: UUID | None, ok: bool, detail: Detail
) -> str:  # fmt: skip
    source = trace.source()
    entry = Entry(
        event=act,
        at=store.written(tx.database.clock.now()),
        result="success" if ok else "failure",
        actor=by.staff if isinstance(by, Person | Enrolling) else by,
        target=about,
        ip=source.ip,
        agent=source.agent.replace("\0", "\ufffd"),
        request=trace.trace_id(),
        detail=detail,
    )
    return _encode(entry).decode()
