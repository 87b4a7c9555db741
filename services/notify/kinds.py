"""The kinds of messages: what they are called, what goes before what, and which of them somebody needs to get in."""

from __future__ import annotations

from staffgate.contracts.identity import LinkPurpose, NoticeKind

CODE = "code"
NOTICE = "notice."
_NO_WARNINGS = {NOTICE + NoticeKind.TEST, NOTICE + NoticeKind.IMPORT_FINISHED}
# Somebody sits and waits for a code; nobody for a link.
URGENT, NORMAL, LAST = 0, 10, 99


def notice_kind(template: str) -> str | None:
    """Of a notice's template, else None."""
    return template.removeprefix(NOTICE) if template.startswith(NOTICE) else None


def warns(template: str) -> bool:
    """It tells a person what happened to their account. Who did it may administer the organisation."""
    return template.startswith(NOTICE) and template not in _NO_WARNINGS


def is_security(template: str) -> bool:
    """Without it somebody can't get in, or is not warned: an administrator is told if it can't be delivered."""
    return template in (CODE, LinkPurpose.RESET, LinkPurpose.ACTIVATE) or warns(template)
