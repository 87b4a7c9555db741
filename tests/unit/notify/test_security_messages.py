"""Which messages have to arrive: of those that can't be delivered somebody is told."""

from __future__ import annotations

import pytest

from services.notify.kinds import CODE, is_security
from staffgate.contracts.identity import LinkPurpose, NoticeKind


@pytest.mark.checklist("M11")
@pytest.mark.parametrize("kind", NoticeKind)
def test_what_warns_a_person_has_to_arrive(kind: NoticeKind) -> None:
    assert is_security(f"notice.{kind}") == (kind not in (NoticeKind.TEST, NoticeKind.IMPORT_FINISHED))


@pytest.mark.parametrize(
    ("template", "has_to"),
    [(CODE, True), (LinkPurpose.RESET, True), (LinkPurpose.ACTIVATE, True), ("something.else", False)],
)
def test_what_somebody_gets_in_with_has_to_arrive(template: str, has_to: bool) -> None:
    assert is_security(template) == has_to
