"""Decisions that are remembered: looked up, and never one of before."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
import pytest

from staffgate.contracts.authz import Entry, Grant, Role, Target
from staffgate.contracts.level import DataAccess, Level
from staffgate.decision import Catalogue, Facts, Holding, Question, shipped, stranger
from staffgate.mirror import Mirror, Standing, answers
from staffgate.mirror.answers import wording
from staffgate.mirror.asking import _number
from tests.unit.mirror.test_mirror import PAGE, Suite
from tests.unit.mirror.world import ACME, CATALOGUE, HAN, JANE, LUKE, SlowSource, World

SEND = Question("sms.send", "inbox", "sales")


@pytest.fixture
def suite() -> Suite:
    return Suite()


def recalled(suite: Suite, who: UUID = JANE, question: Question = PAGE) -> bool:
    words = wording(who.int, question)
    assert words is not None
    found = suite.mirror.recall(words)
    if not question.properties:
        assert suite.mirror.recall_all(who.int, [words[1:]]) == [found], "many at once are recalled as each alone"
    return found is not None


async def asked(suite: Suite, who: UUID = JANE, question: Question = PAGE) -> None:
    await suite.mirror.decide(who, question)
    assert suite.mirror.decide_now(who, question) is not None


async def test_the_same_question_is_looked_up(suite: Suite) -> None:
    assert not recalled(suite)
    await asked(suite)
    first = suite.mirror.decide_now(JANE, PAGE)
    assert recalled(suite)
    assert suite.mirror.decide_now(JANE, Question("sms.view", "section", "sms")) is first
    assert not recalled(suite, question=Question("sms.edit", "section", "sms"))
    assert not recalled(suite, LUKE)


async def test_properties_are_part_of_it(suite: Suite) -> None:
    mine = Question("contacts.view", "contact", "7", {"owner": str(JANE)})
    hans = Question("contacts.view", "contact", "7", {"owner": str(HAN)})
    await asked(suite, JANE, mine)
    assert recalled(suite, JANE, mine)
    assert not recalled(suite, JANE, hans)
    assert not recalled(suite, JANE, Question("contacts.view", "contact", "7"))


@pytest.mark.parametrize("value", [7, True, None, {"type": "ivr", "id": "a"}, ["x"], 1.5])
async def test_what_is_no_text_is_decided_each_time(suite: Suite, value: object) -> None:
    assert wording(JANE.int, Question("contacts.view", "contact", "7", {"owner": value})) is None


async def test_a_change_of_the_person_ends_it_and_nobody_elses(suite: Suite) -> None:
    await asked(suite)
    await asked(suite, LUKE)
    suite.mirror.announced(suite.world.change_person(JANE))
    assert not recalled(suite)
    assert recalled(suite, LUKE)


async def test_a_change_of_the_registry_ends_what_was_made_from_it(suite: Suite) -> None:
    await asked(suite, JANE, SEND)
    await asked(suite)
    suite.mirror.announced(suite.world.change_item(ACME, "sales", HAN))
    assert not recalled(suite, JANE, SEND)
    assert recalled(suite), "that was made from no registry"
    assert suite.mirror.decide_now(JANE, SEND) is None, "it has to be loaded"
    await suite.mirror.registry(ACME, "inbox")
    assert not recalled(suite, JANE, SEND), "it is another item now"


async def test_a_change_of_the_owner_ends_what_asked_for_their_team(suite: Suite) -> None:
    row = Question("contacts.view", "contact", "7", {"owner": str(HAN)})
    await asked(suite, JANE, row)
    suite.mirror.announced(suite.world.change_person(HAN, team=1))
    assert not recalled(suite, JANE, row)


async def test_without_a_sign_for_too_long_nothing_is_recalled(suite: Suite) -> None:
    await asked(suite)
    suite.world.now += 2.9
    assert recalled(suite)
    suite.world.now += 0.1
    assert not recalled(suite), "the bound is 3 s"


async def test_who_is_deaf_recalls_nothing(suite: Suite) -> None:
    await asked(suite)
    suite.mirror.deaf()
    assert not recalled(suite)
    suite.mirror.hearing()
    assert not recalled(suite)


async def test_what_expires_is_not_remembered(suite: Suite) -> None:
    suite.mirror.announced(suite.world.change_person(JANE, expires=suite.world.now + 1))
    await asked(suite)
    assert not recalled(suite)


async def test_a_row_of_somebody_who_expires_is_not_either(suite: Suite) -> None:
    row = Question("contacts.view", "contact", "7", {"owner": str(HAN)})
    suite.mirror.announced(suite.world.change_person(HAN, expires=suite.world.now + 1))
    await asked(suite, JANE, row)
    assert not recalled(suite, JANE, row)


async def test_a_demand_is_answered_at_its_revision(suite: Suite) -> None:
    await asked(suite)
    news = suite.world.change_person(LUKE)
    suite.mirror.announced(news)
    verdict = suite.mirror.decide_now(JANE, PAGE, news.revision)
    assert verdict is not None
    assert verdict.revision == news.revision
    assert suite.mirror.decide_now(JANE, PAGE, news.revision + 1) is None


async def test_another_catalogue_ends_all(suite: Suite) -> None:
    await asked(suite)
    suite.mirror.replace(CATALOGUE)
    assert not recalled(suite)


async def test_no_more_than_so_many_are_remembered() -> None:
    world = World()
    mirror = Mirror(SlowSource(world, open=True), CATALOGUE, world.time, size=100, bound=3.0, answers=10)
    mirror.hearing()
    for number in range(40):
        for who in (JANE, LUKE, HAN):
            question = Question("contacts.view", "contact", str(number))
            await mirror.decide(who, question)
            mirror.decide_now(who, question)
            assert mirror.stats.answers <= 10
    assert mirror.stats.answers > 0


async def test_the_index_of_who_used_what_is_emptied_as_well(suite: Suite) -> None:
    for number in range(20):
        await asked(suite, JANE, Question("contacts.view", "contact", str(number), {"owner": str(HAN)}))
    suite.mirror.announced(suite.world.change_person(JANE))
    found = suite.mirror._answers
    assert (len(found), found.people, found._users, found._grounds, found.by_words) == (0, {}, {}, {}, {})


async def test_what_is_counted_is_what_is_there(suite: Suite) -> None:
    """Those that are shared, and those in their own words."""
    await registered(suite, "sales", "support")
    for item in ("sales", "support", "1", "2", "1", "sales"):
        for who in (JANE, HAN):
            await asked(suite, who, inbox(item))
    suite.mirror.announced(suite.world.change_person(HAN))
    suite.mirror.announced(suite.world.change_item(ACME, "sales", LUKE))
    await asked(suite, JANE, inbox("support"))
    found = suite.mirror._answers
    there = len(found.by_words) + sum(len(person.alike) for person in found.people.values())
    assert len(found) == there == 4, "of Jane: support, 1 and 2, and what the last two share"


# --- while a registry is in doubt ------------------------------------------------------------------------------


def inbox(id: str) -> Question:
    return Question("sms.view", "inbox", id)


async def registered(suite: Suite, *ids: str) -> None:
    for id in ids:
        suite.mirror.announced(suite.world.change_item(ACME, id, JANE))


async def loaded(suite: Suite) -> None:
    await suite.mirror.registry(ACME, "inbox")


async def test_what_is_about_another_item_is_kept_aside_and_not_given(suite: Suite) -> None:
    await registered(suite, "sales", "support")
    await asked(suite, JANE, inbox("sales"))
    await asked(suite, JANE, inbox("support"))
    first = suite.mirror.decide_now(JANE, inbox("support"))
    await registered(suite, "sales")
    assert not recalled(suite, JANE, inbox("support")), "nobody knows yet what has changed"
    await registered(suite, "sales")
    await loaded(suite)
    assert not recalled(suite, JANE, inbox("sales"))
    assert suite.mirror.decide_now(JANE, inbox("support")) is first


async def test_an_item_that_is_told_apart_from_now_on_is_decided_anew(suite: Suite) -> None:
    for item in ("1", "2", "2", "3"):
        await asked(suite, JANE, inbox(item))
    suite.mirror.announced(suite.world.change_item(ACME, "2", HAN))
    assert not recalled(suite, JANE, inbox("4")), "nor is what they share given to one more"
    await loaded(suite)
    assert [recalled(suite, JANE, inbox(item)) for item in "1234"] == [True, False, True, True]


async def test_an_item_of_which_nothing_is_said_any_more_does_not_share_what_was_answered_before(suite: Suite) -> None:
    """What the others share is of a revision at which this one was another: whoever demands that one saw more here."""
    await registered(suite, "2")
    for item in ("1", "2"):
        await asked(suite, JANE, inbox(item))
    own = suite.mirror.decide_now(JANE, inbox("2"))
    suite.mirror.announced(suite.world.remove_item(ACME, "2"))
    await loaded(suite)
    found, shared = suite.mirror.decide_now(JANE, inbox("2")), suite.mirror.decide_now(JANE, inbox("1"))
    assert found is not None
    assert shared is not None
    assert found is not own
    assert found.revision == suite.world.state(ACME).revision > shared.revision


async def test_of_what_is_gone_not_any_number_is_known(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "_MOST_GONE", 3)
    await asked(suite, JANE, inbox("1"))
    for number in range(3):
        await registered(suite, f"old{number}")
        await loaded(suite)
        suite.mirror.announced(suite.world.remove_item(ACME, f"old{number}"))
        await loaded(suite)
    assert recalled(suite, JANE, inbox("1"))
    suite.mirror.announced(suite.world.change_item(ACME, "new", HAN))
    await loaded(suite)
    assert recalled(suite, JANE, inbox("1")), "there is room for what is there"
    suite.mirror.announced(suite.world.remove_item(ACME, "new"))
    await loaded(suite)
    await registered(suite, "newer", "newest")
    await loaded(suite)
    for name in ("newer", "newest"):
        suite.mirror.announced(suite.world.remove_item(ACME, name))
    await loaded(suite)
    assert not recalled(suite, JANE, inbox("1"))


async def test_by_a_former_name_of_the_type_it_is_the_same_item() -> None:
    """What differs is known by the id; in which words it was asked about does not matter."""
    manifests = [
        msgspec.structs.replace(one, aliases=msgspec.structs.replace(one.aliases, items={"mailbox": "inbox"}))
        if any("inbox" in section.items for section in one.sections)
        else one
        for one in shipped()
    ]
    suite = Suite()
    suite.mirror.replace(Catalogue.from_manifests(manifests))
    old = Question("sms.view", "mailbox", "2")
    await asked(suite, JANE, old)
    await asked(suite, JANE, old)
    suite.mirror.announced(suite.world.change_item(ACME, "2", HAN))
    await loaded(suite)
    assert not recalled(suite, JANE, old)


async def test_what_was_made_from_other_parts_is_given_meanwhile(suite: Suite) -> None:
    """As often as anybody likes: now and then the parts that it hangs on are looked for."""
    await registered(suite, "2")
    await asked(suite, JANE, inbox("2"))
    await asked(suite)
    await registered(suite, "2")
    assert all(recalled(suite) for _ in range(200))


async def test_a_label_makes_no_difference(suite: Suite) -> None:
    await registered(suite, "2")
    await asked(suite, JANE, inbox("2"))
    old = suite.world.registry(ACME, "inbox")
    relabelled = {"2": msgspec.structs.replace(old.items["2"], label="Sales")}
    suite.mirror._cache.put((ACME.int, "inbox"), msgspec.structs.replace(old, items=relabelled), old.revision)
    assert recalled(suite, JANE, inbox("2"))


async def test_what_is_aside_takes_its_room_and_goes_first() -> None:
    """A registry of 24 items takes that of four people."""
    world = World()
    for number in range(24):
        world.change_item(ACME, str(number), JANE)
    mirror = Mirror(SlowSource(world, open=True), CATALOGUE, world.time, size=9, bound=3.0)
    mirror.hearing()
    for who in (JANE, HAN):
        await decided(mirror, who, "1")
    await mirror.decide(JANE, PAGE)
    mirror.decide_now(JANE, PAGE)
    mirror.announced(world.change_item(ACME, "1", HAN))
    cache = mirror._cache
    assert (cache._weight, len(cache._aside)) == (6, 1)
    for number in range(100, 104):
        cache.put(number, Standing(ACME, stranger(world.state(ACME).revision)), world.state(ACME).revision)
    assert (cache._weight, cache._aside, cache.evicted) == (6, {}, 0)
    assert mirror.stats.answers == 0, "what was made from it went along"
    await decided(mirror, JANE, "1")
    assert cache._weight == len(cache) + 3


async def test_to_register_an_item_takes_no_walk_over_the_answers(suite: Suite) -> None:
    """What was given is all found by one look, and that is what is put out."""
    await registered(suite, "sales")
    for who in (JANE, HAN, LUKE):
        await asked(suite, who, inbox("sales"))
    found = suite.mirror._answers
    words, people = found.by_words, found.people
    found.by_words, found.people = Untouched(), Untouched()
    await registered(suite, "sales")
    found.by_words, found.people = words, people
    assert not any(recalled(suite, who, inbox("sales")) for who in (JANE, HAN, LUKE))


class Untouched(dict[Any, Any]):
    def _touched(self, *_: object) -> Any:
        raise AssertionError("an announcement went through the answers")

    __iter__ = __getitem__ = __delitem__ = __contains__ = get = pop = items = keys = values = _touched


async def test_whoever_is_asked_about_is_not_evicted() -> None:
    """They are in memory, though nobody looks at them any more."""
    world = World()
    mirror = Mirror(SlowSource(world, open=True), CATALOGUE, world.time, size=2, bound=3.0)
    mirror.hearing()
    await mirror.decide(JANE, PAGE)
    for _ in range(3):
        for who in (LUKE, HAN):
            await mirror.decide(who, PAGE)
            for _ in range(33):
                assert mirror.decide_now(JANE, PAGE) is not None


async def test_whoever_is_asked_about_many_things_at_once_is_not_evicted() -> None:
    world = World()
    mirror = Mirror(SlowSource(world, open=True), CATALOGUE, world.time, size=2, bound=3.0)
    mirror.hearing()
    await mirror.decide(JANE, PAGE)
    assert mirror.decide_now(JANE, PAGE) is not None
    for _ in range(3):
        for who in (LUKE, HAN):
            await mirror.decide(who, PAGE)
            for many in (1,) * 33 + (33, 100):
                assert None not in mirror.recall_all(JANE.int, [(PAGE.action, PAGE.type, PAGE.id)] * many)


# --- one answer for many items ---------------------------------------------------------------------------------


class Named(World):
    """Luke's own rule names the inbox 7, and a role of Han's the inbox 8."""

    def standing(self, staff: UUID, resolve: Any) -> Standing | None:
        def with_rules(facts: Facts) -> Any:
            deny = Grant(id=UUID(int=3), target=Target(item="inbox:7"), level=Level.DENY)
            role = Role(
                id="r",
                name="R",
                data_access=DataAccess.FULL,
                entries=(Entry(target=Target(item="inbox:8"), actions=("edit",)),),
            )
            grants = (deny,) if staff == LUKE else ()
            roles = (Holding(id=UUID(int=4), role=role),) if staff == HAN else ()
            return resolve(msgspec.structs.replace(facts, grants=grants, roles=roles))

        return super().standing(staff, with_rules)


def asking(world: World, **sizes: Any) -> Mirror:
    mirror = Mirror(SlowSource(world, open=True), CATALOGUE, world.time, **{"size": 100, "bound": 3.0} | sizes)
    mirror.hearing()
    return mirror


async def decided(mirror: Mirror, who: UUID, *ids: Any, action: str = "sms.read", **said: Any) -> list[bool]:
    for id in ids:
        await mirror.decide(who, Question(action, "inbox", id, said))
    verdicts = [mirror.decide_now(who, Question(action, "inbox", id, said)) for id in ids]
    return [verdict.allowed for verdict in verdicts if verdict is not None]


async def test_items_that_nothing_tells_apart_share_an_answer() -> None:
    mirror = asking(World())
    await decided(mirror, JANE, "1")
    assert mirror.recall((JANE.int, "sms.read", "inbox", "2")) is mirror.recall((JANE.int, "sms.read", "inbox", "1"))
    assert mirror.recall((JANE.int, "sms.read", "section", "sms")) is None


async def test_ids_that_are_asked_for_once_take_no_room() -> None:
    """However many: what is asked for again and again is found in one look all the same."""
    mirror = asking(World(), answers=100)
    for number in range(1000):
        await mirror.decide(JANE, Question("sms.read", "inbox", str(number)))
    few = mirror.stats.answers
    assert few == 1, "the one that all share"
    for _ in range(2):
        await decided(mirror, JANE, "a", "b", "c")
    assert mirror.stats.answers == few + 3
    words = wording(JANE.int, Question("sms.read", "inbox", "b"))
    assert words in mirror._by_words


async def test_two_questions_with_one_place_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "_PLACES", 2)
    mirror = asking(World())
    for number in range(1000):
        await mirror.decide(JANE, Question("sms.read", "inbox", str(number)))
    assert mirror.stats.answers == 1


async def test_an_item_that_a_rule_names_has_its_own() -> None:
    mirror = asking(Named())
    assert await decided(mirror, LUKE, "1", "7", "2") == [True, False, True]
    assert await decided(mirror, HAN, "1", "8", action="sms.edit") == [False, True]


async def test_an_item_that_the_registry_describes_has_its_own() -> None:
    world = World()
    world.change_item(ACME, "sales", HAN)
    mirror = asking(world)
    await decided(mirror, JANE, "1", "sales")
    assert mirror.recall((JANE.int, "sms.read", "inbox", "sales")) is not mirror.recall(
        (JANE.int, "sms.read", "inbox", "1")
    )


@pytest.mark.parametrize("id", [7, UUID(int=7), None, 1.5])
async def test_an_id_that_is_no_text_has_none(id: Any) -> None:
    """It is equal to no text that a rule names, and yet the rule is about it."""
    mirror = asking(Named())
    await decided(mirror, LUKE, "1")
    assert mirror.recall((LUKE.int, "sms.read", "inbox", id)) is None


# --- hostile questions ----------------------------------------------------------------------------------------


async def test_what_is_long_is_not_remembered() -> None:
    mirror = asking(World())
    for question in (
        Question("sms.read", "inbox", "x" * 600),
        Question("sms.read", "i" * 600, "x"),
        Question("s" * 600, "inbox", "x"),
        Question("sms.read", "inbox", "x", {"note": "x" * 600}),
        Question("sms.read", "inbox", "x", {"n" * 600: "x"}),
    ):
        await mirror.decide(JANE, question)
        mirror.decide_now(JANE, question)
    assert mirror.stats.answers == 0


async def test_no_long_text_is_kept_to_be_read_as_a_uuid() -> None:
    _number.cache_clear()
    mirror = asking(World())
    for length in (45, 46, 100_000):
        await decided(mirror, JANE, "1", owner="x" * length)
    assert _number.cache_info().currsize == 1


async def test_rows_of_very_many_owners_are_decided_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "_MOST_PARTS", 2)
    mirror = asking(World())
    await decided(mirror, JANE, "1", owner=str(LUKE))
    await decided(mirror, JANE, "1", owner=str(HAN))
    assert mirror.stats.answers == 1, "one registry and one owner, and no third part"
