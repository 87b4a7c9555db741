"""Contents: complete, within their bounds, and nobody's name is more than text."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError
from jinja2.exceptions import SecurityError

from services.notify.channels.port import Unusable
from services.notify.content.agents import program, system
from services.notify.content.languages import TEMPLATES, Language
from services.notify.content.notices import WORDS
from services.notify.content.purposes import PURPOSES
from staffgate.contracts.identity import LinkPurpose, NoticeKind
from tests.unit.notify.written import FACTS, NOW, URL, code, link, notice, one_line

ENGLISH = Language("en")


@pytest.mark.parametrize("template", [*LinkPurpose])
def test_a_link_message_says_whose_what_where_and_how_long(template: str) -> None:
    content = link(template)
    assert "ACME Crates" in content.subject
    for part in (one_line(content.text), content.html):
        for said in ("ACME Crates", "Jane", "AcmeCrates\\Jane", "24 hours", "23 November 2026, 09:00 UTC"):
            assert said in part
    assert URL in content.text
    assert f'href="{URL.replace("&", "&amp;")}"' in content.html


def test_a_code_message_has_the_code_its_expiry_a_warning_and_no_link() -> None:
    content = code()
    for part in (one_line(content.text), content.html):
        for said in ("ACME Crates", "82461937", "10 minutes", "log in", "Never share it"):
            assert said in part
        assert not re.search(r"https?:|www\.|href|src=", part)
    assert "82461937" not in content.subject  # it shows on locked screens


def test_nothing_is_fetched_from_elsewhere_and_dark_is_thought_of() -> None:
    for content in (*(link(purpose) for purpose in LinkPurpose), code(), notice()):
        assert not re.search(r"<img|<link|<script|src=|url\(|@import", content.html)
        assert "prefers-color-scheme: dark" in content.html


@pytest.mark.checklist("N06")
def test_every_template_is_used_and_every_variable_is_demanded() -> None:
    rendered = {f"{name}.{kind}" for name in ("link", "code", "notice") for kind in ("txt", "html")}
    assert {file.name for file in TEMPLATES.iterdir()} == rendered | {"layout.html", "parts.html"}
    for name in rendered:
        with pytest.raises(UndefinedError):
            ENGLISH.render(name, {})


@pytest.mark.checklist("N06")
def test_the_sandbox_holds() -> None:
    with pytest.raises(SecurityError):
        ENGLISH._environment.from_string("{{ ''.__class__.__mro__ }}").render()


@pytest.mark.checklist("C10")
@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_code_says_whose_it_is_what_it_is_for_and_how_long_it_is_good(purpose: str) -> None:
    mail, words = code(purpose=purpose), PURPOSES[purpose]
    assert mail.subject == f"{words.title} for ACME Crates"
    for part in (one_line(mail.text), mail.html):
        for said in (words.said % {"organisation": "ACME Crates"}, "10 minutes", "82461937", *map(str, words.footer)):
            assert said in part
        assert not re.search(r"https?:|www\.|href|src=", part)
    assert len({code(purpose=one).text for one in PURPOSES}) == len(PURPOSES) == 3


def test_a_code_for_nothing_that_is_known_is_not_sent() -> None:
    with pytest.raises(Unusable):
        code(purpose="payment")


# --- notices --------------------------------------------------------------------------------------------------


def test_every_kind_of_notice_has_its_words() -> None:
    assert WORDS.keys() == set(NoticeKind)
    assert len({notice(kind).subject for kind in NoticeKind}) == len(NoticeKind)


@pytest.mark.parametrize("kind", NoticeKind)
def test_a_notice_says_what_happened_when_from_where_and_what_to_do(kind: NoticeKind) -> None:
    content = notice(kind)
    assert "ACME Crates" in content.subject
    for part in (content.text, content.html):
        assert "Jane" in part
        seen = "22 November 2026, 09:00 UTC" in part, "203.0.113.9, Firefox on Windows" in part
        assert seen == (WORDS[kind].by_somebody,) * 2
        assert not re.search(r"https?:|www\.|href|src=|{{|}}|Undefined|%\(", part)
        assert re.search(r"administrator of ACME Crates|nothing|Ask them|tell those", one_line(part))
    assert content.text.count("\n\n\n") == 0


@pytest.mark.parametrize("kind", NoticeKind)
def test_a_notice_that_lacks_a_fact_is_a_fault_and_has_no_empty_place(kind: NoticeKind) -> None:
    """The facts that it needs are those whose value shows in it."""
    whole = notice(kind).text
    for name in FACTS.keys() - {"ip", "agent", "factor", "network", "email", "sms"}:
        left = {other: value for other, value in FACTS.items() if other != name}
        if notice(kind, FACTS | {name: "4711"}).text == whole:
            assert notice(kind, left).text == whole
        else:
            with pytest.raises(KeyError):
                notice(kind, left)


def test_a_notice_counts_as_people_do() -> None:
    assert "9 of them are left." in one_line(notice("recovery_code_used").text)
    assert "1 of them is left." in one_line(notice("recovery_code_used", FACTS | {"left": "1"}).text)
    locked, forever = notice("account_locked"), notice("account_locked", FACTS | {"minutes": ""})
    assert "locked for 30 minutes." in one_line(locked.text)
    assert "locked until an administrator unlocks it." in one_line(forever.text)


def test_where_somebody_came_from_is_said_only_if_it_is_unusual() -> None:
    assert "outside your organisation's networks" in one_line(notice().text)
    assert "networks" not in notice(facts={name: fact for name, fact in FACTS.items() if name != "network"}).text


@pytest.mark.parametrize("at", ["2026-11-22 09:00 UTC", "2026-11-22T09:00", "yesterday, about noon"])
def test_what_is_no_moment_is_shown_as_it_is(at: str) -> None:
    assert f"When: {at}" in notice(facts=FACTS | {"at": at}).text


@pytest.mark.checklist("N06")
def test_what_a_program_says_of_itself_is_not_shown() -> None:
    agent = "<b>visit evil.example</b> https://evil.example Firefox/1"
    for part in (content := notice(facts=FACTS | {"agent": agent, "ip": "nowhere at all"})).text, content.html:
        assert "evil" not in part
        assert "nowhere" not in part
        assert "Firefox" in part
    nowhere = notice(facts=FACTS | {"agent": "curl/8", "ip": ""})
    assert "From where" not in nowhere.text
    assert "From where" not in nowhere.html


def test_an_address_is_written_as_it_is() -> None:
    assert "From where: 2001:db8::9, Firefox on Windows" in notice(facts=FACTS | {"ip": "2001:0db8::9"}).text


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605 Version/19 Mobile Safari/604", ("Safari", "iPhone")),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537 Chrome/140 Safari/537", ("Chrome", "Mac")),
        ("Mozilla/5.0 (Linux; Android 16) AppleWebKit/537 Chrome/140 Mobile Safari/537", ("Chrome", "Android")),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537 Chrome/140 Safari/537 Edg/140", ("Edge", "Windows")),
        ("", ("", "")),
    ],
)  # fmt: skip
def test_programs_have_names_that_people_know(agent: str, words: tuple[str, str]) -> None:
    assert (program(agent), system(agent)) == words


# --- links and codes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["javascript:alert(1)", "id.acme.example/x", "https://x y", "https://x\r\nBcc: y", ""])
def test_only_a_link_is_a_link(url: str) -> None:
    with pytest.raises(Unusable):
        link(url=url)


@pytest.mark.parametrize("value", ["", "12 34", "1234\r\n", "see evil.example"])
def test_only_a_code_is_a_code(value: str) -> None:
    with pytest.raises(Unusable):
        code(code=value)


# --- times ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("remaining", "words"),
    [
        (timedelta(seconds=-5), "1 minute"),
        (timedelta(seconds=5), "1 minute"),
        (timedelta(minutes=9, seconds=50), "10 minutes"),
        (timedelta(minutes=90), "90 minutes"),
        (timedelta(hours=23, minutes=59), "24 hours"),
        (timedelta(days=7), "7 days"),
    ],
)
def test_how_long_it_is_good_is_said_in_words(remaining: timedelta, words: str) -> None:
    assert ENGLISH.lasting(remaining) == words


@pytest.mark.parametrize(
    ("tag", "lasting", "at"),
    [
        ("en", "24 hours", "22 November 2026, 09:00 UTC"),
        ("de", "24 Stunden", "22. November 2026, 09:00 Uhr UTC"),
        ("es", "24 horas", "22 de noviembre de 2026, 09:00 UTC"),
        ("fr", "24 heures", "22 novembre 2026 à 09:00 UTC"),
        ("zh-Hant", "24 小時", "2026年11月22日 09:00 UTC"),
    ],
)
def test_times_are_written_as_the_language_does_and_name_their_zone(tag: str, lasting: str, at: str) -> None:
    language = Language(tag)
    assert (language.lasting(timedelta(hours=24)), language.at(NOW)) == (lasting, at)
    assert language.at(datetime.fromisoformat("2026-11-22T20:00:00+11:00")) == at


@given(st.timedeltas(timedelta(0), timedelta(days=400)))
def test_any_time_can_be_said(remaining: timedelta) -> None:
    assert re.fullmatch(r"[0-9]+ \w+", ENGLISH.lasting(remaining))
    assert ENGLISH.lasting_briefly(remaining)
