"""Who is put out is out: in all three services, within a second, whatever put them out."""

from __future__ import annotations

import pytest

from benchmarks.bench_revocation import ACTS, put_out
from deploy.local.demo.story import Story


@pytest.mark.checklist("G03")
@pytest.mark.parametrize("act", ACTS)
async def test_nothing_works_a_second_after_the_administrator_knows(story: Story, act: str) -> None:
    await story.register()
    for n in range(3):
        taken = await put_out(story, act, n)
        assert taken.after < 1, f"{act}: the token worked for {taken.after:.2f} s more"
