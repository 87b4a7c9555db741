"""An SMS with a code: one message, whatever the organisation is called and whatever the language."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from services.notify.channels import gsm7

# Of the organisation's name: whose code it is matters more than what is said after it. A letter of Chinese is a word.
_SHORTEST_NAME, _SHORTEST_NAME_IN_OTHERS = 10, 5


def fitted(said: Callable[[str], str], organisation: str, endings: Sequence[str]) -> str:
    """What is said with this name, and the first of the endings that leaves room for enough of the name.

    A letter that the GSM alphabet lacks would leave the whole message less than half of the room: where only the name has
    one it goes without its marks.
    """
    name = gsm7.simplified(organisation) if gsm7.is_gsm(said("")) else organisation
    for ending in endings:
        bare = said("") + ending
        room = gsm7.room(bare + name) - gsm7.places(bare)
        shortest = _SHORTEST_NAME if gsm7.is_gsm(name) else _SHORTEST_NAME_IN_OTHERS
        if room >= min(shortest, gsm7.places(name)):
            break
    return _tidy(said(gsm7.cut(name, max(room, 0)))) + ending


def _tidy(text: str) -> str:
    """Without the gap of a name that there was no room for."""
    return " ".join(text.split())
