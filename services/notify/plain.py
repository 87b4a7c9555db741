"""Somebody's free text as nothing but text: one line, not too long, and no mail program makes a link of it."""

from __future__ import annotations

import re
import unicodedata

_LONGEST_NAME = 80
# What a mail program would make a link of: `:/`, an @ or a dot between letters in any script's spelling, `tel:` and the
# like before what they lead to, and two slashes or backslashes, which lead to a share.
_SCHEME = re.compile(r"[:：]\s*/[\s/]*")
# Before it may stand anything but a space: the vowel signs of many scripts are no letters, and neither are emoji.
_JOINT = re.compile(r"(?<=\S)([.。．｡․@＠])(?=\w)")
_PREFIX = re.compile(r"(?<=[^\W\d_]):(?=[\w+])")
_SHARE = re.compile(r"([/\\])[/\\\s]*[/\\]")

_LINKED = re.compile(r"[.。．｡․@＠:：/]")
_NO_WIDTH = "\N{ZERO WIDTH SPACE}"


def plain(text: str) -> str:
    # NFKC first: an SMS is simplified later, and a small full stop must not become a real one after it was looked for.
    text = one_line(unicodedata.normalize("NFKC", text))
    text = _SHARE.sub(r"\1", _PREFIX.sub(": ", _JOINT.sub(r"\1 ", _SCHEME.sub(": ", text)))).strip()
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1].rstrip() + "…"


def unlinked(login: str) -> str:
    """What somebody types at login, the same to the eye. A space would be typed too, so it is a space without width: on both
    sides, since some look for `www.` and others for `.com`. Copied along, it is passed over when somebody logs in."""
    return _LINKED.sub(f"{_NO_WIDTH}\\g<0>{_NO_WIDTH}", one_line(login))


def one_line(text: str) -> str:
    """What is not printable is gone: line ends, and what turns the direction of the letters after it."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())
