"""A suite of its own: here things get killed."""

from tests.system.conftest import platform, story

__all__ = ["platform", "story"]
