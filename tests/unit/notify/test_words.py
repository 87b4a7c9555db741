"""Every message in every language: the catalogs are complete and sound, and all that is written has no gap in it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
import pytest
from babel.messages.catalog import Message
from babel.messages.checkers import python_format

from deploy import words
from services.notify.channels import gsm7
from services.notify.content import catalogs
from services.notify.content.contents import Content
from services.notify.content.languages import Language
from services.notify.content.samples import TEMPLATES, sample
from services.notify.content.sentences import Sentence, counted, given, without
from services.notify.content.tags import LOCALES, chosen, matched
from staffgate.contracts.identity import LinkMessage, NoticeMessage
from tests.unit.notify.written import CONTENTS, FACTS, NOW, code, link, notice, one_line

SAMPLES = [(name, channel) for name, channels in TEMPLATES.items() for channel in channels]
_GAP = re.compile(r"%\(|%s|\{\{|\}\}|\{%|Undefined|None")
_PLACE = re.compile(r"%\((\w+)\)s")
# What stands in the templates of the look, and in no catalog.
_NOT_SAID = re.compile(r"[<>&{}]")


def written(template: str, channel: str, locale: str) -> Content:
    """With every fact that a notice may have."""
    one = sample(template, channel, NOW)
    message = one.message
    if isinstance(message, NoticeMessage):
        message = msgspec.structs.replace(message, facts=FACTS)
    return CONTENTS.written(channel, one.template, msgspec.structs.replace(message, locale=locale), one.deadline, NOW)


def told(tag: str) -> Iterator[tuple[str, str]]:
    """Each sentence of the source, and what the catalog says for it: of several forms each."""
    for message in catalogs.read(tag):
        if message.id:
            ids, forms = words.forms(message.id), words.forms(message.string)
            yield from ((ids[-1] if place else ids[0], form) for place, form in enumerate(forms))


# --- the catalogs ---------------------------------------------------------------------------------------------


@pytest.mark.checklist("N07")
@pytest.mark.parametrize("tag", words.TAGS)
def test_the_catalogs_are_as_the_source_is(tag: str) -> None:
    assert catalogs.file(tag).read_bytes() == words.written(words.updated(tag)), f"run `{words.COMMAND}`"


@pytest.mark.checklist("N07")
@pytest.mark.parametrize("tag", words.TAGS)
def test_every_sentence_is_said_in_every_language(tag: str) -> None:
    assert list(words.untold(catalogs.read(tag))) == []
    assert len(list(told(tag))) >= 120


@pytest.mark.checklist("N07")
@pytest.mark.parametrize("tag", words.TAGS)
def test_every_place_of_a_sentence_is_in_its_translation_and_no_other(tag: str) -> None:
    wrong = [one for one, other in told(tag) if {*_PLACE.findall(one)} != {*_PLACE.findall(other)}]
    assert wrong == []
    assert [other for _, other in told(tag) if other.count("%") != len(_PLACE.findall(other))] == []
    for message in catalogs.read(tag):
        if message.id:
            python_format(None, message)  # raises


@pytest.mark.parametrize("tag", words.TAGS)
def test_a_translation_holds_no_markup_no_link_and_ends_as_the_source_does(tag: str) -> None:
    for one, other in told(tag):
        assert not _NOT_SAID.search(other), other
        assert not re.search(r"https?:|www\.|@", other), other
        assert other == other.strip(), other
        assert one == "%(minutes)s min" or (one[-1] in ".:,") == (other[-1] in ".:,。：，"), (one, other)


@pytest.mark.parametrize("tag", words.TAGS)
def test_only_what_is_the_same_in_both_languages_is_left_as_it_is(tag: str) -> None:
    same = {one for one, other in told(tag) if one == other}
    assert same <= {"%(date)s, %(time)s UTC", "%(label)s:", "%(label)s: %(value)s", "%(minutes)s min"}


def test_what_is_missing_is_noticed() -> None:
    """The tests above look; these are what they would see."""
    catalog = words.updated("de")
    next(message for message in catalog if message.id == "Set password").string = ""
    next(message for message in catalog if message.id == "passkey").flags.add("fuzzy")
    plural = next(message for message in catalog if isinstance(message.id, tuple))
    plural.string = (words.forms(plural.string)[0], "")
    assert len(list(words.untold(catalog))) == 3
    assert words.written(catalog) != catalogs.file("de").read_bytes()
    assert any(message.id == "Set password" for message in words.sentences())
    assert isinstance(plural, Message)


# --- what is written with them --------------------------------------------------------------------------------


@pytest.mark.checklist("N07")
@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize(("template", "channel"), SAMPLES)
def test_every_message_is_whole_in_every_language_and_by_every_channel(
    template: str, channel: str, locale: str
) -> None:  # fmt: skip
    content = written(template, channel, locale)
    assert content.locale == locale
    for part in (content.subject, content.text, content.html):
        assert not _GAP.search(part), part
    if channel == "sms":
        assert (content.subject, content.html, gsm7.segments(content.text)) == ("", "", 1)
        return
    assert content.subject.isprintable()
    assert len(content.subject) <= 100
    assert f'<html lang="{locale}" dir="ltr"' in content.html
    assert "Jane" in content.text
    assert "ACME Crates" in one_line(content.text)
    assert all(len(line) <= 76 for line in content.text.split("\n") if "://" not in line)


@pytest.mark.checklist("N07")
@pytest.mark.parametrize("locale", [tag for tag in LOCALES if tag != "en"])
@pytest.mark.parametrize(("template", "channel"), SAMPLES)
def test_nothing_is_left_in_english(template: str, channel: str, locale: str) -> None:
    """No line of the text, and nothing of the page that stands between tags."""
    english, other = written(template, channel, "en"), written(template, channel, locale)
    same = {*english.text.split("\n")} & {*other.text.split("\n")}
    assert {line for line in same if re.search(r"[A-Za-z]{2}", line) and not re.search("://|^@id", line)} == set()
    seen = [{*map(str.strip, re.findall(r">([^<]+)<", one.html.partition("<body")[2]))} for one in (english, other)]
    kept = {"", "ACME Crates", "AcmeCrates\\Jane", "12345678"}
    assert {one for one in seen[0] & seen[1] if "://" not in one} <= kept


def test_the_page_and_the_text_say_the_same() -> None:
    for template, channel in SAMPLES:
        content = written(template, channel, "fr")
        if channel == "email":
            page = one_line(re.sub(r"<[^>]+>", " ", content.html)).replace("&#39;", "'").replace("&#34;", '"')
            for paragraph in content.text.split("\n\n"):
                for sentence in re.split(r"(?<=[.]) ", one_line(paragraph)):
                    if "://" not in sentence and "\xa0:" not in sentence and " :" not in sentence:
                        assert sentence in page, (template, sentence)


# --- whose language -------------------------------------------------------------------------------------------


@pytest.mark.checklist("N07")
@pytest.mark.parametrize(
    ("wanted", "tag"),
    [
        ("de", "de"), ("de-AT", "de"), ("de-CH-1996", "de"), ("de_AT", "de"), ("de-XX", "de"), ("DE", "de"), ("es-419", "es"),
        ("fr-CA", "fr"), ("zh-TW", "zh-Hant"), ("zh-HK", "zh-Hant"), ("zh-Hant", "zh-Hant"), ("zh-Hant-MO", "zh-Hant"),
        ("zh-CN", None), ("zh-Hans", None), ("zh", None), ("en-AU", "en"), ("pt-BR", None), ("tlh", None), ("", None),
        ("-", None), ("x" * 200, None), ("\0", None), ("../../etc", None),
    ],
)  # fmt: skip
def test_a_language_is_found_by_whichever_tag(wanted: str, tag: str | None) -> None:
    assert matched(wanted) == tag


def test_a_person_comes_before_the_organisation_and_that_before_english() -> None:
    assert chosen("de-AT", "fr") == "de"
    assert chosen("", "fr") == chosen("pt-BR", "fr") == "fr"
    assert chosen("", "") == chosen("pt", "it") == "en"


@pytest.mark.checklist("N07")
def test_a_message_is_in_the_language_that_its_person_wants() -> None:
    assert link(locale="zh-TW").subject == "啟用您在 ACME Crates 的帳號"
    assert code(locale="de-AT").subject == "Ihr Anmeldecode für ACME Crates"
    assert notice("account_locked", locale="fr-CA").subject == "Votre compte est verrouillé – votre compte ACME Crates"
    assert link(locale="tlh").subject == "Activate your account at ACME Crates"


# --- sentences ------------------------------------------------------------------------------------------------


def test_numbers_are_counted_as_the_language_does() -> None:
    left = counted("left", "%(left)s of them is left.", "%(left)s of them are left.")
    said = {
        tag: [Language(tag).say(left, {"left": str(number)}) for number in (0, 1, 2)] for tag in ("en", "es", "zh-Hant")
    }
    assert said["en"] == ["0 of them are left.", "1 of them is left.", "2 of them are left."]
    assert said["es"] == ["Quedan 0.", "Queda 1.", "Quedan 2."]
    assert said["zh-Hant"] == ["尚餘 0 組。", "尚餘 1 組。", "尚餘 2 組。"]


def test_a_sentence_is_said_only_where_it_is_true() -> None:
    english = Language("en")
    pair = (given("by", "By %(by)s."), without("by", "By nobody."))
    assert (english.say_all(pair, {"by": "Ray"}), english.say_all(pair, {"by": ""})) == ("By Ray.", "By nobody.")
    with pytest.raises(KeyError):
        english.say_all(pair, {})


def test_what_no_catalog_has_is_said_in_english() -> None:
    assert Language("de").say(Sentence(one="Something new at %(organisation)s.", without="x"), {"x": "", "organisation": "ACME"}) == (
        "Something new at ACME."
    )  # fmt: skip


def test_sentences_of_chinese_have_no_spaces_between_them() -> None:
    assert "。 " not in notice("account_locked", locale="zh-Hant").text.replace("\n", "")


def test_samples_are_never_real() -> None:
    for template, channel in SAMPLES:
        message = sample(template, channel, NOW).message
        assert message.to.endswith(".example")
        if isinstance(message, LinkMessage):
            assert message.url.startswith("https://id.acme.example/")
