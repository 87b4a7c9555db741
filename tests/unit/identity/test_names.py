"""One reading of a name: at creation, at login and in a file; and what looks like a name is taken for it."""

from __future__ import annotations

import re
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.identity import names
from staffgate.contracts.identity import AddStaff, OrganisationUsername, SelectUsername, Username


def matching(kind: Any) -> st.SearchStrategy[str]:
    """Every name that the contract takes."""
    meta = get_args(kind)[1]
    return st.from_regex(re.compile(meta.pattern), fullmatch=True).filter(
        lambda name: meta.min_length <= len(name) <= meta.max_length
    )


ORGANISATIONS, PEOPLE = matching(OrganisationUsername), matching(Username)


@pytest.mark.checklist("A07")
@given(ORGANISATIONS, PEOPLE, st.sampled_from(["\\", " \\ ", "＼", "﹨", "\\\u3000"]))
@example("AcmeCrates", "Jane", "\\")
@example("ﬀ", "ʼn", "\\")
def test_what_can_be_a_name_is_read_at_login_as_it_was_created(org: str, person: str, separator: str) -> None:
    want = (names.key(org), names.key(person))
    assert names.split_login(f"{org}{separator}{person}") == want
    assert names.split_login(f" {org.swapcase()}{separator}{person.swapcase()} ") is not None
    assert "\\" not in "".join(want)


@pytest.mark.checklist("A07")
@given(st.text(max_size=40))
@example("İ")
@example("ͅ")
@example("ŉ")
def test_a_key_is_its_own_key_whatever_the_case(name: str) -> None:
    key = names.key(name)
    assert names.key(key) == key
    assert names.key(name.casefold()) == key
    assert names.skeleton(names.skeleton(name)) == names.skeleton(name)


@pytest.mark.checklist("A07")
@pytest.mark.parametrize(
    "login",
    ["", "Jane", "\\", "\\Jane", "AcmeCrates\\", " \\ ", "Acme\\Crates\\Jane", "Acme＼Crates\\Jane", "Acme\\\\Jane",
     "Acme/Jane", "Acme\\Ja\0ne", "\0\\Jane"],
)  # fmt: skip
def test_what_has_not_exactly_one_separator_is_no_login(login: str) -> None:
    assert names.split_login(login) is None


@pytest.mark.checklist("A07")
def test_what_has_no_width_comes_along_when_a_login_is_copied_and_is_passed_over() -> None:
    want = names.split_login("AcmeCrates\\jane.doe")
    assert want is not None
    for one in "\u200b\u200c\u200d\u2060\ufeff":
        assert names.split_login(f"{one}AcmeCrates{one}\\jane{one}.{one}doe{one}") == want
        assert names.split_login(f"{one}\\{one}") is None


@pytest.mark.checklist("A07")
@given(st.text(max_size=300))
def test_reading_a_login_never_fails_and_never_finds_two_readings(login: str) -> None:
    parts = names.split_login(login)
    if parts is not None:
        assert all(part and "\\" not in part and part == names.key(part) for part in parts)


@pytest.mark.parametrize(
    "username", ["Ja\\ne", "Ja＼ne", "Ja ne", "-Jane", "Jane\n", "J", "Ja/ne", "Ja\0ne", "Ja\u202ene"]
)
def test_a_username_has_no_separator_in_it(username: str) -> None:
    body = {"type": "standard", "name": "Jane", "email": "jane@acme.example", "username": username}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(body, AddStaff)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"username": username}, SelectUsername)


@pytest.mark.parametrize("blank", "\u115f\u1160\u3164\uffa0")
@pytest.mark.parametrize("kind", [OrganisationUsername, Username])
def test_letters_that_show_nothing_are_in_no_name(blank: str, kind: Any) -> None:
    for name in (f"{blank}Acme", f"Ac{blank}me", f"Acme{blank}"):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(name, kind)
        assert names.skeleton(name) == names.skeleton("Acme")
    assert names.reserved(f"staff{blank}gate")
    assert msgspec.convert("한국전화_1-2", kind) == "한국전화_1-2"


@pytest.mark.checklist("A09")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("AcmeCrates", "acmecrates"),
        ("AcmeCrates", "AcmeCratеs"),  # a Cyrillic е
        ("AcmeCrates", "Αcmecrates"),  # a Greek Α
        ("AcmeCrates", "ＡｃｍｅＣｒａｔｅｓ"),
        ("AcmeCrates", "ÁcméCrätes"),
        ("Millennium", "Mi11ennium"),
        ("Millennium", "MilIennium"),  # a capital I
        ("Modern", "Modem"),
        ("Boom", "B00m"),
        ("Wave", "VVave"),
        ("Scope", "ѕсоре"),
    ],
)
def test_what_looks_the_same_is_the_same(one: str, other: str) -> None:
    assert names.skeleton(one) == names.skeleton(other)


@pytest.mark.checklist("A09")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("AcmeCrates", "AcmeCrate"),
        ("Acme1", "Acme2"),
        ("Acme-Crates", "AcmeCrates"),
        ("Beta", "Delta"),
        ("日本", "日木"),
    ],
)
def test_what_looks_different_is_different(one: str, other: str) -> None:
    assert names.skeleton(one) != names.skeleton(other)


@pytest.mark.checklist("A09")
@pytest.mark.parametrize("name", ["admin", "ADMIN", "adm1n", "аdmin", "Staffgate", "ORG-2345", "0rg-2345", "оrg-2345"])
def test_the_platforms_own_names_are_kept(name: str) -> None:
    assert names.reserved(name)


def test_other_names_are_free() -> None:
    for name in ("AcmeCrates", "AcmeTeam", "Organic", "Administration", "Helpdesk"):
        assert not names.reserved(name)
