"""Templates: complete, within their bounds, and nobody's name is more than text."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError
from jinja2.exceptions import SecurityError

from services.notify import gsm7
from services.notify.templates import Content, Templates, Unusable, good_for, plain
from staffgate.contracts.identity import CodeMessage, LinkMessage

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
TEMPLATES = Templates()
URL = "https://id.acme.example/activate?token=Zm9v&x=1"


def link(**changed: str) -> LinkMessage:
    values = {
        "to": "jane@acme.example",
        "name": "Jane",
        "organisation": "ACME Crates",
        "login": "AcmeCrates\\Jane",
        "url": URL,
    }
    return LinkMessage(**(values | changed))


def code(**changed: str) -> CodeMessage:
    return CodeMessage(
        **({"to": "+61 400 000 000", "name": "Jane", "organisation": "ACME Crates", "code": "82461937"} | changed)
    )


def render_link(template: str = "activate", **changed: str) -> Content:
    return TEMPLATES.link(template, link(**changed), NOW + timedelta(hours=24), NOW)


def render_code(channel: str = "email", **changed: str) -> Content:
    return TEMPLATES.code(channel, code(**changed), NOW + timedelta(minutes=10), NOW)


@pytest.mark.parametrize("template", ["confirm", "activate"])
def test_a_link_message_says_whose_what_where_and_how_long(template: str) -> None:
    content = render_link(template)
    assert "ACME Crates" in content.subject
    for part in (content.text, content.html):
        for said in ("ACME Crates", "Jane", "AcmeCrates\\Jane", "24 hours", "23 November 2026, 09:00 UTC"):
            assert said in part
    assert URL in content.text
    assert f'href="{URL.replace("&", "&amp;")}"' in content.html


def test_a_code_message_has_the_code_its_expiry_a_warning_and_no_link() -> None:
    content = render_code()
    for part in (content.text, content.html):
        for said in ("ACME Crates", "82461937", "10 minutes", "log in", "Never share it"):
            assert said in part
        assert not re.search(r"https?:|www\.|href|src=", part)
    assert "82461937" not in content.subject  # it shows on locked screens


def test_nothing_is_fetched_from_elsewhere_and_dark_is_thought_of() -> None:
    for content in (render_link("confirm"), render_link("activate"), render_code()):
        assert not re.search(r"<img|<link|<script|src=|url\(|@import", content.html)
        assert "prefers-color-scheme: dark" in content.html


def test_every_template_is_used_and_every_variable_is_demanded() -> None:
    rendered = {"confirm.txt", "confirm.html", "activate.txt", "activate.html", "code.txt", "code.html", "code.sms.txt"}
    assert set(TEMPLATES.names) == rendered | {"layout.html", "parts.html"}
    for name in rendered:
        with pytest.raises(UndefinedError):
            TEMPLATES._render(name, {})


def test_the_sandbox_holds() -> None:
    with pytest.raises(SecurityError):
        TEMPLATES._environment.from_string("{{ ''.__class__.__mro__ }}").render()


def test_an_sms_fits_into_one_message() -> None:
    text = render_code("sms").text
    assert text == "82461937 is your ACME Crates login code, good for 10 min. Never share it."
    assert gsm7.is_gsm(text)


@given(st.text(max_size=200))
def test_an_sms_fits_whatever_the_organisation_is_called(name: str) -> None:
    text = render_code("sms", organisation=name).text
    assert gsm7.places(text) <= gsm7.room(text)
    assert "82461937" in text
    assert text.endswith("good for 10 min. Never share it.")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("W" * 120, "W" * 10),
        ("Čaj a Káva", "Caj a Kava"),
        ("頂點箱業股份有限公司與其子公司頂點箱業股份有限公司與其子公司", "頂點箱業股份"),
        ("{[~^|€]}" * 20, "{[~"),
    ],
)
def test_the_sms_keeps_as_much_of_the_name_as_there_is_room_for(name: str, said: str) -> None:
    text = render_code("sms", organisation=name).text
    assert said in text
    assert gsm7.places(text) <= gsm7.room(text)


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("ACME Crates", "ACME Crates"),
        ("Win at https://evil.example/now", "Win at https: evil. example/now"),
        ("www.evil.example", "www. evil. example"),
        ("evil。example", "evil。 example"),
        ("pay@evil.example", "pay@ evil. example"),
        ("J. R. Ewing", "J. R. Ewing"),
        ("two\r\nlines\tand a\x00byte", "two lines and a byte"),
        ("right\u202eto left\u200b", "right to left"),
        ("x" * 200, "x" * 79 + "…"),
    ],
)
def test_a_name_is_text_and_never_a_link(text: str, becomes: str) -> None:
    assert plain(text) == becomes


@given(st.text(max_size=300))
def test_no_name_makes_a_line_a_tag_or_a_link(name: str) -> None:
    content = render_link(name=name, organisation=name)
    assert "\n" not in content.subject
    assert "\r" not in content.subject
    assert content.subject.isprintable()
    assert not re.search(r"://", content.text.replace(URL, ""))
    assert content.html.count("<a ") == 2
    assert content.html.count("<p ") == render_link().html.count("<p ")


def test_markup_in_names_is_escaped() -> None:
    html = render_link(name="<b>Jane</b>", organisation='"><script>alert(1)</script>', login="A\\<i>").html
    assert "<b>" not in html
    assert "<script>" not in html
    assert "<i>" not in html


def test_names_are_no_templates() -> None:
    assert "{{ 7 * 7 }}" in render_link(name="{{ 7 * 7 }}").text


@pytest.mark.parametrize("url", ["javascript:alert(1)", "id.acme.example/x", "https://x y", "https://x\r\nBcc: y", ""])
def test_only_a_link_is_a_link(url: str) -> None:
    with pytest.raises(Unusable):
        render_link(url=url)


@pytest.mark.parametrize("value", ["", "12 34", "1234\r\n", "see evil.example"])
def test_only_a_code_is_a_code(value: str) -> None:
    with pytest.raises(Unusable):
        render_code(code=value)


@pytest.mark.parametrize(
    ("remaining", "words"),
    [
        (timedelta(seconds=5), "1 minute"),
        (timedelta(minutes=9, seconds=50), "10 minutes"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(hours=23, minutes=59), "24 hours"),
        (timedelta(days=7), "7 days"),
    ],
)
def test_how_long_it_is_good_is_said_in_words(remaining: timedelta, words: str) -> None:
    assert good_for(remaining) == words


@pytest.mark.parametrize("name", ["https﹕//evil﹒com", "evil﹒com/a", "ev-⒈co", "www．evil．com"])
def test_look_alikes_do_not_become_links_when_an_sms_is_simplified(name: str) -> None:
    """A small full stop is a full stop once the text has to fit GSM-7."""
    assert not re.search(r"\w\.\w|://", gsm7.simplified(plain(name)))
