"""SMS: one message in every language, whatever the organisation is called."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.channels import gsm7
from services.notify.content.purposes import PURPOSES
from services.notify.content.tags import LOCALES
from tests.unit.notify.test_plain import NASTY
from tests.unit.notify.written import code

LATIN = [tag for tag in LOCALES if tag != "zh-Hant"]
IN_CHINESE = "頂點箱業股份有限公司"
names = st.one_of(
    st.text(max_size=200), st.lists(st.sampled_from(NASTY), min_size=1, max_size=4).map("".join)
)  # fmt: skip


def test_an_sms_says_whose_code_it_is_what_for_and_how_long() -> None:
    text = code("sms").text
    assert text == "82461937 is your ACME Crates login code, good for 10 min. Never share it."
    assert gsm7.is_gsm(text)


@pytest.mark.checklist("C10")
def test_the_last_line_of_an_sms_binds_the_code_to_its_site() -> None:
    """WICG, origin-bound one-time codes: a telephone fills it in on that site and on no other."""
    text = code("sms", host="id.acme.example").text
    said, bound = text.rsplit("\n", 1)
    assert said == "82461937 is your ACME Crates login code, good for 10 min. Never share it."
    assert bound == "@id.acme.example #82461937"
    assert gsm7.is_gsm(text)


@pytest.mark.parametrize("host", ["", "evil.example/\n@acme.example #1", "ID.ACME", "x" * 65, "id.acme.example #1"])
def test_what_is_no_host_binds_nothing(host: str) -> None:
    assert code("sms", host=host).text == code("sms").text


@pytest.mark.checklist("N07")
@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize("value", ["824619", "82461937"])
def test_an_sms_is_one_message_in_every_language(value: str, purpose: str, locale: str) -> None:
    text = code("sms", code=value, purpose=purpose, host="id.acme.example", locale=locale).text
    assert (gsm7.segments(text), gsm7.is_gsm(text)) == (1, locale in LATIN)
    assert text.startswith(f"{value} ")
    assert text.endswith(f"\n@id.acme.example #{value}")
    for said in ("ACME Crates", "10"):
        assert said in text
    assert "//" not in text
    assert "  " not in text


@pytest.mark.checklist("N07")
@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_name_in_chinese_fits_beside_every_language(purpose: str, locale: str) -> None:
    text = code("sms", purpose=purpose, organisation=IN_CHINESE, locale=locale).text
    assert (gsm7.segments(text), gsm7.is_gsm(text)) == (1, False)
    assert IN_CHINESE[:4] in text


@pytest.mark.checklist("N07", "C10")
@given(
    names, st.sampled_from([*PURPOSES]), st.sampled_from(["", "id.acme.example", "x" * 64]), st.sampled_from(LOCALES)
)  # fmt: skip
def test_an_sms_fits_whatever_the_organisation_is_called(name: str, purpose: str, host: str, locale: str) -> None:
    text = code("sms", organisation=name, purpose=purpose, host=host, locale=locale).text
    assert gsm7.segments(text) == 1
    assert text.startswith("82461937 ")
    assert re.search(r"(?<![0-9A-Za-z])10 ?(min|Min\.|分鐘)", text)


@pytest.mark.parametrize("name", ["ACME Crates", IN_CHINESE])
def test_whose_code_it_is_matters_more_than_what_fills_it_in(name: str) -> None:
    text = code("sms", purpose="step_up", host="x" * 64, organisation=name).text
    assert name[:4] in text
    assert ("@" in text) == name.isascii()


def test_and_more_than_the_advice_that_the_e_mail_gives_in_full() -> None:
    assert "Nicht weitergeben" in code("sms", locale="de").text
    in_chinese = code("sms", locale="de", organisation=IN_CHINESE).text
    assert IN_CHINESE in in_chinese
    assert "Nicht weitergeben" not in in_chinese


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
    text = code("sms", organisation=name).text
    assert said in text
    assert gsm7.places(text) <= gsm7.room(text)


def test_letters_keep_their_marks_where_there_is_nothing_to_win_by_taking_them() -> None:
    assert "Čaj" in code("sms", organisation="Čaj a Káva", locale="zh-Hant").text
