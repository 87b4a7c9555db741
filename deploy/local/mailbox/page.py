"""The page: server-rendered, nothing from elsewhere, and everything that came from a message escaped."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup, escape

from deploy.local.mailbox.store import Store

SHOWN = 200
_LINK = re.compile(r"https?://[^\s<>\"'`]+[^\s<>\"'`.,;:!?)\]]")
# The mail is shown in a frame that may neither run scripts nor reach the page; its links open in a new tab.
_FRAME_HEAD = "<meta name='color-scheme' content='light'><base target='_blank'>"


def _linked(text: str) -> Markup:
    parts: list[str] = []
    end = 0
    for found in _LINK.finditer(text):
        link = escape(found[0])
        parts += [escape(text[end : found.start()]), f'<a href="{link}" target="_blank" rel="noreferrer">{link}</a>']
        end = found.end()
    return Markup("".join([*parts, escape(text[end:])]))  # noqa: S704 - every part is escaped above


def _clock(moment: datetime) -> str:
    return moment.astimezone().strftime("%H:%M:%S")


_templates = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
_templates.filters.update(linked=_linked, clock=_clock)


def render(store: Store, nonce: str, smtp_port: int) -> str:
    return _templates.get_template("page.html").render(
        messages=store.newest(SHOWN),
        total=len(store.find()),
        changes=store.changes,
        nonce=nonce,
        frame_head=_FRAME_HEAD,
        smtp_port=smtp_port,
    )
