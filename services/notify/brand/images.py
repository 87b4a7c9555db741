"""Logos: what a file really is, whatever it is called, and without what cameras and editors write into it.

Nothing is decoded here: the parts of the file are walked through, and those that a picture doesn't need are left out.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from services.notify.channels.port import Picture

LARGEST = 64 << 10  # it goes along with every e-mail
NARROWEST, WIDEST = 16, 1200  # pixels, of either side

_PNG = b"\x89PNG\r\n\x1a\n"
_HEADER = b"\x00\x00\x00\rIHDR"
# Everything else (text, dates, EXIF, animation) is left out.
_CHUNKS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"sRGB", b"cHRM", b"iCCP", b"sBIT", b"pHYs"})
_JPEG = b"\xff\xd8\xff"
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended and progressive: what every mail program reads
_TABLES = frozenset({0xC4, 0xDB, 0xDD})
_JFIF, _ADOBE = 0xE0, 0xEE  # that one says which colours they are
_COLOURS = b"\xff\xe2", b"ICC_PROFILE\0"
_SCAN, _END = 0xDA, 0xD9


class Unreadable(ValueError):
    """This is no picture that goes into an e-mail. Says why."""


def read(content: bytes) -> Picture:
    """The picture without what it doesn't need. Raise Unreadable."""
    if len(content) > LARGEST:
        raise Unreadable(f"it has more than {LARGEST >> 10} KiB")
    if content.startswith(_PNG):
        picture = Picture(content=_PNG + b"".join(_png_parts(content)), subtype="png")
    elif content.startswith(_JPEG):
        picture = Picture(content=b"\xff\xd8" + b"".join(_jpeg_parts(content)), subtype="jpeg")
    else:
        raise Unreadable("it is neither PNG nor JPEG")
    if not all(NARROWEST <= side <= WIDEST for side in size(picture.content)):
        raise Unreadable(f"each side has to have {NARROWEST} to {WIDEST} pixels")
    return picture


def size(content: bytes) -> tuple[int, int]:
    """Width and height of a picture that was read before."""
    if content.startswith(_PNG):
        return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
    frame = next(part for part in _jpeg_parts(content) if part[1] in _FRAMES)
    return int.from_bytes(frame[7:9], "big"), int.from_bytes(frame[5:7], "big")


def _png_parts(content: bytes) -> Iterator[bytes]:
    """The chunks that are kept. They have to be whole, in order, and the end has to be the end."""
    at, seen = len(_PNG), []
    if content[at : at + 8] != _HEADER:
        raise Unreadable("it is broken")
    while at < len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        chunk = content[at : at + 12 + length]
        kind = chunk[4:8]
        if len(chunk) != 12 + length or zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
            raise Unreadable("it is broken")
        at += len(chunk)
        seen.append(kind)
        if kind in _CHUNKS:
            yield chunk
    if seen[-1] != b"IEND" or b"IDAT" not in seen or seen.count(b"IHDR") > 1 or seen.count(b"IEND") > 1:
        raise Unreadable("it is broken")


def _jpeg_parts(content: bytes) -> Iterator[bytes]:
    """The segments that are kept, and the scans as they are: what looks like a marker in them is escaped."""
    at, frames = 2, 0
    while at < len(content):
        kind = content[at + 1] if content[at] == 0xFF and at + 1 < len(content) else 0
        if kind == _END:
            break
        segment = content[at : at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")]
        if kind < 0xC0 or len(segment) < 4 or at + len(segment) >= len(content):
            raise Unreadable("it is broken")
        at += len(segment)
        frames += kind in _FRAMES
        if kind == _SCAN:
            end = _scan_end(content, at)
            segment, at = segment + content[at:end], end
        profile = segment.startswith(_COLOURS[0]) and segment[4:].startswith(_COLOURS[1])
        if profile or kind in _FRAMES | _TABLES | {_JFIF, _ADOBE, _SCAN}:
            yield segment
        elif 0xC0 <= kind <= 0xCF:
            raise Unreadable("it is a kind of JPEG that mail programs can't show")
    if frames != 1 or content[at : at + 2] != b"\xff\xd9" or at + 2 != len(content):
        raise Unreadable("it is broken")
    yield content[at:]


def _scan_end(content: bytes, at: int) -> int:
    while 0 <= (at := content.find(b"\xff", at)) < len(content) - 1:
        if content[at + 1] != 0 and not 0xD0 <= content[at + 1] <= 0xD7:
            return at
        at += 2
    raise Unreadable("it is broken")
