"""What a question is completed with, and that all of it is of one revision."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from staffgate.decision import Question, Verdict
from staffgate.mirror import Mirror, NotReached
from tests.unit.mirror.simulation import Probe
from tests.unit.mirror.world import (
    ACME,
    CATALOGUE,
    HAN,
    JANE,
    LAYA,
    LUKE,
    OTHER,
    SlowSource,
    World,
    settled,
    team_name,
)

INBOX = Question("sms.view", "inbox", "sales")


class Suite:
    def __init__(self, probe: Probe) -> None:
        self.world = World()
        self.source = SlowSource(self.world, open=True)
        self.mirror = Mirror(self.source, CATALOGUE, self.world.time, size=100, bound=3.0)
        self.mirror.hearing()
        self._probe = probe

    async def seen(self, question: Question, who: UUID = JANE) -> Any:
        """The properties with which it came to the engine."""
        return self.properties(await self.mirror.decide(who, question))

    def properties(self, verdict: Verdict) -> Any:
        return self._probe.question(verdict).properties


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> Suite:
    return Suite(Probe(monkeypatch))


async def test_what_is_registered_wins_over_what_is_said(suite: Suite) -> None:
    suite.world.change_item(ACME, "sales", None)
    asked = Question("sms.view", "inbox", "sales", {"subscriber": "mine", "contract": "7"})
    assert await suite.seen(asked) == {"subscriber": "v1", "contract": "7"}
    unregistered = Question("sms.view", "inbox", "support", {"subscriber": "mine"})
    assert await suite.seen(unregistered) == {"subscriber": "mine"}


async def test_a_row_is_where_its_owner_is(suite: Suite) -> None:
    suite.world.change_person(HAN, team=2)
    row = {"owner": str(HAN)}
    assert await suite.seen(Question("contacts.view", "contact", "c1", row)) == row | {"team": team_name(HAN, 2)}
    suite.mirror.announced(suite.world.change_person(HAN, team=1))
    assert await suite.seen(Question("contacts.view", "contact", "c1", row)) == row | {"team": team_name(HAN, 1)}
    said = row | {"team": "another"}
    assert await suite.seen(Question("contacts.view", "contact", "c1", said)) == said


async def test_a_registered_items_owner_is_looked_up_too(suite: Suite) -> None:
    suite.world.change_item(ACME, "sales", HAN)
    found = await suite.seen(INBOX)
    assert (found["owner"], found["team"]) == (str(HAN), team_name(HAN, 0))


async def test_a_destination_is_described_like_anything_else(suite: Suite) -> None:
    suite.world.change_item(ACME, "sales", HAN)
    there = {"type": "inbox", "id": "sales", "properties": {"contract": "7"}}
    found = await suite.seen(Question("call.route", "number", "office", {"destination": there}))
    own = {"owner": str(HAN), "team": team_name(HAN, 0), "subscriber": "v1"}
    assert found["destination"] == {"type": "inbox", "id": "sales", "properties": {"contract": "7"} | own}
    assert await suite.seen(Question("sms.view", "section", "sms", {"destination": there})) == {"destination": there}


@pytest.mark.parametrize(
    "destination", [None, "inbox:sales", {"type": 1, "id": "x"}, {"type": "inbox", "id": "sales", "properties": [1]}]
)
async def test_a_destination_that_is_none_goes_to_the_engine_as_it_is(suite: Suite, destination: Any) -> None:
    asked = {"destination": destination}
    assert await suite.seen(Question("call.route", "number", "office", asked)) == asked


@pytest.mark.parametrize("owner", [str(LAYA), str(UUID(int=99)), "nobody at all", 7, None])
async def test_nobody_of_this_organisation_is_in_no_team_of_it(suite: Suite, owner: Any) -> None:
    row = {"owner": owner}
    assert await suite.seen(Question("contacts.view", "contact", "c1", row)) == row


async def test_for_whom_the_gate_is_closed_nothing_is_loaded(suite: Suite) -> None:
    await suite.mirror.decide(UUID(int=99), INBOX)
    assert suite.source.reads == [UUID(int=99)]


async def test_many_questions_load_what_they_need_once(suite: Suite) -> None:
    suite.world.change_item(ACME, "sales", HAN)
    suite.world.change_item(ACME, "support", LUKE)
    rows = [Question("sms.view", "inbox", id) for id in ("sales", "support", "other") * 50]
    for deaf in (True, False):
        suite.source.reads.clear()
        if deaf:
            suite.mirror.deaf()
        else:
            suite.mirror.hearing()
        verdicts = await suite.mirror.decide_all(JANE, rows)
        assert [suite.properties(one).get("owner") for one in verdicts[:3]] == [str(HAN), str(LUKE), None]
        assert sorted(map(str, suite.source.reads)) == sorted(map(str, [JANE, (ACME, "inbox"), HAN, LUKE]))
    assert [await suite.mirror.decide(JANE, row) for row in rows] == verdicts


async def test_the_registry_of_a_type_that_there_is_not_is_empty(suite: Suite) -> None:
    assert (await suite.mirror.registry(ACME, "spaceship")).items == {}
    assert not suite.source.reads


# --- one revision ---------------------------------------------------------------------------------------------


async def test_an_old_part_is_not_used_next_to_a_newer_one(suite: Suite) -> None:
    """Ray puts Jane out, then registers the inbox as the team's. Whoever knows of the inbox knows that she is out."""
    await suite.mirror.decide(JANE, Question("sms.view", "section", "sms"))
    suite.world.change_person(JANE, team=1)  # neither was heard here yet
    suite.world.change_item(ACME, "sales", HAN)
    verdict = await suite.mirror.decide(JANE, INBOX)
    assert suite.properties(verdict)["subscriber"] == "v1", "the newer part is used"
    assert verdict.snapshot.team == team_name(JANE, 1), "and so the old one may not be"
    assert verdict.revision == 3


