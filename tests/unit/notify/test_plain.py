"""Free text in messages: a name is text, and never a line, a tag or a link, in any language."""

from __future__ import annotations

import html
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity.names import split_login
from services.notify.channels import gsm7
from services.notify.content.tags import LOCALES
from services.notify.plain import plain, unlinked
from staffgate.contracts.identity import LinkPurpose, NoticeKind
from tests.unit.notify.written import FACTS, URL, code, link, notice

# What makes trouble in names: markup, templates, formats, links, ends of lines, and what turns the direction of letters.
NASTY = (
    "<b>", "</p>", '"><script>alert(1)</script>', "{{ 7*7 }}", "{% if x %}", "%(code)s", "%s", "%", "https://evil.example",
    "www.evil.example", "evil。example", "https﹕//evil﹒com", "//evil.example", "tel:0900123456", "javascript:alert(1)",
    "\\\\evil.example\\share", "pay@evil.example", "\r\nBcc: x@evil.example", "\u2028", "\u202e", "\u2066", "\u200f", "\u061c",
    "\ufeff", "\0", "&amp;", "&#106;", "שלום", "مرحبا", "頂點箱業", "😀", "e\u0301" * 20,
)  # fmt: skip
names = st.lists(st.one_of(st.sampled_from(NASTY), st.text(max_size=40)), min_size=1, max_size=6).map("".join)
locales = st.sampled_from(LOCALES)
_LINK = re.compile(r"\w:/|//\w|\w[.。．]\w|\w@\w|\\\\")
# In a whole message, where sentences of Chinese end with a full stop between letters.
_LINK_IN_MESSAGE = re.compile(r"\w:/|//\w|[a-z0-9][.．][a-z]|\w@\w|\\\\", re.IGNORECASE)
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@pytest.mark.checklist("N06")
@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("ACME Crates", "ACME Crates"),
        ("Win at https://evil.example/now", "Win at https: evil. example/now"),
        ("www.evil.example", "www. evil. example"),
        ("evil。example", "evil。 example"),
        ("pay@evil.example", "pay@ evil. example"),
        ("tel:0900123456", "tel: 0900123456"),
        ("tel:+61491570006", "tel: +61491570006"),
        ("\\\\evil\\share", "\\evil\\share"),
        ("J. R. Ewing", "J. R. Ewing"),
        ("two\r\nlines\tand a\x00byte", "two lines and a byte"),
        ("right\u202eto left\u200b", "right to left"),
        ("x" * 200, "x" * 79 + "…"),
    ],
)
def test_a_name_is_text_and_never_a_link(text: str, becomes: str) -> None:
    assert plain(text) == becomes


@pytest.mark.checklist("N06")
@given(names)
def test_whatever_a_name_holds_it_is_one_line_without_a_link_in_it(name: str) -> None:
    text = plain(name)
    assert len(text) <= 80
    assert text.isprintable()
    assert not _LINK.search(text)
    assert not _BIDI.search(text)
    assert text.endswith("…") or plain(text) == text


@pytest.mark.checklist("N06")
@given(names, locales)
def test_no_name_makes_a_line_a_tag_or_a_link(name: str, locale: str) -> None:
    content, plainly = link(name=name, organisation=name, locale=locale), link(locale=locale)
    assert content.subject.isprintable()
    assert not _LINK_IN_MESSAGE.search(content.text.replace(URL, ""))
    assert content.html.count("<") == plainly.html.count("<")
    assert content.html.count("://") == plainly.html.count("://")
    assert content.text.count("\n\n") == plainly.text.count("\n\n")


@pytest.mark.checklist("N06")
@given(names, locales, st.sampled_from([*NoticeKind]))
def test_no_fact_makes_a_line_a_tag_or_a_link(value: str, locale: str, kind: NoticeKind) -> None:
    about = {"name": value, "organisation": value, "locale": locale}
    content, plainly = notice(kind, dict.fromkeys(FACTS, value), **about), notice(kind, FACTS, locale=locale)
    assert content.subject.isprintable()
    assert not _LINK_IN_MESSAGE.search(content.text)
    assert content.html.count("<a ") == 0
    assert content.html.count("<p ") == plainly.html.count("<p ")


