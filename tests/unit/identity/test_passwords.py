"""How passwords are stored, and that one is the same however it was typed."""

from __future__ import annotations

import asyncio
import base64
import unicodedata

import msgspec
import pytest
from argon2 import PasswordHasher, extract_parameters
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.identity.app import Settings, password_hashing
from services.identity.password.passwords import Passwords, read_pepper
from shared.errors import Unavailable

FAST = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
PEPPER, OTHER = b"1" * 32, b"2" * 32
WORD = "seven miles of copper wire"
text = st.text(max_size=256) | st.text(alphabet=st.sampled_from("\0 \ud800e\u0301é\ufb01fi\n"), max_size=40)


class Counted(PasswordHasher):
    """Counts the hashes that are computed."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=64, parallelism=1)
        self.computed = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]
        self.computed += 1
        return super().verify(hash, password)


@pytest.mark.checklist("B04")
async def test_what_is_stored_is_argon2id_as_strong_as_it_has_to_be_with_a_salt_of_its_own() -> None:
    passwords = Passwords()
    first, second = await passwords.hash(WORD), await passwords.hash(WORD)
    parameters = extract_parameters(first)
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (parameters.memory_cost >= 19 * 1024, parameters.time_cost >= 2, parameters.salt_len) == (True, True, 16)
    assert first.split("$")[4] != second.split("$")[4]


@pytest.mark.checklist("B04")
async def test_what_was_made_with_weaker_parameters_still_matches_and_is_outdated() -> None:
    old = FAST.hash(WORD)
    passwords = Passwords(PasswordHasher(time_cost=2, memory_cost=128, parallelism=1))
    assert await passwords.verify(old, WORD)
    assert passwords.outdated(old)
    assert not passwords.outdated(await passwords.hash(WORD))


@pytest.mark.checklist("B06")
async def test_a_pepper_is_no_part_of_what_is_stored_and_nothing_matches_without_it() -> None:
    with_it, without = Passwords(FAST, PEPPER), Passwords(FAST)
    stored = await with_it.hash(WORD)
    mark, _, phc = stored.partition("$")
    assert (mark[:7], len(mark), phc[:9]) == ("pepper=", 15, "argon2id$")
    assert await with_it.verify(stored, WORD)
    assert not await without.verify(stored, WORD)
    assert not await without.verify(f"${phc}", WORD), "argon2's own string is of the keyed password"


@pytest.mark.checklist("B06")
async def test_another_pepper_takes_its_place_while_everybody_gets_in() -> None:
    plain, former = await Passwords(FAST).hash(WORD), await Passwords(FAST, PEPPER).hash(WORD)
    passwords = Passwords(FAST, OTHER, PEPPER)
    for stored in (plain, former):
        assert await passwords.verify(stored, WORD)
        assert not await passwords.verify(stored, WORD + "!")
        assert passwords.outdated(stored)
    assert not passwords.outdated(await passwords.hash(WORD))
    assert not await Passwords(FAST, OTHER).verify(former, WORD), "and nobody any more once the former one is gone"


@pytest.mark.checklist("B06")
@pytest.mark.parametrize("setting", ["no base64!", base64.b64encode(b"too short").decode()])
def test_a_pepper_that_is_none_stops_the_service_from_starting(setting: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_pepper(setting)


@pytest.mark.checklist("B06")
async def test_the_settings_say_which_pepper_passwords_are_keyed_with() -> None:
    needed = {"database_url": "", "http_port": 0, "public_url": "", "signing_key": "", "factor_key": "", "code_key": ""}
    settings = msgspec.convert(needed | {"seal_key": "", "authz_url": ""}, Settings)
    assert (await password_hashing(settings).hash(WORD)).startswith("$argon2id$"), "none unless one is set"
    keys = {"pepper": base64.b64encode(OTHER).decode(), "former_pepper": base64.b64encode(PEPPER).decode()}
    passwords = password_hashing(msgspec.structs.replace(settings, **keys))
    assert await passwords.verify(await Passwords(FAST, PEPPER).hash(WORD), WORD)
    assert await Passwords(FAST, OTHER).verify(await passwords.hash(WORD), WORD)


@pytest.mark.checklist("A03")
@pytest.mark.parametrize("pepper", [b"", PEPPER])
@pytest.mark.parametrize("typed", ["", "\0", "\ud800", "x" * 4096, "e" + "\u0301" * 4095, WORD, WORD + "!"])
async def test_whatever_is_typed_costs_one_hash_whether_there_is_somebody_or_not(typed: str, pepper: bytes) -> None:
    hasher = Counted()
    passwords = Passwords(hasher, pepper)
    stored = await passwords.hash(WORD)
    for whose in (stored, None, "pepper=00000000" + FAST.hash(WORD)):
        hasher.computed = 0
        assert await passwords.verify(whose, typed) is (whose == stored and typed == WORD)
        assert hasher.computed == 1


@pytest.mark.checklist("B02")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text, text)
async def test_two_match_if_and_only_if_they_are_the_same_text(one: str, other: str) -> None:
    """Composed or decomposed; neither trimmed nor cut, not at a NUL either."""
    passwords = Passwords(FAST)
    stored = await passwords.hash(one)
    same = unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)
    assert await passwords.verify(stored, unicodedata.normalize("NFD", one))
    assert await passwords.verify(stored, other) is same


@pytest.mark.checklist("B02")
@pytest.mark.parametrize("other", [WORD[:-1], WORD + " ", " " + WORD, WORD + "\0", WORD.upper(), WORD * 20])
async def test_one_that_differs_anywhere_does_not_match(other: str) -> None:
    passwords = Passwords(FAST, PEPPER)
    assert not await passwords.verify(await passwords.hash(WORD), other)
    long = "x" * 255
    assert not await passwords.verify(await passwords.hash(long + "a"), long + "b")


@pytest.mark.checklist("B05")
async def test_when_too_much_waits_the_rest_is_asked_to_come_again() -> None:
    passwords = Passwords(FAST)
    answers = await asyncio.gather(*(passwords.hash(WORD) for _ in range(60)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, Unavailable)]
    assert (len(refused), {one.retry_after for one in refused}) == (60 - 32, {1})
    assert await passwords.hash(WORD), "and what was done makes room"
