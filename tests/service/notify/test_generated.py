"""Requests that a generator makes out of the OpenAPI document: no server error, no answer that the document does not
describe, nothing done for whoever did not say who they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from staffgate.contracts.caller import StaffType
from tests.service.identity.test_generated import EXAMPLES, generated
from tests.service.notify.conftest import RAY, Running, link_issued, until
from tests.service.notify.test_looking import ready


@pytest.mark.checklist("L01", "L02")
async def test_generated_requests_find_nothing(notify: Running, tmp_path: Path) -> None:
    await until(lambda: ready(notify))
    link = link_issued(notify.clock)
    await notify.publish(link)
    await notify.row(link.link, "sent")
    found = await generated(notify.url, notify.token(RAY, StaffType.OWNER, fresh=True), tmp_path, EXAMPLES)
    assert not found, found
