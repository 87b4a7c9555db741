"""One question to one snapshot: the gates, the tiers, the rows, the special rules, in the order of the page (sections 2 to 5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from staffgate.decision.actions import NONE, VIEW, Mask
from staffgate.decision.catalogue import (
    CHANNEL,
    LOGIN,
    OPERATE,
    PRODUCT,
    ROUTE,
    SECTION,
    USE,
    Action,
    Catalogue,
    Path,
)
from staffgate.decision.model import Question, Reason
from staffgate.decision.rules import AccessRule, Rule, remaining
from staffgate.decision.shipped import CHANNEL_ITEMS
from staffgate.decision.snapshot import (
    ALL_ROWS,
    DEPARTMENT,
    NOWHERE,
    OWN,
    TEAM,
    Held,
    Reach,
    Snapshot,
    Verdict,
    widest,
)

# Bound once: to read a member of an enumeration costs as much as two look-ups in a dict.
_GRANT = Reason.GRANT
_ROLE = Reason.ROLE
_DEFAULT = Reason.DEFAULT
_PRODUCT_ACCESS = Reason.PRODUCT_ACCESS
_SCOPE = Reason.SCOPE

NO_PORTAL = "pbx.no-portal"
_PBX = "pbx."
_CHANNELS = frozenset(item.id for item in CHANNEL_ITEMS)

# Allowed or not, why, which rows it reaches, and the rule that decided: a plain one, or one of a role that is held.
Ruling = tuple[bool, Reason, Reach, Rule | None, Held | None]
# What a question says of its resource: owner, team, subscriber, tenant, contract, channel.
About = tuple[str | None, str | None, str | None, str | None, str | None, str | None]
# Why a destination can't be routed to, by which rule there, and where it is.
Refusal = tuple[Reason, Rule | None, Held | None, Path]

NOTHING: About = (None, None, None, None, None, None)


def decide(snapshot: Snapshot, catalogue: Catalogue, question: Question) -> Verdict:
    """May they? Denies what it does not know, and never raises (section 7)."""
    if snapshot.closed is not None:
        return Verdict(False, snapshot.closed, False, snapshot)
    action = catalogue.actions.get(question.action)
    if action is None:
        return Verdict(False, Reason.UNKNOWN_ACTION, False, snapshot)
    path = catalogue.path(question.type, question.id)
    if path is None or (action.section not in path and not (action.name == USE and question.type == PRODUCT)):
        unknown = Reason.UNKNOWN_SECTION if path is None and question.type == SECTION else Reason.UNKNOWN_RESOURCE
        return Verdict(False, unknown, False, snapshot)
    about = described(question.properties) if question.properties else NOTHING
    if about is None:
        return Verdict(False, Reason.UNKNOWN_PROPERTY, False, snapshot)
    gate = shut(snapshot, catalogue, action, about)
    if gate is not None:
        return Verdict(False, gate, False, snapshot)
    if action.name == USE:
        return _used(snapshot, path, about)
    return _decided(snapshot, catalogue, question, action, path, about)


def _decided(
    snapshot: Snapshot, catalogue: Catalogue, question: Question, action: Action, path: Path, about: About
) -> Verdict:
    owned = question.type in catalogue.owned
    allowed, reason, reach, rule, held = answered(snapshot, path, action, about, owned)
    if allowed and action.name == ROUTE:
        refusal = unreachable(snapshot, catalogue, question)
        if refusal is not None:
            reason, rule, held, there = refusal
            return Verdict(False, reason, _visible(snapshot, path, about, owned), snapshot, NOWHERE, rule, held, there)
    visible = allowed or _visible(snapshot, path, about, owned)
    return Verdict(allowed, reason, visible, snapshot, reach, rule, held, path)


def _visible(snapshot: Snapshot, path: Path, about: About, owned: bool) -> bool:
    return ruled(snapshot, path, None, VIEW, about, owned)[0]


def answered(snapshot: Snapshot, path: Path, action: Action, about: About, owned: bool) -> Ruling:
    """The tiers, unless a subscriber link says it without them (section 5)."""
    if action.linked and about[2] is not None and about[2] in snapshot.subscribers:
        return True, Reason.SUBSCRIBER, OWN, None, None
    return ruled(snapshot, path, action.feature, action.need, about, owned)


def ruled(snapshot: Snapshot, path: Path, feature: str | None, need: Mask, about: About, owned: bool) -> Ruling:
    """The tiers, and the rows that what they allow reaches (sections 2 and 3)."""
    ruling = judge(snapshot, path, feature, need, about[4], about[3])
    if owned and ruling[0] and ruling[2] != ALL_ROWS:
        refusal = _unreached(snapshot, ruling[2], about)
        if refusal is not None:
            return (False, refusal, *ruling[2:])
    return ruling


def described(properties: Mapping[str, Any]) -> About | None:
    """The attributes that count; None where one of them is no text (section 1)."""
    get = properties.get
    about = (get("owner"), get("team"), get("subscriber"), get("tenant"), get("contract"), get("channel"))
    for value in about:
        if value is not None and not isinstance(value, str):
            return None
    return about


# --- gates ----------------------------------------------------------------------------------------------------


def shut(snapshot: Snapshot, catalogue: Catalogue, action: Action, about: About) -> Reason | None:
    """The gates that the question itself may find shut (section 4)."""
    _, _, _, tenant, contract, channel = about
    if tenant is not None:
        members = snapshot.tenants if snapshot.everything is None else snapshot.organisation.tenants
        if tenant not in members or tenant not in snapshot.organisation.tenants:
            return Reason.NOT_A_MEMBER
    if contract is not None and contract not in snapshot.organisation.contracts:
        return _PRODUCT_ACCESS
    if channel is not None and not operates(snapshot, catalogue, channel, tenant):
        return Reason.CHANNEL
    if action.name == LOGIN and not has_portal(snapshot, contract, tenant):
        return Reason.NO_PORTAL
    return None


def has_portal(snapshot: Snapshot, contract: str | None, tenant: str | None) -> bool:
    """Not those whose only PBX scope is No Portal (section 4)."""
    roles = (held.part.role for held in counting(snapshot, contract, tenant))
    return {role for role in roles if role.startswith(_PBX)} != {NO_PORTAL}


def operates(snapshot: Snapshot, catalogue: Catalogue, channel: str, tenant: str | None) -> bool:
    """May the person operate this channel, in that tenant if one is named (section 4)?"""
    operate = catalogue.actions.get(OPERATE)
    path = catalogue.path(CHANNEL, channel)
    if channel not in _CHANNELS or operate is None or path is None:
        return False
    return judge(snapshot, path, operate.feature, operate.need, None, tenant)[0]


def _used(snapshot: Snapshot, path: Path, about: About) -> Verdict:
    """Every active member may use what a contract carries (section 2)."""
    contracts = snapshot.organisation.contracts
    carrying = contracts.values() if about[4] is None else (contracts[about[4]],)
    carried = any(path[0][1:] in products for products in carrying)
    reason = Reason.PRODUCT_USE if carried else Reason.NOT_SUBSCRIBED
    return Verdict(carried, reason, carried or _visible(snapshot, path, about, False), snapshot)


# --- tiers ----------------------------------------------------------------------------------------------------


def judge(
    snapshot: Snapshot,
    path: Path,
    feature: str | None,
    need: Mask,
    contract: str | None = None,
    tenant: str | None = None,
) -> Ruling:
    """The first tier that says anything about the target decides (section 2)."""
    if snapshot.everything is not None and (contract is None or (contract, path[-2]) not in snapshot.lowered):
        return True, snapshot.everything, ALL_ROWS, None, None
    roles, reach = counting(snapshot, contract, tenant), snapshot.widest
    if snapshot.contextual:
        reach = widest(roles)
    rules = snapshot.grants.about(path, feature, contract, tenant)
    if contract is not None:
        return _in_contract(snapshot, path, feature, need, contract, tenant, roles, reach, rules)
    return (
        (_granted(rules, need, reach) if rules else None)
        or (_allotted(roles, path, feature, need, contract, tenant) if roles else None)
        or (snapshot.default & need != 0, _DEFAULT, reach, None, None)
    )


def counting(snapshot: Snapshot, contract: str | None, tenant: str | None) -> tuple[Held, ...]:
    """The roles held where the question is: what is assigned in a contract or tenant counts only there."""
    if not snapshot.contextual:
        return snapshot.roles
    contracts, tenants = (None, contract), (None, tenant)
    return tuple(held for held in snapshot.roles if held.contract in contracts and held.tenant in tenants)


def _granted(rules: list[Rule], need: Mask, reach: Reach) -> Ruling:
    """Tier 1: all that remain have to allow."""
    on_items = True
    for rule in rules:
        if not rule.mask & need:
            return False, _GRANT, NOWHERE, rule, None
        on_items = on_items and rule.on_item
    return True, _GRANT, ALL_ROWS if on_items else reach, rules[-1], None


def _in_contract(
    snapshot: Snapshot, path: Path, feature: str | None, need: Mask, contract: str, tenant: str | None,
    roles: tuple[Held, ...], reach: Reach, rules: list[Rule],
) -> Ruling:  # fmt: skip
    """A product access level is a rule of tier 1; where nothing says otherwise, it is Without access."""
    product = path[-2]
    access = snapshot.access.get((contract, product))
    if access is None and any(_speaks(held, product, contract, tenant) for held in roles):
        return (
            (_granted(rules, need, reach) if rules else None)
            or _allotted(roles, path, feature, need, contract, tenant)
            or (snapshot.default & need != 0, _DEFAULT, reach, None, None)
        )
    mask, id = (NONE, None) if access is None else (access.mask, access.id)
    level = AccessRule(mask, len(path) - 2, product, None, (contract, None), id)
    found = remaining([*rules, level])
    if level in found and not level.mask & need:
        return False, _PRODUCT_ACCESS, NOWHERE, level, None
    if found == [level]:
        return True, _PRODUCT_ACCESS, reach, level, None
    others = [rule for rule in found if rule is not level]
    return _granted([level, *others] if level in found else others, need, reach)


def _speaks(held: Held, product: str, contract: str, tenant: str | None) -> bool:
    """Does a role say anything about the product, for this contract and tenant?"""
    said = held.part.spoken
    return product in held.part.products and (
        (None, None, product) in said
        or (contract, None, product) in said
        or (None, tenant, product) in said
        or (contract, tenant, product) in said
    )


def _allotted(
    roles: tuple[Held, ...], path: Path, feature: str | None, need: Mask, contract: str | None, tenant: str | None
) -> Ruling | None:
    """Tier 2: the union over the roles; inside one of them all that remain have to allow."""
    best: Ruling | None = None
    product = path[-2]
    for held in roles:
        part = held.part
        if product not in part.products or (best is not None and best[0] and part.reach <= best[2]):
            continue
        rules = part.rules.about(path, feature, contract, tenant)
        if not rules:
            continue
        against = next((rule for rule in rules if not rule.mask & need), None)
        if against is None:
            best = True, _ROLE, part.reach, rules[-1], held
        elif best is None:
            best = False, _ROLE, NOWHERE, against, held
    return best


# --- rows -----------------------------------------------------------------------------------------------------


def _unreached(snapshot: Snapshot, reach: Reach, about: About) -> Reason | None:
    """Why a row is out of reach, None where it is not (section 3)."""
    owner, team, subscriber, _, _, _ = about
    if owner is None and team is None and subscriber is None:
        return Reason.SCOPE_UNKNOWN
    return None if reached(snapshot, reach, owner, team, subscriber) else _SCOPE


def reached(snapshot: Snapshot, reach: Reach, owner: str | None, team: str | None, subscriber: str | None) -> bool:
    """Is a row inside the reach: one's own always, then by its team (section 3)?"""
    if reach == ALL_ROWS or (reach and (owner == snapshot.staff or subscriber in snapshot.subscribers)):
        return True
    if team is None or reach < TEAM:
        return False
    return team in snapshot.teams if reach == DEPARTMENT else team == snapshot.team


# --- routing --------------------------------------------------------------------------------------------------


def unreachable(snapshot: Snapshot, catalogue: Catalogue, question: Question) -> Refusal | None:
    """Routing from an element that may be edited: view on the destination, or the flag (section 5)."""
    there = question.destination
    path = None if there is None or there.type == PRODUCT else catalogue.path(there.type, there.id)
    if there is None or path is None:
        return Reason.UNKNOWN_DESTINATION, None, None, ()
    if snapshot.route_anywhere:
        return None
    about = described(there.properties)
    if about is None or shut(snapshot, catalogue, catalogue.actions[ROUTE], about) is not None:
        return Reason.DESTINATION, None, None, path
    seen, _, _, rule, held = ruled(snapshot, path, None, VIEW, about, there.type in catalogue.owned)
    return None if seen else (Reason.DESTINATION, rule, held, path)
