"""The pages behind the links of e-mails: they work without scripts, and load nothing from anywhere."""

from __future__ import annotations

import jinja2
import msgspec
from aiohttp import web

from services.identity.password.links import Invitation
from services.identity.staff.weblinks import Card
from staffgate.contracts.identity import Activated, EmailConfirmed, PasswordSet

_templates = jinja2.Environment(
    loader=jinja2.PackageLoader("services.identity", "pages"), autoescape=True, undefined=jinja2.StrictUndefined
)


class Token(msgspec.Struct):
    token: str = ""


class Submitted(msgspec.Struct):
    token: str = ""
    password: str = ""


def activation(token: str, invitation: Invitation, fault: str = "") -> web.Response:
    return _form("activate.html", token, invitation, fault)


def activated(answer: Activated) -> web.Response:
    return _page("activated.html", 200, login=answer.login)


def new_password(token: str, invitation: Invitation, fault: str = "") -> web.Response:
    return _form("set-password.html", token, invitation, fault)


def password_set(answer: PasswordSet) -> web.Response:
    return _page("password-set.html", 200, login=answer.login)


def new_email(token: str, invitation: Invitation) -> web.Response:
    return _form("confirm-email.html", token, invitation, "")


def email_confirmed(answer: EmailConfirmed) -> web.Response:
    return _page("email-confirmed.html", 200, login=answer.login)


def dead(why: str) -> web.Response:
    return _page("dead.html", 410, why=why)


def card(card: Card) -> web.Response:
    """For people, and not to be found by looking for their names."""
    return _unlisted(_page("card.html", 200, card=card))


def no_card(why: str) -> web.Response:
    return _unlisted(_page("no-card.html", 404, why=why))


def _unlisted(page: web.Response) -> web.Response:
    page.headers["X-Robots-Tag"] = "noindex"
    return page


def _form(name: str, token: str, invitation: Invitation, fault: str) -> web.Response:
    return _page(name, 422 if fault else 200, token=token, invitation=invitation, fault=fault)


def _page(name: str, status: int, **values: object) -> web.Response:
    text = _templates.get_template(name).render(**values)
    return web.Response(text=text, status=status, content_type="text/html")
