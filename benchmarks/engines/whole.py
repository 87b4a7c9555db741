"""The whole model, all of it at once: what `roster.of_model` has, and levels in a product of a contract on top.

Everybody has roles with data access, a team, grants on items, features and a feature of an item, and half of them a
product access level; every fifth question names the contract.
"""

from __future__ import annotations

import random
from uuid import UUID

import msgspec

from benchmarks import roster
from benchmarks.roster import Roster
from staffgate.contracts.level import AccessLevel
from staffgate.decision import Organisation, ProductAccess, Question

CONTRACT = "7"
_ORGANISATION = Organisation({CONTRACT: ("sms", "contacts")})
_LEVELS = (AccessLevel.WITHOUT, AccessLevel.USER, AccessLevel.ADMINISTRATOR)

Asked = tuple[UUID, Question]


def model(seed: int = 11) -> Roster:
    known, dice = roster.of_model(seed), random.Random(seed)
    people = []
    for person in known.people:
        levels = tuple(
            ProductAccess(id=UUID(int=dice.getrandbits(128)), contract=CONTRACT, product=product, level=dice.choice(_LEVELS))
            for product in ("sms", "contacts") if dice.random() < 0.5
        )  # fmt: skip
        people.append(msgspec.structs.replace(person, access=levels, organisation=_ORGANISATION))
    return Roster(tuple(people), known.roles, known.items, known.teams)


def questions(known: Roster, count: int, seed: int = 12) -> list[Asked]:
    """So many, all different."""
    asked = roster.asked_of_model(known, count + count // 3, seed)
    found: dict[object, Asked] = {}
    for number, (who, question) in enumerate(asked):
        if number % 5 == 0:
            properties = {**question.properties, "contract": CONTRACT}
            question = Question(question.action, question.type, question.id, properties)
        found.setdefault(
            (who, question.action, question.type, question.id, *question.properties.items()), (who, question)
        )
    different = list(found.values())[:count]
    if len(different) < count:
        raise ValueError(f"only {len(different)} different questions")
    return different
