"""Who an SMS is from: a number, or up to eleven letters."""

from __future__ import annotations


def is_name(sender: str) -> bool:
    return any(character.isalpha() for character in sender)


def bare(sender: str) -> str:
    """A number without the spaces that it may be written with; a name as it is."""
    return sender if is_name(sender) else sender.replace(" ", "")