@pytest.mark.parametrize("who", [JANE, HAN])
async def test_each_part_may_be_the_old_one(suite: Suite, who: UUID) -> None:
    suite.world.change_item(ACME, "sales", HAN)
    await suite.mirror.decide(JANE, INBOX)
    suite.world.change_person(who, team=1)
    suite.mirror.changed(ACME, [], ["inbox"], suite.world.change_item(ACME, "sales", HAN).revision)
    verdict = await suite.mirror.decide(JANE, INBOX)
    about = suite.properties(verdict)
    assert about["subscriber"] == "v2"
    assert about["team"] == team_name(HAN, who == HAN)
    assert verdict.snapshot.team == team_name(JANE, who == JANE)


async def test_an_old_part_that_nothing_has_concerned_is_not_loaded_again(suite: Suite) -> None:
    await suite.mirror.decide(JANE, Question("sms.view", "section", "sms"))
    suite.mirror.announced(suite.world.change_item(ACME, "sales", None))
    verdict = await suite.mirror.decide(JANE, INBOX)
    assert suite.source.reads == [JANE, (ACME, "inbox")]
    assert verdict.revision == 2, "it is right at that revision, too"


async def test_deaf_the_parts_are_of_one_revision_too(suite: Suite) -> None:
    suite.mirror.deaf()
    suite.world.change_item(ACME, "sales", HAN)
    suite.source.open = False
    task = asyncio.create_task(suite.mirror.decide(JANE, INBOX))
    await _step(suite)  # Jane
    suite.world.change_person(JANE, team=1)
    while not task.done():
        await _step(suite)  # the inboxes, newer, and whatever it takes
    assert (await task).snapshot.team == team_name(JANE, 1)
    assert suite.source.reads == [JANE, (ACME, "inbox"), HAN, JANE]


async def test_where_nobody_was_somebody_may_be_by_now(suite: Suite) -> None:
    """That somebody was nobody has no revision, so it is read again once anything newer has been."""
    suite.mirror.deaf()
    new = UUID(int=77)
    suite.world.change_item(ACME, "sales", new)
    suite.source.open = False
    task = asyncio.create_task(
        suite.mirror.decide_all(JANE, [INBOX, Question("sms.view", "number", "1", {"owner": str(HAN)})])
    )
    for _ in range(3):  # Jane, inboxes and numbers
        await _step(suite)
    await settled()
    stranger, han = suite.source.running
    stranger.begin.set()  # reads that there is nobody
    await settled()
    suite.world.add_person(ACME, new)
    han.begin.set()  # and Han as he was after that
    await settled()
    stranger.end.set()
    han.end.set()
    while not task.done():
        await _step(suite)
    verdicts = await task
    assert suite.properties(verdicts[0])["team"] == team_name(new, 0)


async def test_a_source_that_is_behind_gives_no_answer(suite: Suite) -> None:
    """It goes on bringing an old part next to a newer one: none, rather than one from both."""
    await suite.mirror.standing(HAN)
    old = await suite.mirror.standing(JANE)
    suite.world.change_item(ACME, "sales", HAN)

    async def behind(*_: object) -> Any:
        return old

    suite.source.standing = behind  # type: ignore[method-assign, assignment]
    with pytest.raises(NotReached):
        await suite.mirror.decide(JANE, INBOX)


async def _step(suite: Suite) -> None:
    await settled()
    for read in suite.source.running[:1]:
        read.begin.set()
        await settled()
        read.end.set()
    await settled()


__all__ = ["OTHER"]
