"""Which rows of a section somebody may see, for the product to filter by: as values, and as an SQL condition (section 3).

The rows of most people are told by their reach: own, own team's, the teams' below, or all. Items that have a rule of
their own, or attributes in the registry, are told one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from staffgate.contracts.authz import Item
from staffgate.contracts.level import DataAccess
from staffgate.decision.catalogue import ROUTE, Action, Catalogue, Path
from staffgate.decision.decide import NOTHING, About, described, judge, operates, shut, unreachable
from staffgate.decision.model import Question
from staffgate.decision.shipped import CHANNEL_ITEMS
from staffgate.decision.snapshot import ALL_ROWS, DATA_ACCESS, DEPARTMENT, NOWHERE, OWN, REACHES, TEAM, Reach, Snapshot


class ItemRows(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One item that is told by itself: how far the person reaches there, and what the registry says of it.

    With `shut` a gate is: no link opens that. `channels` are those that are open there; without them its own channel is,
    whatever the row says.
    """

    id: str
    reach: DataAccess | None = None
    shut: bool = False
    channels: tuple[str, ...] | None = None
    owner: str | None = None
    team: str | None = None
    subscriber: str | None = None


class RowFilter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The rows on which an action is allowed. None at all where `reach` is null, no item is told, and nothing is linked.

    With `shut` a gate is, for all but the items, which may be somewhere else.
    `members` are the people of `teams`, by team: a row with an owner and no team is where its owner is. `channels` are
    those that the person may operate; a row of another one is out. `linked` rows are in by their subscriber.
    """

    reach: DataAccess | None = None
    shut: bool = False
    staff: str = ""
    team: str | None = None
    teams: tuple[str, ...] = ()
    members: dict[str, tuple[str, ...]] = {}
    subscribers: tuple[str, ...] = ()
    linked: bool = False
    channels: tuple[str, ...] = ()
    items: tuple[ItemRows, ...] = ()
    revision: int = 0


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """What the product calls them: SQL expressions of type text, None where its rows have no such thing."""

    id: str = "id"
    owner: str | None = "owner"
    team: str | None = "team"
    subscriber: str | None = None
    channel: str | None = None


def row_filter(
    snapshot: Snapshot,
    catalogue: Catalogue,
    question: Question,
    items: Iterable[Item] = (),
    members: Mapping[str, tuple[str, ...]] | None = None,
) -> RowFilter:
    """The rows of the type that the question names on which it would be allowed (section 3).

    The question has no id. Its properties may name contract and tenant, and the destination of a route; what differs
    from row to row stands in the rows. `items` are those of the type that are registered.
    """
    nothing = RowFilter(revision=snapshot.revision)
    action, kind = catalogue.actions.get(question.action), catalogue.kind(question.type)
    if snapshot.closed is not None or action is None or kind is None:
        return nothing
    path, about = catalogue.paths[catalogue.holders[kind]], described(question.properties)
    if action.section not in path or about is None:
        return nothing
    if action.name == ROUTE and unreachable(snapshot, catalogue, question) is not None:
        return nothing
    gate = shut(snapshot, catalogue, action, about) is not None
    reach = NOWHERE if gate else _reach(snapshot, path, action, about, kind in catalogue.owned)
    return RowFilter(
        reach=DATA_ACCESS.get(reach),
        shut=gate,
        staff=snapshot.staff,
        team=snapshot.team,
        teams=tuple(sorted(snapshot.teams)),
        members=dict(members or {}),
        subscribers=tuple(sorted(snapshot.subscribers)),
        linked=action.linked,
        channels=_channels(snapshot, catalogue, about[3]),
        items=tuple(_items(snapshot, catalogue, action, kind, about, items)),
        revision=snapshot.revision,
    )


def where(rows: RowFilter, columns: Columns, first: int = 1) -> tuple[str, list[Any]]:
    """The filter as a condition for a WHERE of PostgreSQL, and its parameters from `$first` on. Every value is a parameter.

    Where the condition is NULL the row is out, as in every WHERE: a COALESCE would keep indexes from being used.
    """
    return _Condition(columns, first).of(rows)


# --- making ---------------------------------------------------------------------------------------------------


def _reach(snapshot: Snapshot, path: Path, action: Action, about: About, owned: bool) -> Reach:
    allowed, _, reach, _, _ = judge(snapshot, path, action.feature, action.need, about[4], about[3])
    return (reach if owned else ALL_ROWS) if allowed else NOWHERE


def _items(
    snapshot: Snapshot, catalogue: Catalogue, action: Action, kind: str, about: About, items: Iterable[Item]
) -> Iterator[ItemRows]:
    registered = {item.id: item for item in items if catalogue.kind(item.type) == kind}
    for id in sorted({*_named(snapshot, kind), *registered}):
        path = (f"{kind}:{id}", *catalogue.paths[catalogue.holders[kind]])
        item = registered.get(id)
        # Its own contract, tenant and channel win over those that the question names.
        own = described(Question(action.name, kind, id, _context(about)).about(item).properties) or NOTHING
        gate = shut(snapshot, catalogue, action, own) is not None
        reach = NOWHERE if gate else _reach(snapshot, path, action, own, kind in catalogue.owned)
        owner, team, subscriber, tenant, _, _ = own
        yield ItemRows(
            id=id,
            reach=DATA_ACCESS.get(reach),
            shut=gate,
            channels=_channels(snapshot, catalogue, tenant) if item is None or item.channel is None else None,
            owner=owner,
            team=team,
            subscriber=subscriber,
        )


def _channels(snapshot: Snapshot, catalogue: Catalogue, tenant: str | None) -> tuple[str, ...]:
    return tuple(one.id for one in CHANNEL_ITEMS if operates(snapshot, catalogue, one.id, tenant))


def _named(snapshot: Snapshot, kind: str) -> Iterator[str]:
    """The items of a type that a rule of the person's names."""
    for rules in (snapshot.grants, *(held.part.rules for held in snapshot.roles)):
        for place, _, _ in rules.places():
            type, colon, id = place.partition(":")
            if colon and type == kind:
                yield id


