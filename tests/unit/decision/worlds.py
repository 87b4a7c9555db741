"""Random catalogues, organisations, people and questions: small, so that targets meet, nest and cross all the time.

Everything is thrown with dice, `random_world(Random(7))`; the strategies hand over dice of Hypothesis's own, so that
what it finds shrinks to the smallest that shows the fault: each throw is written with the plainest outcome first.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st

from staffgate.contracts.authz import BaseAction, Entry, Grant, Item, Role, Target
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import StaffStatus
from staffgate.contracts.level import AccessLevel, DataAccess, Level
from staffgate.decision import (
    Catalogue,
    Facts,
    Feature,
    Holding,
    Manifest,
    Organisation,
    ProductAccess,
    Question,
    Section,
)
from tests.unit.decision.extents import Extents, Path

long = os.environ.get("STAFFGATE_LONG")
many = settings(max_examples=10_000 if long else 300, deadline=None)
some = settings(max_examples=10_000 if long else 60, deadline=None)

Any_ = TypeVar("Any_")
BASE: tuple[BaseAction, ...] = ("view", "create", "edit", "delete", "download", "approve")
KINDS = ("inbox", "number", "ivr", "recording")
CHANNELS = ("phone", "email", "sms", "webchat", "facebook", "whatsapp")
JANE, RAY, LAYA = (UUID(int=number) for number in (0xA, 0xB, 0xC))
COMPANY, SALES, INSIDE, SUPPORT = (str(UUID(int=number)) for number in (0x1A, 0x1B, 0x1C, 0x1D))
BELOW = {COMPANY: (COMPANY, SALES, INSIDE, SUPPORT), SALES: (SALES, INSIDE), INSIDE: (INSIDE,), SUPPORT: (SUPPORT,)}
CONTRACTS, TENANTS, SUBSCRIBERS = ("7", "8"), ("acme", "beta"), ("101", "102")
EVERYWHERE = (
    Manifest(
        "talk",
        "Channels",
        (Section("channels", "Channels", None, ("channel",), rows=False),),
        (Feature("channel.operate", "Operate a channel", "channels", "create"),),
    ),
    Manifest(
        "portal",
        "Portal",
        (Section("portal", "Portal", rows=False),),
        (Feature("portal.login", "Log in to the portal", "portal", "view"),),
    ),
)


class World(NamedTuple):
    """`items` by `type:id`, and `teams` by owner: what whoever asks looks up before asking."""

    manifests: list[Manifest]
    facts: Facts
    questions: list[Question]
    items: dict[str, Item]
    teams: dict[str, str]

    @property
    def catalogue(self) -> Catalogue:
        return Catalogue.from_manifests(self.manifests)

    def but(self, **changes: Any) -> Facts:
        """The same facts, some of them changed."""
        return Facts(**{name: getattr(self.facts, name) for name in Facts.__struct_fields__} | changes)


def complete(world: World, question: Question) -> Question:
    """The question as the engine is asked it: with what the registry and the team tree know of its resource."""
    properties = described(world, question.type, question.id, question.properties)
    to = properties.get("destination")
    if isinstance(to, dict) and isinstance(told := to.get("properties", {}), dict):
        to = {**to, "properties": described(world, to.get("type"), to.get("id"), told)}
        properties = {**properties, "destination": to}
    return Question(question.action, question.type, question.id, properties)


def described(world: World, kind: Any, name: Any, properties: Mapping[str, Any]) -> Mapping[str, Any]:
    question = Question("", kind, name, properties).about(world.items.get(f"{kind}:{name}"))
    return question.completed(world.teams).properties


# --- throws ---------------------------------------------------------------------------------------------------


def one_in(dice: Random, number: int) -> bool:
    return dice.randrange(number) == number - 1


def maybe(dice: Random, number: int, choices: Sequence[Any_]) -> Any_ | None:
    """One of the choices, once in so many throws; otherwise none."""
    return dice.choice(choices) if one_in(dice, number) else None


def subset(dice: Random, choices: Iterable[Any_]) -> tuple[Any_, ...]:
    return tuple(choice for choice in choices if dice.randrange(2))


def products(dice: Random) -> list[Manifest]:
    names = [f"s{number}" for number in range(dice.randint(1, 5))]
    parents: dict[str, str | None] = {}
    owners: dict[str, str] = {}
    for index, name in enumerate(names):
        # Sub-sections are likelier than not: a flat catalogue has nothing to narrow.
        parents[name] = dice.choice([*names[:index] * 3, None])
        owners[name] = owners.get(parents[name] or "", f"p{dice.randrange(min(index, 2) + 1)}")
    holders = {kind: dice.choice(names) for kind in KINDS}
    sections = [
        Section(name, name, parents[name], tuple(kind for kind in KINDS if holders[kind] == name), not one_in(dice, 10))
        for name in names
    ]
    near = ["s0", "s0", *names]
    features = [
        Feature("call.route", "Route", dice.choice(near), dice.choice(["edit", "edit", "edit", *BASE])),
        Feature("sms.send", "Send", dice.choice(near), "create"),
        Feature("recording.listen", "Listen", dice.choice([holders["recording"], *near]), "view"),
        Feature("any.thing", "Any", dice.choice(near), dice.choice(BASE)),
        Feature("call.click", "Click-to-call", dice.choice(near), "create"),
        Feature("s0.edit", "A general action, listed", "s0", "edit"),
    ]
    features = features[: dice.choice([6, 6, 6, 3, 1, 0])]
    made = [
        Manifest(
            product,
            product,
            tuple(section for section in sections if owners[section.name] == product),
            tuple(feature for feature in features if owners[feature.section] == product),
        )
        for product in sorted({*owners.values()})
    ]
    return [*made, *EVERYWHERE]


def target(dice: Random, extents: Extents, focus: Path = ()) -> Target:
    """Any product or section with any feature and any item: some cannot be together, and then nothing is inside.

    Of two, one is somewhere along the path of `focus`, if there is one, or along that of a channel.
    """
    if focus and one_in(dice, 6):
        focus = extents.path("channel", "phone")
    contract, tenant = maybe(dice, 4, (*CONTRACTS, "7")), maybe(dice, 6, TENANTS)
    if focus and dice.randrange(2) == 0:
        at = dice.choice(focus)
        near = [feature.name for feature in extents.features.values() if feature.section in focus]
        return Target(
            product=at[1:] or None if at.startswith("/") else None,
            section=at if at in extents.sections else None,
            feature=maybe(dice, 3, near) if near else None,
            item=at if ":" in at else None,
            contract=contract,
            tenant=tenant,
        )
    items = [f"{kind}:{name}" for kind in KINDS for name in "ab"] + [f"channel:{name}" for name in CHANNELS[:2]]
    names = [*extents.products, "/fax"]
    return Target(
        product=dice.choice(names)[1:] if dice.randrange(4) == 0 else None,
        section=dice.choice([*extents.sections] * 3 + ["s9"]) if dice.randrange(8) else None,
        feature=maybe(dice, 4, [*extents.features, "fax.send"]),
        item=maybe(dice, 3, items * 4 + ["fax:a", "inbox", "section:s0", ":a"]),
        contract=contract,
        tenant=tenant,
    )


def role(dice: Random, extents: Extents, focus: Path) -> Role:
    name = dice.choice(["agents", "leaders", "agents", "leaders", "sales", "sales", "pbx.basic", "pbx.no-portal"])
    entries = [
        Entry(target=target(dice, extents, focus), actions=subset(dice, BASE) if dice.randrange(6) else ())
        for _ in range(dice.randrange(5) if name != "pbx.no-portal" else 0)
    ]
    below = role(dice, extents, focus) if one_in(dice, 4) else None
    return Role(id=name, name=name, data_access=dice.choice([*DataAccess]), entries=tuple(entries), builds_on=below)


def holding(dice: Random, extents: Extents, focus: Path, number: int) -> Holding:
    return Holding(
        id=UUID(int=number),
        role=role(dice, extents, focus),
        contract=maybe(dice, 5, CONTRACTS),
        tenant=maybe(dice, 5, TENANTS),
    )


def facts(dice: Random, extents: Extents, focus: Path = (), **fixed: Any) -> Facts:
    names = [product[1:] for product in extents.products]
    contracts = {key: subset(dice, names) for key in CONTRACTS}
    team = dice.choice([*BELOW])
    grants = [(target(dice, extents, focus), dice.choice([*Level])) for _ in range(dice.choice([0, 0, 1, 2, 3, 5, 8]))]
    access = {
        (dice.choice(CONTRACTS), dice.choice(names)): dice.choice([*AccessLevel]) for _ in range(dice.randrange(4))
    }
    held = [holding(dice, extents, focus, 300 + number) for number in range(dice.choice([0, 1, 1, 2, 2, 3]))]
    varied: dict[str, Any] = {
        "staff": JANE,
        "revision": dice.randint(1, 9),
        "org_active": not one_in(dice, 32),
        "type": dice.choice([StaffType.STANDARD] * 12 + [StaffType.OWNER, StaffType.ADMINISTRATOR]),
        "status": dice.choice([StaffStatus.ACTIVE] * 30 + [StaffStatus.INVITED, StaffStatus.SUSPENDED]),
        "default_level": dice.choice([*Level]),
        "route_anywhere": one_in(dice, 3),
        "grants": tuple(
            Grant(id=UUID(int=100 + number), target=at, level=level) for number, (at, level) in enumerate(grants)
        ),
        "access": tuple(
            ProductAccess(id=UUID(int=200 + number), contract=contract, product=product, level=level)
            for number, ((contract, product), level) in enumerate(access.items())
        ),
        "roles": tuple(held),
        "team": team,
        "teams": BELOW[team],
        "tenants": tuple(tenant for tenant in TENANTS if dice.randrange(6)),
        "subscribers": subset(dice, SUBSCRIBERS),
        "organisation": Organisation(contracts, TENANTS),
    }
    return Facts(**(varied | fixed))


def attributes(dice: Random, every: int) -> dict[str, str]:
    """Whose a row is, and where: each attribute once in `every` throws or less."""
    thrown = {
        "owner": maybe(dice, every, [str(JANE), str(RAY), str(LAYA)]),
        "team": maybe(dice, every * 2, [*BELOW]),
        "subscriber": maybe(dice, every * 2, SUBSCRIBERS),
        "tenant": maybe(dice, every * 2, ["acme", *TENANTS]),
        "contract": maybe(dice, every * 2, [*CONTRACTS, "7"]),
        "channel": maybe(dice, every * 5, ["phone", *CHANNELS[:3]]),
    }
    return {name: value for name, value in thrown.items() if value is not None}


def items(dice: Random, extents: Extents) -> dict[str, Item]:
    return {
        f"{kind}:{name}": Item(type=kind, id=name, section=path[1], label=name, **attributes(dice, 3))
        for kind in KINDS
        for name in "ab"
        if one_in(dice, 3) and (path := extents.path(kind, name))
    }


def properties(dice: Random) -> dict[str, Any]:
    """As a product describes a row; now and then with what nobody knows, or with what cannot be meant."""
    told: dict[str, Any] = attributes(dice, 2) | ({"colour": 7} if one_in(dice, 8) else {})
    if one_in(dice, 8):
        unknown = {"tenant": "gamma", "contract": "9", "channel": "fax", "subscriber": "999", "owner": "", "team": "?"}
        name = dice.choice([*unknown])
        told[name] = dice.choice([unknown[name], str(told.get(name, "")).upper(), "", None])
    if one_in(dice, 40):
        told[dice.choice(["owner", "team", "subscriber", "tenant", "contract", "channel"])] = dice.choice(
            [7, True, ["acme"], {"id": "7"}, b"7", 0]
        )
    return told


def resource(dice: Random, extents: Extents, section: str = "", focus: Path = ()) -> tuple[str, str]:
    """Any resource; most often one inside the section that is wanted, and of those the one in focus."""
    if section in focus and ":" in focus[0] and dice.randrange(2) == 0:
        kind, _, name = focus[0].partition(":")
        return kind, name
    kinds = [kind for kind in (*KINDS, "channel") if section in extents.path(kind, "a")]
    inside = [("section", name) for name in extents.sections if section in extents.path("section", name)]
    if (kinds or inside) and dice.randrange(8):
        return dice.choice(
            [*inside, *((kind, name) for kind in kinds for name in ("a", "b", "a", "b", "phone", "", "a:b"))]
        )
    anything = [("section", name) for name in (*extents.sections, "s9", "/p0", "/")]
    anything += [("product", name) for name in ("p0", "p1", "talk", "fax", "", "s0")]
    return dice.choice(
        [*anything, *((kind, name) for kind in (*KINDS, "channel", "fax", "") for name in ("a", "phone"))]
    )


def destination(dice: Random, extents: Extents) -> dict[str, Any]:
    odd: list[Any] = [None, 7, "ivr:a", [], {}, {"type": "ivr"}, {"type": "ivr", "id": 7}, {"type": [], "id": "a"}]
    odd += [{"type": "ivr", "id": "a", "properties": malformed} for malformed in [7, [], {"owner": 7}, None, "a"]]
    broken = [{}, *({"destination": one} for one in odd)]
    if one_in(dice, 10):
        return dice.choice(broken)
    kind, name = resource(dice, extents, dice.choice([*extents.sections]))
    there = {"type": kind, "id": name}
    return {"destination": there | ({"properties": properties(dice)} if dice.randrange(2) else {})}


def question(dice: Random, extents: Extents, focus: Path = ()) -> Question:
    section = dice.choice([*focus, *extents.sections])
    general = f"{section if section in extents.sections else 's0'}.{dice.choice(BASE)}"
    routes = [name for name in extents.features if name == "call.route"]
    action = dice.choice([*extents.features, *routes, general, general, general, general])
    if one_in(dice, 30):
        action = dice.choice(["product.use", "", "fax.send", "s0.fly", "s9.view", "view"])
    if one_in(dice, 25):
        return Question("product.use", *dice.choice([("product", p[1:]) for p in extents.products]), properties(dice))
    section = extents.features[action].section if action in extents.features else action.rpartition(".")[0]
    return Question(action, *resource(dice, extents, section, focus), properties(dice) | destination(dice, extents))


# --- worlds ---------------------------------------------------------------------------------------------------


def random_world(dice: Random, asking: Random | None = None, **fixed: Any) -> World:
    """A catalogue, a person, fifteen questions, and the items and owners that they may be about."""
    made = products(dice)
    extents = Extents(made, (), CONTRACTS, TENANTS)
    kind, name = dice.choice(KINDS), dice.choice("ab")
    focus = extents.path(kind, name)
    person = facts(dice, extents, focus, **fixed)
    registered = items(dice, extents)
    teams = {str(JANE): person.team or COMPANY, str(RAY): dice.choice([*BELOW]), str(LAYA): dice.choice([*BELOW])}
    questions = [question(asking or dice, extents, focus) for _ in range(15)]
    return World(made, person, questions, registered, teams)


@st.composite
def worlds(draw: st.DrawFn, /, **fixed: Any) -> World:
    # People shrink to the smallest that shows a fault. Questions need an even spread more, and are thrown with dice.
    dice, asking = draw(st.randoms(use_true_random=False)), draw(st.randoms(use_true_random=True))
    return random_world(dice, asking, **fixed)


def working(**fixed: Any) -> st.SearchStrategy[World]:
    """Worlds in which nothing but the gates that a question names, the tiers and the rows can say no."""
    active = {"org_active": True, "type": StaffType.STANDARD, "status": StaffStatus.ACTIVE}
    return worlds(**(active | fixed))


def targets(catalogue: Catalogue) -> st.SearchStrategy[Target]:
    extents = Extents(catalogue.manifests, (), CONTRACTS, TENANTS)
    return st.randoms(use_true_random=False).map(lambda dice: target(dice, extents))
