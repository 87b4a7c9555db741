"""The logical work that every engine is given: 1,000 people, 20 roles, 50 kinds of resource, 4 actions, about half allowed.

A role allows cells (kind, action); a person holds two of the roles on average; a question is allowed where one of the
person's roles allows its cell. `Grid.allows` is the oracle: what it says is what everybody has to say.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

PEOPLE, ROLES, KINDS = 1000, 20, 50
ACTIONS = ("view", "create", "edit", "delete")
_SHARE = 0.3  # of all cells in each role; two roles then allow 51 %

Cell = tuple[str, str]  # kind, action


@dataclass(frozen=True)
class Question:
    person: UUID
    kind: str
    action: str
    id: str = "1"  # of the resource: the answer depends on its kind alone


@dataclass(frozen=True)
class Grid:
    kinds: tuple[str, ...]
    roles: dict[str, frozenset[Cell]]
    held: dict[UUID, tuple[str, ...]]

    @property
    def people(self) -> list[UUID]:
        return list(self.held)

    def allows(self, asked: Question) -> bool:
        return any((asked.kind, asked.action) in self.roles[role] for role in self.held[asked.person])

    def questions(self, count: int, seed: int = 1) -> list[Question]:
        """So many different ones, in no order."""
        dice, people = random.Random(seed), self.people
        cells = dice.sample(range(len(people) * len(self.kinds) * len(ACTIONS)), count)
        return [self._question(cell, people) for cell in cells]

    def groups(self, count: int, size: int, seed: int = 2) -> Iterator[list[Question]]:
        """Batches: what one person may do, as a page or a list asks it. Each is about somebody else."""
        dice = random.Random(seed)
        cells = [(kind, action) for kind in self.kinds for action in ACTIONS]
        ids = [str(number) for number in range(1, 1 + -(-size // len(cells)))]
        for person in dice.sample(self.people, count):
            places = dice.sample([(*cell, id) for id in ids for cell in cells], size)
            yield [Question(person, *place) for place in places]

    def _question(self, cell: int, people: list[UUID]) -> Question:
        rest, action = divmod(cell, len(ACTIONS))
        person, kind = divmod(rest, len(self.kinds))
        return Question(people[person], self.kinds[kind], ACTIONS[action])


def grid(seed: int = 7) -> Grid:
    """The same one for the same seed."""
    dice = random.Random(seed)
    kinds = tuple(f"kind{number:02}" for number in range(KINDS))
    cells = [(kind, action) for kind in kinds for action in ACTIONS]
    names = [f"role{number:02}" for number in range(ROLES)]
    roles = {name: frozenset(cell for cell in cells if dice.random() < _SHARE) for name in names}
    people = [UUID(int=dice.getrandbits(128), version=4) for _ in range(PEOPLE)]
    held = {person: tuple(sorted(dice.sample(names, dice.choice((1, 2, 2, 3))))) for person in people}
    return Grid(kinds, roles, held)
