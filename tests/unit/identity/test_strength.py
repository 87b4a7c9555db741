"""What makes a password good enough, and what is said where it is not."""

from __future__ import annotations

import gzip
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity.password.strength import require_strength
from shared.errors import Invalid

KNOWN = ["Jane", "AcmeCrates", "ORG-2B3C4D5F", "staffgate", "ACME", "Crates"]
GOOD = "seven miles of copper wire"

# The three thousand most common passwords, by zxcvbn's list (MIT licence, Copyright (c) 2016 Daniel Wolf).
COMMON = gzip.decompress(Path(__file__).with_name("top-3000.txt.gz").read_bytes()).decode().splitlines()
LONGER = [str.upper, str.title, lambda word: word + "!", lambda word: word + "2026", lambda word: word + word]


def refusal(password: str, shortest: int = 8) -> str:
    try:
        require_strength(password, shortest, KNOWN)
    except Invalid as fault:
        return fault.code
    return ""


@pytest.mark.checklist("B01")
def test_the_length_is_counted_in_characters_and_not_in_bytes() -> None:
    seven, eight = "жщюэъґў", "жщюэъґўї"
    assert refusal(seven) == "password_too_short"
    assert refusal(eight) != "password_too_short"
    assert refusal("e\u0301" * 7) == "password_too_short", "as it looks, however it was typed"


@pytest.mark.checklist("B01")
@pytest.mark.parametrize("shortest", [8, 15, 64])
def test_the_shortest_is_the_callers_to_say_and_named_where_it_is_missed(shortest: int) -> None:
    with pytest.raises(Invalid) as fault:
        require_strength("x" * (shortest - 1), shortest, KNOWN)
    assert (fault.value.code, str(shortest) in fault.value.detail) == ("password_too_short", True)


@pytest.mark.checklist("B01")
def test_a_long_one_is_judged_in_a_moment() -> None:
    """The estimate of all 256 characters of this one would take seconds."""
    assert refusal("4@8({[<369&1!|70$5+7%2" * 11, 15) == ""


@pytest.mark.checklist("B02")
@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), min_size=30, max_size=256))
def test_no_character_is_refused_for_what_it_is(password: str) -> None:
    """Neither spaces nor any other; nothing but the length and how easily it is guessed counts."""
    if len(unicodedata.normalize("NFC", password)) >= 8:
        assert refusal(password) in ("", "password_too_weak", "password_too_obvious")


@pytest.mark.checklist("B02")
@pytest.mark.parametrize(
    "password", [GOOD, GOOD.upper(), GOOD.replace(" ", ""), "   " + GOOD + "   ", "Ωμέγα και άλφα στο λιμάνι"]
)
def test_no_kind_of_character_is_demanded(password: str) -> None:
    assert refusal(password) == ""


@pytest.mark.checklist("B03")
@pytest.mark.parametrize("lengthened", [str, *LONGER], ids=["as it is", "upper", "title", "sign", "year", "twice"])
def test_what_many_people_use_is_refused_whatever_is_done_to_it(lengthened: Callable[[str], str]) -> None:
    assert len(COMMON) == 3000
    assert [word for word in COMMON if refusal(lengthened(word)) == ""] == []


@pytest.mark.checklist("B03")
@pytest.mark.parametrize("word", KNOWN)
def test_names_that_an_attacker_would_try_first_are_refused_and_named(word: str) -> None:
    for written in (word, word.upper(), word.lower()):
        with pytest.raises(Invalid) as fault:
            require_strength(f"{written} seven miles of copper", 8, KNOWN)
        assert fault.value.code == "password_too_obvious"
        assert any(known.casefold() in fault.value.detail.casefold() for known in KNOWN)


@pytest.mark.checklist("B03")
def test_each_refusal_says_what_to_do() -> None:
    for password in ("short", "Jane and her copper wire", "password1"):
        with pytest.raises(Invalid) as fault:
            require_strength(password, 8, KNOWN)
        assert len(fault.value.detail) > 20
        assert password not in fault.value.detail
