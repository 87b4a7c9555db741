"""Each kind of e-mail, as ACME Crates sends it to Jane."""

from __future__ import annotations

import base64
import struct
import zlib
from datetime import UTC, datetime, timedelta

import msgspec

from services.notify.brand.brands import PLAIN, Brand
from services.notify.channels.port import LOGO_ID, Picture
from services.notify.content.contents import Contents
from services.notify.content.samples import sample
from staffgate.contracts.identity import CodeMessage, LinkMessage, LinkPurpose, NoticeKind, NoticeMessage

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
URL = "https://id.acme.example/activate?token=pT7f0vN1m5kYx2hQ9aLrWc3dUe6sBgZj4oXiKtVyMnE"
CODE = "82461937"
_CONTENTS = Contents()


def link(purpose: str = LinkPurpose.ACTIVATE, locale: str = "en", brand: Brand = PLAIN) -> str:
    message = LinkMessage(
        to="jane@acme.example", name="Jane", organisation="ACME Crates", login="AcmeCrates\\Jane", url=URL, locale=locale
    )  # fmt: skip
    return _CONTENTS.link(purpose, message, NOW + timedelta(hours=24), NOW, brand).html


def code(locale: str = "en", brand: Brand = PLAIN) -> str:
    message = CodeMessage(to="jane@acme.example", name="Jane", organisation="ACME Crates", code=CODE, locale=locale)
    return _CONTENTS.code("email", message, NOW + timedelta(minutes=10), NOW, brand).html


def notice(kind: str = NoticeKind.NEW_DEVICE, locale: str = "en", brand: Brand = PLAIN) -> str:
    message = sample(f"notice.{kind}", "email", NOW).message
    assert isinstance(message, NoticeMessage)
    return _CONTENTS.notice(kind, msgspec.structs.replace(message, locale=locale), brand).html


def png(width: int, height: int) -> bytes:
    """A plain picture: a dark crate on nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    def inked(x: int, y: int) -> bool:
        return min(x, y, width - 1 - x, height - 1 - y) < 4 or abs(x * height - y * width) < 2 * width

    rows = b"".join(
        b"\0" + b"".join(b"\x17\x20\x2b\xff" if inked(x, y) else bytes(4) for x in range(width)) for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


LOGO = Picture(content=png(96, 64), subtype="png")
YELLOW = Brand(name="ACME Crates", colour="#f2b600", logo=LOGO)
BLACK = Brand(name="頂點箱業", colour="#101010", locale="zh-Hant")
WHITE = Brand(name="ACME Crates", colour="#ffffff")


def shown(html: str) -> str:
    """As a mail program shows it, which takes the logo out of the message."""
    return html.replace(f"cid:{LOGO_ID}", "data:image/png;base64," + base64.b64encode(LOGO.content).decode())


# Those whose pictures are kept.
KEPT = {
    **{purpose.value: link(purpose) for purpose in LinkPurpose},
    "code": code(),
    "notice": notice(),
    "activate.de": link(locale="de"),
    "code.zh-Hant": code("zh-Hant"),
    "notice.zh-Hant": notice(locale="zh-Hant"),
    "activate.yellow": link(brand=YELLOW),
    "reset.black": link(LinkPurpose.RESET, locale="zh-Hant", brand=BLACK),
}
# And every other one, which is only measured.
ALL = KEPT | {
    **{f"notice.{kind}": notice(kind) for kind in NoticeKind},
    **{f"activate.{locale}": link(locale=locale) for locale in ("es", "fr")},
    **{f"code.{locale}": code(locale) for locale in ("de", "es", "fr")},
    **{f"notice.{locale}": notice(locale=locale) for locale in ("de", "es", "fr")},
    "activate.white": link(brand=WHITE),
}
