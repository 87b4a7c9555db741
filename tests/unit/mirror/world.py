"""Organisations that change, and a source that reads them when it is told to: everything that a mirror sees from outside,
with a clock of its own and nothing left to chance."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from staffgate.contracts.authz import Grant, Heartbeat, Item, PermissionsChanged, Role, Target
from staffgate.contracts.caller import StaffType
from staffgate.contracts.event import NOBODYS
from staffgate.contracts.identity import StaffStatus
from staffgate.contracts.level import DataAccess, Level
from staffgate.decision import Catalogue, Facts, Holding, shipped
from staffgate.mirror import Registry, Resolve, Standing

CATALOGUE = Catalogue.from_manifests(shipped())
ACME, OTHER = UUID(int=0xACE), UUID(int=0x0DD)
JANE, LUKE, HAN, LAYA, VADA = (UUID(int=n) for n in range(10, 15))
START = 1_800_000_000.0
LEADER = Role(id="leader", name="Leader", data_access=DataAccess.TEAM)


@dataclass(frozen=True)
class Person:
    """`version` counts the changes to them; it can be seen in what is known of them, and so can the team."""

    version: int = 0
    team: int = 0
    expires: float | None = None


@dataclass(frozen=True)
class State:
    """An organisation at a revision. `items` are inboxes, by id: a version, and whose they are."""

    revision: int = 1
    since: float = START
    people: dict[UUID, Person] = field(default_factory=dict)
    items: dict[str, tuple[int, UUID | None]] = field(default_factory=dict)


class World:
    def __init__(self) -> None:
        self.now = START
        self.history: dict[UUID, list[State]] = {
            ACME: [State(people={who: Person() for who in (JANE, LUKE, HAN)})],
            OTHER: [State(people={who: Person() for who in (LAYA, VADA)})],
        }

    def time(self) -> float:
        return self.now

    def state(self, org: UUID) -> State:
        return self.history[org][-1]

    def at(self, org: UUID, revision: int) -> State:
        return next(state for state in self.history[org] if state.revision == revision)

    def organisation_of(self, staff: UUID) -> UUID | None:
        return next((org for org in self.history if staff in self.state(org).people), None)

    def since(self, org: UUID, moment: float) -> Iterator[State]:
        """Every state that was the present one at some time from then on."""
        states = self.history[org]
        for number, state in enumerate(states):
            if number + 1 == len(states) or states[number + 1].since > moment:
                yield state

    # --- changes ----------------------------------------------------------------------------------------------

    def change_person(
        self, staff: UUID, *, team: int | None = None, expires: float | None = None
    ) -> PermissionsChanged:
        org = self.organisation_of(staff)
        assert org is not None
        was = self.state(org).people[staff]
        now = Person(was.version + 1, was.team if team is None else team, expires)
        return self._commit(org, replace(self.state(org), people=self.state(org).people | {staff: now}), [staff], [])

    def add_person(self, org: UUID, staff: UUID) -> PermissionsChanged:
        people = self.state(org).people | {staff: Person()}
        return self._commit(org, replace(self.state(org), people=people), [staff], [])

    def change_item(self, org: UUID, id: str, owner: UUID | None) -> PermissionsChanged:
        version = self.state(org).items.get(id, (0, None))[0] + 1
        items = self.state(org).items | {id: (version, owner)}
        return self._commit(org, replace(self.state(org), items=items), [], ["inbox"])

    def remove_item(self, org: UUID, id: str) -> PermissionsChanged:
        items = {one: about for one, about in self.state(org).items.items() if one != id}
        return self._commit(org, replace(self.state(org), items=items), [], ["inbox"])

    def change_all(self, org: UUID) -> PermissionsChanged:
        """As when a role is edited that everybody holds."""
        people = {who: replace(one, version=one.version + 1) for who, one in self.state(org).people.items()}
        return self._commit(org, replace(self.state(org), people=people), None, [])

    def change_nothing(self, org: UUID) -> PermissionsChanged:
        return self._commit(org, self.state(org), [], [])

    def _commit(self, org: UUID, state: State, people: list[UUID] | None, types: list[str]) -> PermissionsChanged:
        state = replace(state, revision=state.revision + 1, since=self.now)
        self.history[org].append(state)
        return PermissionsChanged(
            org=org, previous=state.revision - 1, revision=state.revision, people=people, types=tuple(types)
        )

    def heartbeat(self, *, complete: bool = True) -> Heartbeat:
        lately = {org: self.state(org).revision for org in self.history if self.state(org).since > self.now - 30}
        at = datetime.fromtimestamp(self.now, UTC)
        return Heartbeat(org=NOBODYS, at=at, revisions=lately if complete else {}, complete=complete, catalogue=1)

    # --- what is known ----------------------------------------------------------------------------------------

    def standing(self, staff: UUID, resolve: Resolve) -> Standing | None:
        org = self.organisation_of(staff)
        if org is None:
            return None
        state = self.state(org)
        person = state.people[staff]
        alive = person.expires is not None and person.expires > self.now
        facts = Facts(
            staff=staff,
            revision=state.revision,
            org_active=True,
            type=StaffType.STANDARD,
            status=StaffStatus.ACTIVE,
            default_level=Level.READ,
            grants=(TEMPORARY,) if alive else (),
            roles=(Holding(id=UUID(int=1), role=LEADER),),
            team=team_name(staff, person.team),
            subscribers=(f"v{person.version}",),
        )
        return Standing(org, resolve(facts), facts.team, person.expires if alive else None)

    def registry(self, org: UUID, type: str) -> Registry:
        state = self.state(org)
        items = {id: item(type, id, *about) for id, about in state.items.items()} if type == "inbox" else {}
        return Registry(org, type, state.revision, items)


class Telling:
    """What announcements carry, and how a mirror reads it: a name for what was right at that revision."""

    def __init__(self) -> None:
        self._said: dict[bytes, Standing] = {}

    def carrying(self, world: World, event: PermissionsChanged) -> PermissionsChanged:
        """The event that was made a moment ago, with what there is now of those whom it names."""
        standings = {who: raw for who in event.people or () for raw in self.of(world, who).values()}
        return msgspec.structs.replace(event, standings=standings)

    def of(self, world: World, who: UUID) -> dict[UUID, msgspec.Raw]:
        found = world.standing(who, lambda facts: facts)  # type: ignore[arg-type,return-value]
        assert found is not None
        name = self.at(found.org, who, found.revision)
        self._said[bytes(name)] = found
        return {who: name}

    def at(self, org: UUID, who: UUID, revision: int) -> msgspec.Raw:
        return msgspec.Raw(f'"{org}/{who}/{revision}"'.encode())

    def read(self, standing: msgspec.Raw, resolve: Resolve) -> Standing | None:
        found = self._said.get(bytes(standing))
        facts: Any = None if found is None else found.snapshot
        return None if found is None else msgspec.structs.replace(found, snapshot=resolve(facts))


TEMPORARY = Grant(id=UUID(int=2), target=Target(section="sms"), level=Level.FULL)


def team_name(staff: UUID, number: int) -> str:
    """Nobody's is anybody else's, so that whoever sees one knows whose it is."""
    return str(UUID(int=staff.int << 32 | number))


def item(type: str, id: str, version: int, owner: UUID | None) -> Item:
    whose = None if owner is None else str(owner)
    return Item(type=type, id=id, section="sms", label=id, owner=whose, subscriber=f"v{version}")


class Read:
    """A load on its way: it reads when it is told to, and comes back when it is told to."""

    def __init__(self) -> None:
        self.begin, self.end = asyncio.Event(), asyncio.Event()
        self.fault: Exception | None = None


class SlowSource:
    """Holds every load twice: before it has read, and after. With `open` it holds none."""

    def __init__(self, world: World, *, open: bool = False) -> None:
        self._world = world
        self.open = open
        self.running: list[Read] = []
        self.reads: list[UUID | tuple[UUID, str]] = []

    async def standing(self, staff: UUID, resolve: Resolve, at_least: int) -> Standing | None:
        self.reads.append(staff)
        async with self._held() as end:
            found = self._world.standing(staff, resolve)
            await end()
            return found

    async def registry(self, org: UUID, type: str, catalogue: Catalogue, at_least: int) -> Registry:
        self.reads.append((org, type))
        async with self._held() as end:
            found = self._world.registry(org, type)
            await end()
            return found

    def _held(self) -> _Held:
        return _Held(self)


class _Held:
    def __init__(self, source: SlowSource) -> None:
        self._source = source
        self._read = Read()

    async def __aenter__(self) -> _Held:
        if not self._source.open:
            self._source.running.append(self._read)
            await self._read.begin.wait()
        return self

    async def __call__(self) -> None:
        if not self._source.open or self._read in self._source.running:
            await self._read.end.wait()
        if self._read.fault is not None:
            raise self._read.fault

    async def __aexit__(self, *_: object) -> None:
        if self._read in self._source.running:
            self._source.running.remove(self._read)


async def settled(times: int = 12) -> None:
    """Let everything go on that can."""
    for _ in range(times):
        await asyncio.sleep(0)
