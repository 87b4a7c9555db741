"""The replica: answers from memory where that is to be believed, and asks authz where it is not."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from typing import Any, Protocol, TypeVar, overload
from uuid import UUID

import aiohttp

from staffgate.client import AuthzClient, Patience, Refused, Ruling, ServiceAway, Session
from staffgate.contracts.authz import Heartbeat, Item, PermissionsChanged
from staffgate.contracts.caller import Person
from staffgate.contracts.catalogue import CataloguePublished
from staffgate.contracts.decisions import Explanation
from staffgate.contracts.envelope import Undecodable, decode, open_envelope
from staffgate.decision import Catalogue, Columns, Question, RowFilter, Verdict, where
from staffgate.mirror import Mirror, NotReached
from staffgate.replica.bell import Bell, in_time
from staffgate.replica.catalogue import Current
from staffgate.replica.explained import explanation
from staffgate.replica.hearing import hearings
from staffgate.replica.lately import Lately, StaleVerdict
from staffgate.replica.listing import items_of, rows_of
from staffgate.replica.remote import Remote
from staffgate.replica.told import ReplicaStats, exposition
from staffgate.replica.wholes import Progress, Wholes
from staffgate.resource import Named, asked, person, question
from staffgate.standings import carried

_Decided = Verdict | Ruling | StaleVerdict

T = TypeVar("T")
log = logging.getLogger("staffgate")


class Decided(Protocol):
    """A Verdict out of memory, a Ruling of the service, or a StaleVerdict, which alone is `stale`."""

    @property
    def allowed(self) -> bool: ...

    @property
    def reason(self) -> str: ...

    @property
    def visible(self) -> bool: ...

    @property
    def revision(self) -> int: ...

    @property
    def stale(self) -> bool: ...


class Replica:
    """`token` gives the product's own access token: IdentityClient.token. Changes are heard over RabbitMQ (`amqp_url`), or over
    authz's event stream (`stream`); with neither every question goes to the service.

    `organisations` are loaded whole and kept so. `size` is how many people are remembered, in organisations that are
    loaded whole and besides them. Memory is not used when it may be more than `bound` seconds behind. With `stale_reads`,
    reads that nobody can answer are answered by what was known at most so many seconds ago: lately.py says which. Nobody
    waits longer for a decision than `patience` says.
    """

    def __init__(
        self,
        session: Session,
        authz_url: str,
        token: Callable[[], Awaitable[str]],
        *,
        amqp_url: str | None = None,
        stream: bool = False,
        organisations: Collection[UUID] = (),
        size: int = 100_000,
        bound: float = 3.0,
        stale_reads: float | None = None,
        patience: Patience | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        if stream and (amqp_url is not None or not isinstance(session, aiohttp.ClientSession)):
            raise ValueError("a stream is followed in place of RabbitMQ, and takes a session of aiohttp")
        if stale_reads is not None and stale_reads <= bound:
            raise ValueError("stale reads are older than what is in memory: more than `bound` seconds")
        self._patience = patience or Patience()
        self.client = AuthzClient(session, authz_url, token, patience=patience)
        self._ears = partial(hearings, session, authz_url, token, amqp_url, stream)
        self._hears = stream or amqp_url is not None
        self._bound = bound
        nothing = Catalogue.from_manifests(())
        self._lately = Lately(nothing, now, size=size, seconds=stale_reads) if stale_reads else None
        remote = Remote(self.client, self._lately)
        self._mirror = Mirror(remote, nothing, now, size=size, bound=bound, carried=carried)
        self._recall = self._mirror.recall
        self._bell = Bell()
        self._catalogue = Current(self.client, now, bound, self._take_catalogue, self._bell.ring)
        self._wholes = Wholes(self.client, remote, self._mirror, self._bell, self._usable, now, size)
        self._wanted = frozenset(organisations)
        self._tasks: list[asyncio.Task[None]] = []
        self._asked = self._unanswered = 0

    async def __aenter__(self) -> Replica:
        """At once, authz or not: until the catalogue has come the service is asked. For more see `wait_ready`."""
        if self._lately is not None:
            log.warning("Reads may be answered by what was known up to %g s ago", self._lately.seconds)
        work = {"catalogue": [self._catalogue.keep()], "hearing": [hearing.run() for hearing in self._ears(self)]}
        work["wanted"] = [self._wholes.insist(org) for org in self._wanted]
        self._tasks = [asyncio.create_task(one, name=f"replica.{name}") for name in work for one in work[name]]
        return self

    async def __aexit__(self, *_fault: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._wholes.close()
        self._mirror.deaf()

    # --- asking -----------------------------------------------------------------------------------------------

    def allowed_now(self, staff: UUID, action: str, type: str, id: str, **properties: Any) -> bool | None:
        """From memory alone; None where something has to be loaded, or memory can't be believed."""
        current = self._catalogue
        if current.version is None or (current.behind_since is not None and current.outdated):
            return None
        words = (staff.int, action, type, id, *properties, *properties.values()) if properties else (staff.int, action, type, id)  # fmt: skip
        try:  # as most are: asked before, in these words
            known = self._recall(words)
        except TypeError:  # there is something nested in it, which can't be looked up by
            known = None
        if known is not None:
            return known.allowed
        # An id among the properties was looked up as such, and not as the text that it counts as.
        verdict = self._mirror.decide_anew(staff, question(action, type, id, properties), tried=words)
        return None if verdict is None else verdict.allowed

    @overload
    async def allowed(
        self, staff: UUID | Person, action: str, type: Named, id: None = None, **properties: Any
    ) -> bool: ...

    @overload
    async def allowed(self, staff: UUID | Person, action: str, type: str, id: str, **properties: Any) -> bool: ...

    async def allowed(
        self, staff: UUID | Person, action: str, type: str | Named, id: str | None = None, **properties: Any
    ) -> bool:
        """May this person do that to this resource? No, where that can't be known."""
        try:
            return (await self._decide(person(staff), asked(action, type, id, properties))).allowed
        except (ServiceAway, Refused) as fault:
            log.warning("Denied, for it can't be known whether %s may %s: %s", person(staff), action, fault)
            return False

    @overload
    async def decide(
        self,
        staff: UUID | Person,
        action: str,
        type: Named,
        id: None = None,
        *,
        min_revision: int = 0,
        **properties: Any,
    ) -> Decided: ...

    @overload
    async def decide(
        self, staff: UUID | Person, action: str, type: str, id: str, *, min_revision: int = 0, **properties: Any
    ) -> Decided: ...

    async def decide(
        self,
        staff: UUID | Person,
        action: str,
        type: str | Named,
        id: str | None = None,
        *,
        min_revision: int = 0,
        **properties: Any,
    ) -> Decided:
        """With its reason. Raises ServiceAway, or Refused, where no decision is to be had."""
        return await self._decide(person(staff), asked(action, type, id, properties), min_revision)

    @overload
    async def explain(
        self, staff: UUID | Person, action: str, type: Named, id: None = None, **properties: Any
    ) -> Explanation: ...

    @overload
    async def explain(
        self, staff: UUID | Person, action: str, type: str, id: str, **properties: Any
    ) -> Explanation: ...

    async def explain(
        self, staff: UUID | Person, action: str, type: str | Named, id: str | None = None, **properties: Any
    ) -> Explanation:
        """The decision, and why in words. Raises ServiceAway, or Refused, where none is to be had."""
        about = asked(action, type, id, properties)
        return explanation(await self._decide(person(staff), about), about.type)

    async def rows(self, staff: UUID | Person, action: str, type: str, **properties: Any) -> RowFilter:
        """Which rows of a type the person may do that to. Raises ServiceAway, or Refused.

        Whose rows depend on who is in which team are told by the service: the members are not remembered here.
        """
        who, about = person(staff), question(action, type, "", properties)

        async def found() -> RowFilter:
            rows = await self._attempt(lambda: rows_of(self._mirror, who, about))
            if rows is not None:
                return rows
            return await self._ask(lambda: self.client.rows(who, action, type, **about.properties))

        return await in_time(self._patience, found)

    async def where(
        self, staff: UUID | Person, action: str, type: str, columns: Columns, *, first: int = 1, **properties: Any
    ) -> tuple[str, list[Any]]:
        """The same as a condition for PostgreSQL, and its parameters from `$first` on."""
        return where(await self.rows(staff, action, type, **properties), columns, first)

    async def search(self, staff: UUID | Person, action: str, type: str, **properties: Any) -> list[Item]:
        """The registered items of a type on which this person may do that. Raises ServiceAway, or Refused."""
        who = person(staff)
        found = await self._attempt(lambda: items_of(self._mirror, who, action, type, properties))
        return found if found is not None else await self._ask(lambda: self._searched(who, action, type, properties))

    async def _decide(self, staff: UUID, about: Question, min_revision: int = 0) -> _Decided:
        if self._catalogue.usable:
            verdict = self._mirror.decide_now(staff, about, min_revision)
            if verdict is not None:
                return verdict
        try:
            return await in_time(self._patience, lambda: self._found(staff, about, min_revision))
        except ServiceAway:
            known = self._last_known(staff, about, min_revision)
            if known is None:
                raise
            return known

    async def _found(self, staff: UUID, about: Question, min_revision: int) -> Verdict | Ruling:
        verdict = await self._attempt(lambda: self._mirror.decide(staff, about, min_revision))
        if verdict is not None:
            return verdict
        ruling = await self._ask(
            lambda: self.client.decide(
                staff, about.action, about.type, about.id, min_revision=min_revision, **about.properties
            )
        )
        if self._lately is not None:
            self._lately.answered(staff, about, ruling.allowed, ruling.revision)
        return ruling

    def _last_known(self, staff: UUID, about: Question, min_revision: int) -> StaleVerdict | None:
        if self._lately is None or self._catalogue.followed:
            return None
        return self._lately.decide(staff, about, min_revision)

    # --- from memory ------------------------------------------------------------------------------------------

    def _usable(self) -> bool:
        return self._catalogue.usable and self._mirror.stats.believed

    async def _attempt(self, attempt: Callable[[], Awaitable[T]]) -> T | None:
        """None where memory is not to be believed, or could not be filled in half of the time that a decision may take: the
        other half is the service's own. What is on its way goes on, and is remembered."""
        if not self._usable():
            return None
        try:
            async with asyncio.timeout(self._patience.decision / 2):
                return await attempt()
        except TimeoutError:
            self.client.doubt()
        except (NotReached, Refused, ServiceAway):
            pass
        return None

    # --- from the service -------------------------------------------------------------------------------------

    async def _ask(self, ask: Callable[[], Awaitable[T]]) -> T:
        self._asked += 1
        try:
            return await ask()
        except (ServiceAway, Refused, asyncio.CancelledError):
            self._unanswered += 1
            raise

    async def _searched(self, staff: UUID, action: str, type: str, properties: Mapping[str, Any]) -> list[Item]:
        found = self.client.search_resources(staff, action, type, **properties)
        return [
            Item(type=one.type, id=one.id, section=one.properties["section"], label=one.properties["label"])
            async for one in found
        ]

    # --- whole organisations ----------------------------------------------------------------------------------

    async def load(self, org: UUID, progress: Progress | None = None) -> None:
        """Everybody in an organisation and all that is registered in it, from now on until the end; `progress` is told how
        many people of how many. Waits until changes can be heard. Raises TooMany, ServiceAway, or Refused."""
        if not self._hears:
            raise RuntimeError("changes can't be heard, so nothing is kept: give `amqp_url` or `stream`")
        await self._wholes.load(org, progress)

    @property
    def ready(self) -> bool:
        """Whether all that was asked for is there: the catalogue, memory that is believed, and `organisations`."""
        return (self._usable() if self._hears else self._catalogue.usable) and self._wholes.has(self._wanted)

    async def wait_ready(self, timeout: float | None = None) -> None:
        """Until it is ready. Raises TimeoutError after so many seconds."""
        async with asyncio.timeout(timeout):
            await self._bell.until(lambda: self.ready)

    # --- hearing ----------------------------------------------------------------------------------------------

    def heard(self, body: bytes) -> None:
        try:
            event = decode(open_envelope(body))
        except Undecodable as fault:
            log.error("An announcement can't be read, so everything is forgotten: %s", fault)
            self._forget()
            return
        match event:
            case PermissionsChanged():
                self._mirror.announced(event)
                self._wholes.checked(self._mirror.stats.gaps)
                self._wholes.announced(event)
                if self._lately is not None:
                    self._lately.announced(event)
            case Heartbeat():
                self._beaten(event)
            case CataloguePublished():
                self._catalogue.heard(event.version)

    def _beaten(self, event: Heartbeat) -> None:
        believed = self._mirror.stats.believed
        self._mirror.beaten(event)
        self._catalogue.heard(event.catalogue, event.at.timestamp())
        if self._lately is not None:
            self._lately.beaten(event)
        stats = self._mirror.stats
        self._wholes.checked(stats.gaps)
        if stats.believed and not (believed and event.complete):  # it begins anew
            self._wholes.forgotten()
            self._bell.ring()

    def _forget(self) -> None:
        self._mirror.forget()
        self._wholes.forgotten()
        if self._lately is not None:
            self._lately.forget()

    def lost(self) -> None:
        self._mirror.deaf()

    def restored(self) -> None:
        self._hears = True
        self._catalogue.doubt()
        self._mirror.hearing()
        if self._lately is not None:
            self._lately.restored()
        self._wholes.forgotten()
        self._bell.ring()

    def _take_catalogue(self, catalogue: Catalogue) -> None:
        self._mirror.replace(catalogue)
        if self._lately is not None:
            self._lately.replace(catalogue)
        self._wholes.outdated()
        self._bell.ring()

    # --- telling ----------------------------------------------------------------------------------------------

    @property
    def age(self) -> float | None:
        """Seconds since the last sign that nothing was missed; None before the first."""
        return self._mirror.stats.heartbeat_age

    @property
    def stats(self) -> ReplicaStats:
        return ReplicaStats(
            mirror=self._mirror.stats,
            asked=self._asked,
            unanswered=self._unanswered,
            stale=0 if self._lately is None else self._lately.given,
            catalogue=self._catalogue.version,
            bound=self._bound,
            ready=self.ready,
            organisations=self._wholes.loaded,
        )

    def metrics(self) -> str:
        """For Prometheus, to be served as `text/plain; version=0.0.4`, by itself or after the product's own."""
        return exposition(self.stats)
