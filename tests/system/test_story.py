"""The story, over separate processes."""

from __future__ import annotations

from deploy.local.demo.story import Story


async def test_jane_gets_in_is_refused_is_put_out_and_let_in_again(story: Story) -> None:
    for title, chapter in story.chapters:
        print(title)
        await chapter()
