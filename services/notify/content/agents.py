"""Which program it was, in a person's words. What a program says of itself anybody can write, so it is never shown."""

from __future__ import annotations

# The first that is found: most of them claim to be some of those below, too.
_PROGRAMS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def program(agent: str) -> str:
    """Empty where it is none that is known."""
    return _named(agent, _PROGRAMS)


def system(agent: str) -> str:
    """What it runs on; empty where that is nothing known."""
    return _named(agent, _SYSTEMS)


def _named(agent: str, signs: tuple[tuple[str, str], ...]) -> str:
    return next((name for sign, name in signs if sign in agent), "")
