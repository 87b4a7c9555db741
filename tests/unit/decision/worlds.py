"""Random catalogues, people and questions: small, so that targets meet, nest and cross all the time."""

from __future__ import annotations

import os
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st

from staffgate.contracts.authz import Grant, Target
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import StaffStatus
from staffgate.contracts.level import Level
from staffgate.decision import Catalogue, Facts, Feature, Manifest, Question, Section

long = os.environ.get("STAFFGATE_LONG")
many = settings(max_examples=10_000 if long else 300, deadline=None)
some = settings(max_examples=10_000 if long else 60, deadline=None)

BASE = ("view", "create", "edit", "delete", "download", "approve")
KINDS = ("inbox", "number", "ivr")


class World(NamedTuple):
    manifests: list[Manifest]
    facts: Facts
    questions: list[Question]

    @property
    def catalogue(self) -> Catalogue:
        return Catalogue.from_manifests(self.manifests)

    def but(self, **changes: Any) -> Facts:
        """The same facts, some of them changed."""
        return Facts(**{name: getattr(self.facts, name) for name in Facts.__struct_fields__} | changes)


@st.composite
def manifests(draw: st.DrawFn) -> list[Manifest]:
    names = [f"s{number}" for number in range(draw(st.integers(1, 5)))]
    # Sub-sections are likelier than not: a flat catalogue has nothing to narrow.
    parents = [draw(st.sampled_from([*names[:index] * 3, None])) for index in range(len(names))]
    holders = [draw(st.sampled_from(names)) for _ in KINDS]
    sections = [
        Section(name, name, parent, tuple(kind for kind, holder in zip(KINDS, holders, strict=True) if holder == name))
        for name, parent in zip(names, parents, strict=True)
    ]
    high = st.sampled_from(["s0", "s0", *names])
    features = [
        Feature("call.route", "Route", draw(high), draw(st.sampled_from(["edit"] * 4 + [*BASE]))),
        Feature("sms.send", "Send", draw(high), "create"),
        Feature("any.thing", "Any", draw(high), draw(st.sampled_from(BASE))),
        Feature("s0.edit", "A general action, listed", "s0", "edit"),
    ]
    return [
        Manifest("product", "Product", tuple(sections), tuple(features[: draw(st.sampled_from([4, 4, 4, 3, 1, 0]))]))
    ]


def targets(catalogue: Catalogue) -> st.SearchStrategy[Target]:
    """Any section with any feature and any item: some cannot be together, and then nothing is inside."""
    items = [f"{kind}:{name}" for kind in KINDS for name in ("a", "b")]
    return st.builds(
        Target,
        section=st.sampled_from([*catalogue.sections] * 4 + ["s9"]),
        feature=st.sampled_from([None] * 4 + [*catalogue.features] + ["fax.send"]),
        item=st.sampled_from([None] * 8 + items * 2 + ["fax:a", "inbox", "section:s0", ":a"]),
    )


def facts(catalogue: Catalogue, **fixed: Any) -> st.SearchStrategy[Facts]:
    pairs = st.lists(st.tuples(targets(catalogue), st.sampled_from(Level)), max_size=8)
    varied: dict[str, Any] = {
        "staff": st.just(UUID(int=1)),
        "revision": st.integers(1, 9),
        "org_active": st.sampled_from([True] * 15 + [False]),
        "type": st.sampled_from([StaffType.STANDARD] * 15 + [*StaffType]),
        "status": st.sampled_from([StaffStatus.ACTIVE] * 15 + [*StaffStatus]),
        "default_level": st.sampled_from(Level),
        "route_anywhere": st.sampled_from([False, False, True]),
        "grants": pairs.map(
            lambda found: tuple(
                Grant(id=UUID(int=number), target=target, level=level) for number, (target, level) in enumerate(found)
            )
        ),
    }
    return st.builds(Facts, **(varied | {name: st.just(value) for name, value in fixed.items()}))


def resource(catalogue: Catalogue, dice: Random, section: str = "") -> tuple[str, str]:
    """Any resource; of three, two inside the section where one is wanted."""
    sections = [("section", name) for name in (*catalogue.sections, "s9")]
    everything = sections + [(kind, name) for kind in (*KINDS, "fax") for name in ("a", "b", "a", "b", "c", "", "a:b")]
    inside = [found for found in everything if section in (catalogue.path(*found) or ())]
    return dice.choice(inside if inside and dice.random() < 0.8 else everything)


def destination(catalogue: Catalogue, dice: Random) -> dict[str, Any]:
    broken = [{}, *({"destination": value} for value in (None, 7, "ivr:a", [], {}, {"type": "ivr"}))]
    broken += [{"destination": {"type": "ivr", "id": 7}}, {"destination": {"type": [], "id": "a"}}]
    kind, name = resource(catalogue, dice)
    return dice.choice(broken) if dice.random() < 0.1 else {"destination": {"type": kind, "id": name}}


def question(catalogue: Catalogue, dice: Random) -> Question:
    if dice.random() < 0.03:
        action = dice.choice(["", "fax.send", "s0.fly", "s9.view", "view"])
    else:
        action = dice.choice([*catalogue.features] * 3 + dice.sample([*catalogue.actions], 6))
    section = catalogue.actions[action].section if action in catalogue.actions else ""
    return Question(action, *resource(catalogue, dice, section), destination(catalogue, dice))


@st.composite
def worlds(draw: st.DrawFn, **fixed: Any) -> World:
    published = draw(manifests())
    catalogue = Catalogue.from_manifests(published)
    # People shrink to the smallest that shows a fault. Questions need an even spread more, and are thrown with dice.
    dice = draw(st.randoms(use_true_random=True))
    return World(published, draw(facts(catalogue, **fixed)), [question(catalogue, dice) for _ in range(15)])


def working(**fixed: Any) -> st.SearchStrategy[World]:
    """Worlds in which nothing but the tiers can say no."""
    active = {"org_active": True, "type": StaffType.STANDARD, "status": StaffStatus.ACTIVE}
    return worlds(**(active | fixed))
