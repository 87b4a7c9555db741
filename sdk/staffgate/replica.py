"""Permissions inside a product's own process: decided from memory, and never later than a stated time behind.

    async with Replica(session, authz_url, identity.token, amqp_url=amqp_url) as authz:
        if await authz.allowed(staff, "sms.send", "inbox", "sales"): ...

What is asked about is loaded from authz once, and dropped when a change of it is announced. Past `bound` seconds without
a sign that nothing was missed, memory is not used and the service is asked; and when that is away, the answer is no.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol, TypeVar
from uuid import UUID

import aiohttp
import msgspec

from staffgate.client import AuthzClient, Refused, ServiceAway
from staffgate.contracts.authz import Heartbeat, Item, PermissionsChanged
from staffgate.contracts.catalogue import CataloguePublished
from staffgate.contracts.envelope import Undecodable, decode, open_envelope
from staffgate.decision import BadManifest, Catalogue, Columns, Question, RowFilter, row_filter, where
from staffgate.decision.catalogue import ROUTE
from staffgate.mirror import Mirror, NotReached, Registry, Resolve, Standing, Stats

_TYPES = (PermissionsChanged.type, Heartbeat.type, CataloguePublished.type)
_EVERY_BEHIND = 1.0  # seconds between looks at the catalogue while it is known to be an old one
_EVERY = 30.0  # and while it is not

T = TypeVar("T")
log = logging.getLogger("staffgate")


class Decided(Protocol):
    """A Verdict out of memory, or a Ruling of the service."""

    @property
    def allowed(self) -> bool: ...

    @property
    def reason(self) -> str: ...

    @property
    def visible(self) -> bool: ...

    @property
    def revision(self) -> int: ...


class ReplicaStats(msgspec.Struct, frozen=True, kw_only=True):
    """`asked` counts the questions that went to the service, `unanswered` those of them that it could not answer."""

    mirror: Stats
    asked: int
    unanswered: int
    catalogue: int | None


class Replica:
    """`token` gives the product's own access token: IdentityClient.token. Without `amqp_url` nothing can be heard, so that
    every question goes to the service."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        authz_url: str,
        token: Callable[[], Awaitable[str]],
        *,
        amqp_url: str | None = None,
        size: int = 100_000,
        bound: float = 3.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.client = AuthzClient(session, authz_url, token)
        self._amqp_url = amqp_url
        self._now = now
        self._bound = bound
        self._mirror = Mirror(_Remote(self.client), Catalogue.from_manifests(()), now, size=size, bound=bound)
        self._version: int | None = None  # of the catalogue; None until one has come
        self._behind_since: float | None = None  # when a newer one was heard of
        self._due = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._asked = self._unanswered = 0

    async def __aenter__(self) -> Replica:
        """At once, authz or not: until the catalogue has come the service is asked."""
        self._tasks = [asyncio.create_task(self._keep_catalogue(), name="replica.catalogue")]
        if self._amqp_url is not None:
            from staffgate.listener import Listener  # aio-pika is an extra

            listener = Listener(self._amqp_url, _TYPES, self)
            self._tasks.append(asyncio.create_task(listener.run(), name="replica.listener"))
        return self

    async def __aexit__(self, *_fault: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._mirror.deaf()

    # --- asking -----------------------------------------------------------------------------------------------

    def allowed_now(self, staff: UUID, action: str, type: str, id: str, **properties: Any) -> bool | None:
        """From memory alone; None where something has to be loaded, or memory can't be believed."""
        if self._version is None or (self._behind_since is not None and self._outdated()):
            return None
        verdict = self._mirror.decide_now(staff, _question(action, type, id, properties))
        return None if verdict is None else verdict.allowed

    async def allowed(self, staff: UUID, action: str, type: str, id: str, **properties: Any) -> bool:
        """May this person do that to this resource? No, where that can't be known."""
        try:
            return (await self.decide(staff, action, type, id, **properties)).allowed
        except (ServiceAway, Refused) as fault:
            log.warning("Denied, for it can't be known whether %s may %s: %s", staff, action, fault)
            return False

    async def decide(
        self, staff: UUID, action: str, type: str, id: str, *, min_revision: int = 0, **properties: Any
    ) -> Decided:
        """With its reason. Raises ServiceAway, or Refused, where no decision is to be had."""
        question = _question(action, type, id, properties)
        if self._version is not None and not self._outdated():
            verdict = self._mirror.decide_now(staff, question, min_revision)
            if verdict is None:
                verdict = await self._attempt(lambda: self._mirror.decide(staff, question, min_revision))
            if verdict is not None:
                return verdict
        return await self._ask(
            lambda: self.client.decide(staff, action, type, id, min_revision=min_revision, **question.properties)
        )

    async def rows(self, staff: UUID, action: str, type: str, **properties: Any) -> RowFilter:
        """Which rows of a type the person may do that to. Raises ServiceAway, or Refused.

        Whose rows depend on who is in which team are told by the service: the members are not remembered here.
        """
        question = _question(action, type, "", properties)
        rows = await self._attempt(lambda: self._rows(staff, question))
        if rows is not None:
            return rows
        return await self._ask(lambda: self.client.rows(staff, action, type, **question.properties))

    async def where(
        self, staff: UUID, action: str, type: str, columns: Columns, *, first: int = 1, **properties: Any
    ) -> tuple[str, list[Any]]:
        """The same as a condition for PostgreSQL, and its parameters from `$first` on."""
        return where(await self.rows(staff, action, type, **properties), columns, first)

    async def search(self, staff: UUID, action: str, type: str, **properties: Any) -> list[Item]:
        """The registered items of a type on which this person may do that. Raises ServiceAway, or Refused."""
        found = await self._attempt(lambda: self._search(staff, action, type, properties))
        return found if found is not None else await self._ask(lambda: self._searched(staff, action, type, properties))

    # --- from memory ------------------------------------------------------------------------------------------

    async def _attempt(self, attempt: Callable[[], Awaitable[T]]) -> T | None:
        """None where memory is not to be believed, or could not be filled."""
        if self._version is None or self._outdated() or not self._mirror.stats.believed:
            return None
        try:
            return await attempt()
        except (NotReached, Refused, ServiceAway):
            return None

    async def _rows(self, staff: UUID, question: Question) -> RowFilter | None:
        standing = await self._mirror.standing(staff)
        while standing is not None and not standing.snapshot.asks_teams and question.action != ROUTE:
            registry = await self._registry(standing, question.type)  # right at the revision of the standing, or newer
            if registry.revision <= standing.revision:
                return row_filter(standing.snapshot, self._mirror.catalogue, question, registry.items.values())
            standing = await self._mirror.standing(staff, registry.revision)
        return None

    async def _search(self, staff: UUID, action: str, type: str, properties: Mapping[str, Any]) -> list[Item]:
        standing = await self._mirror.standing(staff)
        if standing is None:
            return []
        registry = await self._registry(standing, type)
        items = sorted(registry.items.values(), key=lambda item: item.id)
        questions = [_question(action, item.type, item.id, properties) for item in items]
        verdicts = await self._mirror.decide_all(staff, questions, registry.revision)
        return [item for item, verdict in zip(items, verdicts, strict=True) if verdict.allowed]

    async def _registry(self, standing: Standing, type: str) -> Registry:
        kind = self._mirror.catalogue.kind(type)
        if kind is None:
            return Registry(standing.org, type, standing.revision)
        return await self._mirror.registry(standing.org, kind, standing.revision)

    # --- from the service -------------------------------------------------------------------------------------

    async def _ask(self, ask: Callable[[], Awaitable[T]]) -> T:
        self._asked += 1
        try:
            return await ask()
        except (ServiceAway, Refused):
            self._unanswered += 1
            raise

    async def _searched(self, staff: UUID, action: str, type: str, properties: Mapping[str, Any]) -> list[Item]:
        found = self.client.search_resources(staff, action, type, **properties)
        return [
            Item(type=one.type, id=one.id, section=one.properties["section"], label=one.properties["label"])
            async for one in found
        ]

    # --- hearing ----------------------------------------------------------------------------------------------

    def heard(self, body: bytes) -> None:
        try:
            event = decode(open_envelope(body))
        except Undecodable as fault:
            log.error("An announcement can't be read, so everything is forgotten: %s", fault)
            self._mirror.forget()
            return
        match event:
            case PermissionsChanged():
                self._mirror.announced(event)
            case Heartbeat():
                self._mirror.beaten(event)
                self._note_version(event.catalogue)
            case CataloguePublished():
                self._note_version(event.version)

    def lost(self) -> None:
        self._mirror.deaf()

    def restored(self) -> None:
        self._due.set()
        self._mirror.hearing()

    # --- the catalogue ----------------------------------------------------------------------------------------

    def _note_version(self, version: int) -> None:
        if self._version is not None and version > self._version and self._behind_since is None:
            self._behind_since = self._now()
            self._due.set()

    def _outdated(self) -> bool:
        """Whether there has been a newer catalogue for too long: one that can't be loaded, or not be understood here."""
        return self._behind_since is not None and self._now() - self._behind_since > self._bound

    async def _keep_catalogue(self) -> None:
        while True:
            try:
                await self._load_catalogue()
            except (ServiceAway, Refused, BadManifest) as fault:
                log.warning("The catalogue can't be loaded: %s", fault)
            except Exception:  # whoever dies of it never loads again, and nobody notices
                log.exception("The catalogue can't be loaded")
            behind = self._version is None or self._behind_since is not None
            with suppress(TimeoutError):
                async with asyncio.timeout(_EVERY_BEHIND if behind else _EVERY):
                    await self._due.wait()
            self._due.clear()

    async def _load_catalogue(self) -> None:
        whole = await self.client.catalogue()
        if self._version is not None and whole.version <= self._version:
            return
        self._mirror.replace(Catalogue.from_manifests(whole.manifests))
        self._version, self._behind_since = whole.version, None

    # --- telling ----------------------------------------------------------------------------------------------

    @property
    def age(self) -> float | None:
        """Seconds since the last sign that nothing was missed; None before the first."""
        return self._mirror.stats.heartbeat_age

    @property
    def stats(self) -> ReplicaStats:
        return ReplicaStats(
            mirror=self._mirror.stats, asked=self._asked, unanswered=self._unanswered, catalogue=self._version
        )


class _Remote:
    """Where the mirror's parts come from."""

    def __init__(self, client: AuthzClient) -> None:
        self._client = client

    async def standing(self, staff: UUID, resolve: Resolve, at_least: int) -> Standing | None:
        try:
            found = await self._client.standing(staff)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise
        until = None if found.until is None else found.until.timestamp()
        snapshot = resolve(found.facts)
        # The snapshot's own text of the team, which is shared: another copy costs each person 85 bytes.
        return Standing(found.org, snapshot, snapshot.team, until)

    async def registry(self, org: UUID, type: str, catalogue: Catalogue, at_least: int) -> Registry:
        found = await self._client.registry(org, type)
        return Registry(org, type, found.revision, {item.id: item for item in found.items})


def _question(action: str, type: str, id: str, properties: Mapping[str, Any]) -> Question:
    """With ids as text, as they come over HTTP; what is None is not there."""
    if not properties:
        return Question(action, type, id)
    said = {name: str(one) if isinstance(one, UUID) else one for name, one in properties.items() if one is not None}
    return Question(action, type, id, said)