def _context(about: About) -> dict[str, str]:
    _, _, _, tenant, contract, channel = about
    named = (("tenant", tenant), ("contract", contract), ("channel", channel))
    return {name: key for name, key in named if key is not None}


# --- SQL ------------------------------------------------------------------------------------------------------


def _told(name: str) -> str:
    """What is told of an item, by a name that no column of a product has: inside the join theirs are seen as well."""
    return f'"told.{name}"'


class _Condition:
    def __init__(self, columns: Columns, first: int) -> None:
        self._columns = columns
        self._first = first
        self._numbers: dict[str, int] = {}
        self._params: list[Any] = []

    def of(self, rows: RowFilter) -> tuple[str, list[Any]]:
        """The rows that nothing is told of by the reach, so that an index on owner or team serves; the rest by joining."""
        columns = self._columns
        reached = "FALSE" if rows.shut else self._reached(rows, _row(columns), rows.reach)
        others = _all([*self._channel(rows, columns.channel), reached])
        if not rows.items:
            return f"({others})", self._params
        ids = self._value("ids", [item.id for item in rows.items], "text[]")
        # A row without an id is none of the items.
        is_told = f"COALESCE({columns.id} = ANY({ids}), FALSE)"
        return f"((NOT {is_told} AND {others}) OR ({is_told} AND {self._item(rows, ids)}))", self._params

    def _item(self, rows: RowFilter, ids: str) -> str:
        """What the registry says of an item wins over the row's columns."""
        items, columns = rows.items, self._columns
        told = {
            "reach": ([REACHES[item.reach] if item.reach else NOWHERE for item in items], "int[]"),
            "shut": ([item.shut for item in items], "bool[]"),
            "channels": ([_joined(item.channels) for item in items], "text[]"),
            "owner": ([item.owner for item in items], "text[]"),
            "team": ([item.team for item in items], "text[]"),
            "subscriber": ([item.subscriber for item in items], "text[]"),
        }
        values = [self._value(f"items' {name}", value, type) for name, (value, type) in told.items()]
        row = _Row(*(f"COALESCE({_told(name)}, {_or_null(getattr(columns, name))})" for name in _Row._fields))
        conditions = [
            f"{_told('id')} = {columns.id}",
            f"NOT {_told('shut')}",
            self._by_link(rows, row, self._reached_there(rows, row)),
        ]
        if columns.channel is not None:
            open_there = f"{columns.channel} = ANY(string_to_array({_told('channels')}, ','))"
            conditions.append(_any([f"{_told('channels')} IS NULL", f"{columns.channel} IS NULL", open_there]))
        return (
            f"EXISTS (SELECT 1 FROM unnest({', '.join([ids, *values])})"
            f" AS {_told('items')} ({', '.join(map(_told, ['id', *told]))}) WHERE {_all(conditions)})"
        )

    def _reached_there(self, rows: RowFilter, row: _Row) -> str:
        reach = _told("reach")
        steps = ((OWN, DataAccess.RESTRICTED), (TEAM, DataAccess.TEAM), (DEPARTMENT, DataAccess.DEPARTMENT))
        inside = [f"{reach} = {step} AND {self._inside(rows, row, access)}" for step, access in steps]
        return _any([f"{reach} = {ALL_ROWS}", *inside])

    def _reached(self, rows: RowFilter, row: _Row, access: DataAccess | None) -> str:
        if access is DataAccess.FULL:
            return "TRUE"
        return self._by_link(rows, row, "FALSE" if access is None else self._inside(rows, row, access))

    def _inside(self, rows: RowFilter, row: _Row, access: DataAccess) -> str:
        own = [f"{row.owner} = {self._value('staff', rows.staff, 'text')}", *self._linked(rows, row)]
        if access is DataAccess.RESTRICTED:
            return _any(own)
        teams = rows.teams if access is DataAccess.DEPARTMENT else tuple(one for one in (rows.team,) if one)
        people = [one for team in teams for one in rows.members.get(team, ())]
        of_team = f"{row.team} = ANY({self._value(access, list(teams), 'text[]')})"
        of_people = f"{row.team} IS NULL AND {row.owner} = ANY({self._value(f'people of {access}', people, 'text[]')})"
        return _any([*own, of_team, of_people])

    def _by_link(self, rows: RowFilter, row: _Row, otherwise: str) -> str:
        return _any([*self._linked(rows, row), otherwise]) if rows.linked else otherwise

    def _linked(self, rows: RowFilter, row: _Row) -> list[str]:
        if not rows.subscribers:
            return []
        return [f"{row.subscriber} = ANY({self._value('subscribers', list(rows.subscribers), 'text[]')})"]

    def _channel(self, rows: RowFilter, column: str | None) -> list[str]:
        if column is None:
            return []
        return [f"({column} IS NULL OR {column} = ANY({self._value('channels', list(rows.channels), 'text[]')}))"]

    def _value(self, name: str, value: object, type: str) -> str:
        """A parameter; the same one wherever it stands, so that the text is the same for everybody of one sort."""
        if name not in self._numbers:
            self._numbers[name] = self._first + len(self._params)
            self._params.append(value)
        return f"${self._numbers[name]}::{type}"


class _Row(NamedTuple):
    """What describes a row, as SQL."""

    owner: str
    team: str
    subscriber: str


def _row(columns: Columns) -> _Row:
    return _Row(_or_null(columns.owner), _or_null(columns.team), _or_null(columns.subscriber))


def _or_null(column: str | None) -> str:
    return "NULL::text" if column is None else column


def _joined(channels: tuple[str, ...] | None) -> str | None:
    return None if channels is None else ",".join(channels)


def _all(conditions: list[str]) -> str:
    return " AND ".join(conditions)


def _any(conditions: list[str]) -> str:
    return f"({' OR '.join(conditions)})"
