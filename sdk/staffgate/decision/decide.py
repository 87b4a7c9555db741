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
    Part,
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
    gate = None if about is NOTHING and action.name != LOGIN else shut(snapshot, catalogue, action, about)
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
            _, _, reach, rule, held = ruling
            if rule is not None and rule.on_item and held is None:
                # A grant on an item reaches it: it is the level next to it that does not.
                rule = _level(snapshot, path, about[4] or "")
            return False, refusal, reach, rule, held
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
    roles, reach = snapshot.roles, snapshot.widest
    if snapshot.contextual:
        roles = counting(snapshot, contract, tenant)
        reach = widest(roles)
    rules = snapshot.grants.about(path, feature, contract, tenant)
    if contract is not None and not _is_spoken_of(snapshot, path[-2], contract, tenant, roles):
        return _with_level(_level(snapshot, path, contract), rules, need, reach)
    return (
        (_granted(rules, need, reach) if rules else None)
        or (_allotted(roles, path, feature, need, contract, tenant) if roles else None)
        or (snapshot.default & need != 0, _DEFAULT, reach, None, None)
    )


def counting(snapshot: Snapshot, contract: str | None, tenant: str | None) -> tuple[Held, ...]:
    """The roles held where the question is: what is assigned in a contract or tenant counts only there."""
    contracts, tenants = (None, contract), (None, tenant)
    return tuple(held for held in snapshot.roles if held.contract in contracts and held.tenant in tenants)


def _granted(rules: list[Rule], need: Mask, reach: Reach) -> Ruling:
    """Tier 1: all that remain have to allow. The grant named is one that reaches no further than all of them."""
    named, on_items = rules[-1], True
    for rule in rules:
        if not rule.mask & need:
            return False, _GRANT, NOWHERE, rule, None
        if not rule.on_item:
            on_items = False
            if not isinstance(rule, AccessRule):
                named = rule
    return True, _GRANT, ALL_ROWS if on_items else reach, named, None


def _with_level(level: AccessRule, rules: list[Rule], need: Mask, reach: Reach) -> Ruling:
    """A product access level is a rule of tier 1 as well."""
    found = remaining([level, *rules])
    if level not in found:
        return _granted(found, need, reach)
    if not level.mask & need:
        return False, _PRODUCT_ACCESS, NOWHERE, level, None
    return _granted(found, need, reach) if len(found) > 1 else (True, _PRODUCT_ACCESS, reach, level, None)


def _level(snapshot: Snapshot, path: Path, contract: str) -> AccessRule:
    access = snapshot.access.get((contract, path[-2]))
    mask, id = (NONE, None) if access is None else (access.mask, access.id)
    return AccessRule(mask, len(path) - 2, path[-2], None, (contract, None), id)


def _is_spoken_of(snapshot: Snapshot, product: str, contract: str, tenant: str | None, roles: tuple[Held, ...]) -> bool:
    """Is there no level in this contract, and does a role say anything about the product there? Without either, it is
    Without access."""
    if (contract, product) in snapshot.access:
        return False
    return any(product in held.part.products and _speaks(held.part, product, contract, tenant) for held in roles)


def _speaks(part: Part, product: str, contract: str, tenant: str | None) -> bool:
    return any((c, t, product) in part.spoken for c in (None, contract) for t in (None, tenant))


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
        for rule in rules:
            if not rule.mask & need:
                best = best or (False, _ROLE, NOWHERE, rule, held)
                break
        else:
            best = True, _ROLE, part.reach, rules[-1], held
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