@pytest.mark.checklist("N06")
@given(names, locales, st.sampled_from(["email", "sms"]))
def test_no_name_is_told_apart_from_the_code_it_stands_beside(name: str, locale: str, channel: str) -> None:
    """An organisation called `12345678 is your code` must not make another code of it: the real one comes first."""
    text = code(channel, name="Jane", organisation=name, locale=locale).text
    assert not _LINK_IN_MESSAGE.search(text)
    assert "82461937" in text
    if channel == "sms":
        assert text.startswith("82461937 ")


@pytest.mark.checklist("N06")
@pytest.mark.parametrize("locale", LOCALES)
def test_markup_in_names_is_escaped(locale: str) -> None:
    html = link(
        name="<b>Jane</b>", organisation='"><script>alert(1)</script>', login="A\\<i>", locale=locale
    ).html  # fmt: skip
    assert "<b>" not in html
    assert "<script>" not in html
    assert "<i>" not in html
    assert "&lt;b&gt;Jane&lt;/b&gt;" in html


@pytest.mark.checklist("N06")
@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("name", ["{{ 7 * 7 }}", "{% for x in y %}", "%(url)s", "100 %s"])
def test_names_are_no_templates_and_no_formats(name: str, locale: str) -> None:
    for content in (
        *(link(purpose, name=name, locale=locale) for purpose in LinkPurpose),
        notice(name=name, locale=locale),
    ):
        assert name in content.text


@pytest.mark.parametrize("name", ["https﹕//evil﹒com", "evil﹒com/a", "ev-⒈co", "www．evil．com"])
def test_look_alikes_do_not_become_links_when_an_sms_is_simplified(name: str) -> None:
    """A small full stop is a full stop once the text has to fit GSM-7."""
    assert not re.search(r"\w\.\w|://", gsm7.simplified(plain(name)))


@given(names)
def test_a_name_is_compared_in_one_form(name: str) -> None:
    assert unicodedata.is_normalized("NFKC", plain(name).rstrip("…"))


@pytest.mark.checklist("N06")
@pytest.mark.parametrize("name", ["खोजे.com", "ร้านที่.com", "கடை.com", "💩.la", "evil\u0334.com", "acme.example"])
def test_no_dot_is_left_that_a_mail_program_makes_a_link_of(name: str) -> None:
    """Vowel signs of many scripts are no letters."""
    assert "." not in plain(name).replace(". ", "")


@pytest.mark.checklist("N06")
@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("person", ["jane.doe", "www.evil.example", "evil.example", "a.b.c.d", "w.ww"])
def test_no_login_is_made_a_link_and_none_looks_otherwise(person: str, locale: str) -> None:
    """A username may have dots in it. Nothing stands beside one that a mail program could take for a part of an address."""
    login = f"AcmeCrates\\{person}"
    content = link(login=login, locale=locale)
    for part in (content.text, html.unescape(content.html)):
        assert not re.search(
            rf"{person[0]}\w*\.|\.\w*{person[-1]}", part.replace(URL, "").partition("AcmeCrates")[2][:60]
        )
        assert login in part.replace("\u200b", "")
    assert not _LINK_IN_MESSAGE.search(content.text.replace(URL, ""))


@given(st.text(max_size=60))
def test_a_login_is_copied_as_it_was(login: str) -> None:
    """For identity passes over what has no width."""
    assert split_login(unlinked(login)) == split_login(" ".join(login.split())) or not login.isprintable()
    assert "\n" not in unlinked(login)


@pytest.mark.checklist("N06")
@pytest.mark.parametrize("name", ["acme.example", "www.evil.example", "evil.example/now", "pay@evil.example"])
@pytest.mark.parametrize("locale", LOCALES)
def test_in_an_sms_a_name_costs_an_ordinary_space_and_no_other_alphabet(name: str, locale: str) -> None:
    """A character without width is none of GSM-7's: it would leave 70 places of 160."""
    plainly, content = code("sms", locale=locale), code("sms", organisation=name, locale=locale)
    assert gsm7.is_gsm(content.text) or not gsm7.is_gsm(plainly.text)
    assert gsm7.segments(content.text) == 1
    assert not _LINK_IN_MESSAGE.search(content.text)
