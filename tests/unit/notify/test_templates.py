"""Contents: complete, within their bounds, and nobody's name is more than text."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError
from jinja2.exceptions import SecurityError

from services.notify.content import gsm7
from services.notify.content.agents import described
from services.notify.content.contents import PURPOSES, Content, Contents, Unusable, good_for, plain
from services.notify.content.notices import WORDS
from staffgate.contracts.identity import CodeMessage, LinkMessage, LinkPurpose, NoticeKind, NoticeMessage

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
TEMPLATES = Contents()
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


FACTS = {
    "at": "2026-11-22 09:00 UTC", "ip": "203.0.113.9", "factor": "totp", "failures": "7", "minutes": "30", "left": "9",
    "rows": "20", "created": "18", "bad": "2",
    "agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
}  # fmt: skip


def render_notice(kind: str = "new_device", facts: dict[str, str] | None = None, **changed: str) -> Content:
    about = {"to": "jane@acme.example", "name": "Jane", "organisation": "ACME Crates"} | changed
    return TEMPLATES.notice(kind, NoticeMessage(**about, facts=FACTS if facts is None else facts))


@pytest.mark.parametrize("template", [*LinkPurpose])
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
    for content in (*(render_link(purpose) for purpose in LinkPurpose), render_code(), render_notice()):
        assert not re.search(r"<img|<link|<script|src=|url\(|@import", content.html)
        assert "prefers-color-scheme: dark" in content.html


def test_every_template_is_used_and_every_variable_is_demanded() -> None:
    emails = (*LinkPurpose, "code", "notice")
    rendered = {f"{name}.{kind}" for name in emails for kind in ("txt", "html")} | {"code.sms.txt"}
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


@pytest.mark.checklist("C10")
def test_the_last_line_of_an_sms_binds_the_code_to_its_site() -> None:
    """WICG, origin-bound one-time codes: a telephone fills it in on that site and on no other."""
    text = render_code("sms", host="id.acme.example").text
    said, bound = text.rsplit("\n", 1)
    assert said == "82461937 is your ACME Crates login code, good for 10 min. Never share it."
    assert bound == "@id.acme.example #82461937"
    assert gsm7.is_gsm(text)


@pytest.mark.parametrize("host", ["", "evil.example/\n@acme.example #1", "ID.ACME", "x" * 65, "id.acme.example #1"])
def test_what_is_no_host_binds_nothing(host: str) -> None:
    assert render_code("sms", host=host).text == render_code("sms").text


@pytest.mark.parametrize("name", ["ACME Crates", "頂點箱業股份有限公司"])
def test_whose_code_it_is_matters_more_than_what_fills_it_in(name: str) -> None:
    text = render_code("sms", purpose="step_up", host="x" * 64, organisation=name).text
    assert name[:4] in text
    assert ("@" in text) == name.isascii()


@given(st.text(max_size=200), st.sampled_from([*PURPOSES]), st.sampled_from(["", "id.acme.example", "x" * 64]))
def test_an_sms_fits_whatever_the_organisation_is_called(name: str, purpose: str, host: str) -> None:
    text = render_code("sms", organisation=name, purpose=purpose, host=host).text
    assert gsm7.places(text) <= gsm7.room(text)
    assert text.startswith("82461937 is your ")
    assert "good for 10 min. Never share it." in text
    assert PURPOSES[purpose].name in text


@pytest.mark.checklist("C10")
@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_code_says_whose_it_is_what_it_is_for_and_how_long_it_is_good(purpose: str) -> None:
    mail, words = render_code(purpose=purpose), PURPOSES[purpose]
    assert mail.subject == f"{words.title} for ACME Crates"
    for part in (mail.text, mail.html):
        for said in (f"{words.act} ACME Crates", "10 minutes", "82461937", words.warning):
            assert said in part
        assert not re.search(r"https?:|www\.|href|src=", part)
    sms = render_code("sms", purpose=purpose, host="id.acme.example").text
    for said in ("ACME Crates", words.name, "10 min", "82461937"):
        assert said in sms
    assert "//" not in sms
    assert len({render_code(purpose=one).text for one in PURPOSES}) == len(PURPOSES) == 3


def test_a_code_for_nothing_that_is_known_is_not_sent() -> None:
    with pytest.raises(Unusable):
        render_code(purpose="payment")


# --- notices --------------------------------------------------------------------------------------------------


def test_every_kind_of_notice_has_its_words() -> None:
    assert WORDS.keys() == set(NoticeKind)
    assert len({render_notice(kind).subject for kind in NoticeKind}) == len(NoticeKind)


@pytest.mark.parametrize("kind", NoticeKind)
def test_a_notice_says_what_happened_when_from_where_and_what_to_do(kind: NoticeKind) -> None:
    content = render_notice(kind)
    assert "ACME Crates" in content.subject
    for part in (content.text, content.html):
        assert "Jane" in part
        seen = "2026-11-22 09:00 UTC" in part, "203.0.113.9, Firefox on Windows" in part
        assert seen == (WORDS[kind].by_somebody,) * 2
        assert not re.search(r"https?:|www\.|href|src=|{{|}}|Undefined", part)
        assert re.search(r"administrator of ACME Crates|nothing", part)
    assert content.text.count("\n\n\n") == 0


@pytest.mark.parametrize("kind", NoticeKind)
def test_a_notice_that_lacks_a_fact_is_a_fault_and_has_no_empty_place(kind: NoticeKind) -> None:
    """The facts that it needs are those whose value shows in it."""
    whole = render_notice(kind).text
    for name in FACTS.keys() - {"ip", "agent", "factor"}:
        left = {other: value for other, value in FACTS.items() if other != name}
        if render_notice(kind, FACTS | {name: "4711"}).text == whole:
            assert render_notice(kind, left).text == whole
        else:
            with pytest.raises((UndefinedError, KeyError)):
                render_notice(kind, left)


def test_what_a_program_says_of_itself_is_not_shown() -> None:
    agent = "<b>visit evil.example</b> https://evil.example Firefox/1"
    for part in (content := render_notice(facts=FACTS | {"agent": agent, "ip": "not an address"})).text, content.html:
        assert "evil" not in part
        assert "address" not in part
        assert "Firefox" in part
    nowhere = render_notice(facts=FACTS | {"agent": "curl/8", "ip": ""})
    assert "From" not in nowhere.text
    assert "From" not in nowhere.html


def test_an_address_is_written_as_it_is() -> None:
    assert "From: 2001:db8::9, Firefox on Windows" in render_notice(facts=FACTS | {"ip": "2001:0db8::9"}).text


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605 Version/19 Mobile Safari/604", "Safari on iPhone"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537 Chrome/140 Safari/537", "Chrome on Mac"),
        ("Mozilla/5.0 (Linux; Android 16) AppleWebKit/537 Chrome/140 Mobile Safari/537", "Chrome on Android"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537 Chrome/140 Safari/537 Edg/140", "Edge on Windows"),
        ("", ""),
    ],
)  # fmt: skip
def test_programs_have_names_that_people_know(agent: str, words: str) -> None:
    assert described(agent) == words


@given(st.text(max_size=200), st.sampled_from([*NoticeKind]))
def test_no_fact_makes_a_line_a_tag_or_a_link(value: str, kind: NoticeKind) -> None:
    content = render_notice(kind, dict.fromkeys(FACTS, value), name=value, organisation=value)
    assert content.subject.isprintable()
    assert "://" not in content.text
    assert content.html.count("<a ") == 0
    assert content.html.count("<p ") == render_notice(kind).html.count("<p ")


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
