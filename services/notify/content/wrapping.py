"""Lines of a length that is read at ease, for those who read an e-mail's text part as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator

_WIDEST = 76  # columns
# Letters of Chinese, Japanese and Korean take two columns, and a line may end after any of them: not before what closes,
# not after what opens.
_WIDE = "\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6\U0001f300-\U0001faff\U00020000-\U0003fffd"
_OPENING, _CLOSING = "「『（《〈【", "，。、：；！？」』）》〉】…"
_wide = re.compile(f"[{_WIDE}]")
_piece = re.compile(r"[^ ]+ *")  # a no-break space holds together
_within = re.compile(f"(?<=[{_WIDE}])(?<![{_OPENING}])(?=[^ {_CLOSING}])")


def wrapped(text: str) -> str:
    """Links and codes stay in one piece, however long."""
    return "\n".join("\n".join(_lines(line)) if width(line) > _WIDEST else line for line in text.split("\n"))


def width(text: str) -> int:
    """In columns."""
    return len(text) if text.isascii() else len(text) + len(_wide.findall(text))


def _lines(line: str) -> Iterator[str]:
    so_far, columns = "", 0
    for piece in _pieces(line):
        if so_far and columns + width(piece.rstrip(" ")) > _WIDEST:
            yield so_far.rstrip(" ")
            so_far, columns = "", 0
        so_far, columns = so_far + piece, columns + width(piece)
    yield so_far.rstrip(" ")


def _pieces(line: str) -> Iterator[str]:
    for word in _piece.findall(line):
        yield from [word] if word.isascii() else _within.split(word)
