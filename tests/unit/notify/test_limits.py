"""What comes under which limit: numbers, addresses and sources in one form, whoever writes them how."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberType

from services.notify.channels.port import Outgoing
from services.notify.limit.keys import Keys, network
from services.notify.limit.numbers import Number, number
from services.notify.limit.opening import address_key
from services.notify.limit.rules import family, folded, locks, rules, source_of
from services.notify.limit.settings import Limits, read
from services.notify.store.deliveries import Claim

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
ACME, REBELS, JANE, LAYA = (UUID(int=n) for n in range(1, 5))
KEYS, LIMITS = Keys(b"k" * 32), Limits()


def claim(channel: str = "email", template: str = "reset", *, org: UUID = ACME, staff: UUID = JANE) -> Claim:
    row = {
        "id": UUID(int=9), "org": org, "staff": staff, "channel": channel, "template": template, "priority": 10,
        "sealed": "", "attempts": 1, "last_attempt": None, "admitted": False, "provider": None, "unsure": False,
        "issued_at": NOW, "created_at": NOW, "deadline": NOW, "traceparent": "",
    }  # fmt: skip
    return msgspec.convert(row, Claim)


def outgoing(to: str = "jane@acme.example", source: str = "203.0.113.9") -> Outgoing:
    return Outgoing(id=UUID(int=9), to=to, text="", sent_at=NOW, source=source)


def keys_of(to: str = "jane@acme.example", source: str = "203.0.113.9", **of: object) -> set[bytes]:
    asked = claim(**of)  # type: ignore[arg-type]
    parsed = number(to) if asked.channel == "sms" else None
    return {rule.key for rule in rules(LIMITS, KEYS, asked, outgoing(to, source), parsed, proven=False)}


# --- numbers ----------------------------------------------------------------------------------------------------


@pytest.mark.checklist("N04")
@pytest.mark.parametrize(
    "typed", ["+61 400 000 000", "+61400000000", "+61 (0) 400-000-000", "+61.400.000.000", "+61 400 000 000 ext. 7"]
)
def test_a_number_is_one_number_however_it_is_written(typed: str) -> None:
    assert number(typed) == Number("+61400000000", "AU", None)


@pytest.mark.checklist("N04")
@given(st.lists(st.sampled_from(["", " ", "-", ".", " (", ") ", "\u00a0", "/"]), min_size=12, max_size=12))
def test_no_way_of_writing_a_number_has_a_quota_of_its_own(between: list[str]) -> None:
    typed = "+" + "".join(digit + gap for digit, gap in zip("61400000000", between, strict=False))
    parsed = number(typed)
    if parsed is not None:  # some are no number to anybody, and are sent to nobody
        assert parsed.e164 == "+61400000000"
        assert keys_of(typed, channel="sms", template="code") == keys_of("+61400000000", channel="sms", template="code")


@pytest.mark.checklist("N02")
@pytest.mark.parametrize(
    "kind", ["PREMIUM_RATE", "SHARED_COST", "TOLL_FREE", "VOIP", "PAGER", "UAN", "VOICEMAIL", "PERSONAL_NUMBER"]
)
def test_numbers_that_cost_or_that_nobody_reads_are_named_by_their_kind(kind: str) -> None:
    """Every country's own example of the kind, as the standard's tables have it."""
    examples = [
        found
        for country in phonenumbers.SUPPORTED_REGIONS
        if (found := phonenumbers.example_number_for_type(country, getattr(PhoneNumberType, kind)))
    ]
    assert examples
    for example in examples:
        parsed = number(phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164))
        # A few tables know no better than "fixed line or mobile" of some of their examples.
        assert parsed is None or parsed.kind or phonenumbers.number_type(example) in (1, 2), example


@pytest.mark.checklist("N02")
@pytest.mark.parametrize(
    ("typed", "kind"),
    [
        ("+61 1900 123 456", "premium_rate"),
        ("+61 1300 123 456", "shared_cost"),
        ("+61 1800 123 456", "toll_free"),
        ("+44 5600 123456", "voip"),
        ("+44 7640 123456", "pager"),
        ("+44 7012 345678", "personal_number"),
        ("+49 30 123456", "fixed_line"),
        ("+44 7700 900123", "unknown"),  # nobody's
        ("+882 16 1234 5678", "voip"),
        ("+61 400 000 000", None),
        ("+1 202 555 0100", None),  # in America a number does not tell
    ],
)
def test_kinds(typed: str, kind: str | None) -> None:
    parsed = number(typed)
    assert parsed is not None
    assert parsed.kind == kind


@pytest.mark.checklist("N02")
@pytest.mark.parametrize(
    ("typed", "country"),
    [
        ("+1 876 555 0123", "JM"),  # begins like the United States'
        ("+1 202 555 0100", "US"),
        ("+44 7797 712 345", "JE"),
        ("+7 701 234 5678", "KZ"),
        ("+870 773 123 456", None),  # a satellite's
        ("+883 5100 123 4567", None),
    ],
)
def test_a_country_is_the_number_s_own_and_not_its_code_s(typed: str, country: str | None) -> None:
    parsed = number(typed)
    assert parsed is None or parsed.country == country


@given(st.text(max_size=40))
def test_what_is_no_number_is_none_and_nothing_worse(typed: str) -> None:
    parsed = number(typed)
    assert parsed is None or parsed.e164.startswith("+")


# --- addresses --------------------------------------------------------------------------------------------------


@pytest.mark.checklist("N04")
@pytest.mark.parametrize(
    ("typed", "mailbox"),
    [
        ("Jane@ACME.example", "jane@acme.example"),
        ("jane+1@acme.example", "jane@acme.example"),
        ("jane+a+b@acme.example", "jane@acme.example"),
        ("j.a.n.e@gmail.com", "jane@gmail.com"),
        ("Jane.Doe+x@GoogleMail.com", "janedoe@gmail.com"),
        ("j.ane@acme.example", "j.ane@acme.example"),
        ("jane@bücher.example", "jane@xn--bcher-kva.example"),
        ("ｊａｎｅ@acme.example", "jane@acme.example"),
        ("+@acme.example", "+@acme.example"),
    ],
)
def test_an_address_is_one_mailbox_however_it_is_written(typed: str, mailbox: str) -> None:
    assert folded(typed) == mailbox


@pytest.mark.checklist("N04")
@given(st.from_regex(r"[a-z0-9.+]{0,12}", fullmatch=True), st.booleans())
def test_no_plus_and_no_capital_has_a_quota_of_its_own(tag: str, shout: bool) -> None:
    typed = f"jane+{tag}@acme.example"
    assert keys_of(typed.upper() if shout else typed) == keys_of("jane@acme.example")


# --- sources ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::2", "2001:db8:1:2::/64"),
        ("", ""),
        ("somewhere", ""),
    ],
)
def test_a_household_is_one_source(source: str, place: str) -> None:
    assert network(source) == place


def test_who_invites_people_does_not_use_up_what_their_address_may_ask_for() -> None:
    assert source_of(claim(template="activate"), outgoing()) == ""
    assert source_of(claim(template="reset"), outgoing()) == "203.0.113.9"


# --- what is counted together -----------------------------------------------------------------------------------


def test_a_flood_of_one_family_keeps_nothing_of_another_back() -> None:
    templates = ("code", "reset", "notice.test", "notice.new_device")
    codes, links, notices, warnings = (keys_of(template=template) for template in templates)
    assert len(codes | links | notices | warnings) == sum(map(len, (codes, links, notices, warnings)))
    assert [family(template) for template in ("code", "activate", "email", *templates[2:], "notice.import_finished")] == [
        "codes", "links", "links", "notices", "warnings", "notices",
    ]  # fmt: skip


@pytest.mark.checklist("M12")
def test_warnings_are_counted_by_person_and_by_no_address_that_others_can_share() -> None:
    mine, others = (keys_of(staff=staff, source="", template="notice.email_changed") for staff in (JANE, LAYA))
    assert mine
    assert not mine & others


def test_an_address_is_counted_within_its_organisation_and_a_number_wherever_it_is() -> None:
    """Of two organisations with one address and one number, persons and sources apart."""
    acme = keys_of(source="", org=ACME, staff=JANE)
    assert not acme & keys_of(source="", org=REBELS, staff=LAYA)
    sms = {"channel": "sms", "template": "code"}
    one = keys_of("+61400000000", "", org=ACME, staff=JANE, **sms)
    other = keys_of("+61400000000", "", org=REBELS, staff=LAYA, **sms)
    assert len(one & other) == 2  # the number and its prefix


@pytest.mark.checklist("N01")
def test_an_sms_comes_under_number_prefix_person_and_source() -> None:
    asked, to = claim("sms", "code"), number("+61400000000")
    under = rules(LIMITS, KEYS, asked, outgoing(), to, proven=False)
    assert [(rule.name, rule.within, rule.most) for rule in under] == [
        ("this number", timedelta(hours=1), 5),
        ("this number", timedelta(days=1), 10),
        ("numbers like this one", timedelta(hours=1), 50),
        ("this person", timedelta(hours=1), 30),
        ("this person", timedelta(days=1), 100),
        ("where it was asked for", timedelta(hours=1), 200),
    ]
    proven = rules(LIMITS, KEYS, asked, outgoing(), to, proven=True)
    assert {rule.name for rule in under} - {rule.name for rule in proven} == {"numbers like this one"}
    shares = [rule.most for rule in proven if rule.name == "this number"]
    assert shares == [5, 10, 20, 40], "in this organisation, and in all"


def test_two_kinds_never_have_one_key_nor_two_parts_another_one_s() -> None:
    made = {
        KEYS.of("a", "b"),
        KEYS.of("ab"),
        KEYS.of("a", "b", ""),
        KEYS.of("", "ab"),
        KEYS.of("a", ":b"),
        KEYS.of("a", "", "b"),
    }
    assert len(made) == 6
    assert Keys(b"x" * 32).of("a", "b") != KEYS.of("a", "b")


def test_locks_are_in_one_order_each_once() -> None:
    under = rules(LIMITS, KEYS, claim(), outgoing(), None, proven=False)
    assert locks(under) == sorted(set(locks(under))) == locks([*reversed(under)])
    assert all(-(2**31) <= key < 2**31 for key in locks(under))


# --- settings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", '{"number_per_hour": 0}', '{"number_per_hour": "5"}', '{"countries": ["Australia"]}',
        '{"contries": ["AU"]}', '{"conversion": {"used_percent": 101}}', '{"suite_budget_per_day": -1}',
    ],
)  # fmt: skip
def test_wrong_limits_are_refused_at_the_start(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read(text)


def test_limits_have_defaults_that_are_safe() -> None:
    assert read("{}") == Limits()
    assert read("{}").countries == []
    assert read('{"countries": ["AU"], "conversion": {"prefix_per_hour": 9}}').conversion.prefix_per_hour == 9


@pytest.mark.parametrize("text", ["", "AAAA", "not base64!", "A" * 44])
def test_a_key_that_is_none_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(ValueError, match="address key"):
        address_key(text)
