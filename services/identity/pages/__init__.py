"""The pages behind the links of e-mails: they work without scripts, and load nothing from anywhere."""

from __future__ import annotations

import jinja2
import msgspec
from aiohttp import web

from services.identity.links import Invitation
from services.identity.passwords import MINIMUM
from staffgate.contracts.identity import Activated

_templates = jinja2.Environment(
    loader=jinja2.PackageLoader("services.identity", "pages"), autoescape=True, undefined=jinja2.StrictUndefined
)


class Token(msgspec.Struct):
    token: str = ""


class Submitted(msgspec.Struct):
    token: str = ""
    password: str = ""


def form(token: str, invitation: Invitation, fault: str = "") -> web.Response:
    status = 422 if fault else 200
    return _page("activate.html", status, token=token, invitation=invitation, fault=fault, minimum=MINIMUM)


def done(activated: Activated) -> web.Response:
    return _page("activated.html", 200, login=activated.login)


def dead(why: str) -> web.Response:
    return _page("dead.html", 410, why=why)


def _page(name: str, status: int, **values: object) -> web.Response:
    text = _templates.get_template(name).render(**values)
    return web.Response(text=text, status=status, content_type="text/html")
