"""Whole organisations in memory: everybody in them and all that is registered, loaded before anybody asks, and kept so.

What an announcement drops is loaded again in the background, soon and not at the same moment as in every other process.
Whoever asks before that loads it themselves, as without all this: nothing here decides what may be believed.

What is forgotten because nothing could be heard is set aside. When it can be again, authz says what has changed since the
revision at which it was right; what has not is put back, and the rest is loaded. Nobody is answered from what is aside.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from math import inf
from time import monotonic
from uuid import UUID

from staffgate.client import AuthzClient, Refused, ServiceAway
from staffgate.client.parts import MOST, Standings
from staffgate.contracts.authz import PermissionsChanged
from staffgate.mirror import Mirror, Part, Resolve
from staffgate.mirror.cache import Cache
from staffgate.mirror.parts import Key
from staffgate.replica.aside import Aside
from staffgate.replica.bell import Bell
from staffgate.replica.remote import Remote
from staffgate.replica.told import Loaded

Progress = Callable[[int, int], None]

_AT_ONCE = 4  # requests of one replica
_TYPES = 100  # of items in one of them
_SOON = 0.02  # seconds within which what was dropped is loaded again
_BACK_SOON = 0.3  # and what was set aside is put back
_ALL_SOON = (1.0, 0.001)  # and everybody is loaded, and so much more for each of them: other processes do the same
_PAUSE = (1.0, 30.0)  # seconds after a load that failed; doubled each time
_TRIES = 5  # to load what is overtaken again and again
_KNOWN = 64  # revisions of an organisation: those at which it is while some of it is on its way
_SAID_EVERY = 5.0  # seconds between words about a long load

log = logging.getLogger("staffgate")


class TooMany(Exception):
    """The organisation has more people than there is room for: `size` of the replica."""

    def __init__(self, org: UUID, total: int, room: int) -> None:
        super().__init__(f"organisation {org} has {total} people, and there is room for {room}: raise `size`")
        self.org = org
        self.total = total
        self.room = room


class Wholes:
    """`usable` says whether what is loaded now would be remembered."""

    def __init__(
        self,
        client: AuthzClient,
        remote: Remote,
        mirror: Mirror,
        bell: Bell,
        usable: Callable[[], bool],
        now: Callable[[], float],
        size: int,
    ) -> None:
        self.client = client
        self.remote = remote
        self.mirror = mirror
        self.bell = bell
        self.usable = usable
        self.now = now
        mirror.forgetting = self._set_aside
        self.at_once = asyncio.Semaphore(_AT_ONCE)
        self._size = size
        self._each: dict[UUID, Whole] = {}
        self._gaps = 0

    async def load(self, org: UUID, progress: Progress | None) -> None:
        whole = self._each.get(org)
        if whole is None:
            whole = self._each[org] = Whole(org, self)
            whole.task = asyncio.create_task(self._loaded(whole), name="replica.load")
            whole.task.add_done_callback(_seen)
        with whole.shown_to(progress):
            assert whole.task is not None
            await asyncio.shield(whole.task)  # one who gives up does not take it from the others
            await self.bell.until(lambda: whole.whole)

    async def _loaded(self, whole: Whole) -> None:
        try:
            await whole.renew()
        except BaseException:
            del self._each[whole.org]
            raise
        whole.keeper = asyncio.create_task(whole.keep(), name="replica.whole")

    async def insist(self, org: UUID) -> None:
        """Load it, however long that takes."""
        pause, most = _PAUSE
        while True:
            try:
                return await self.load(org, None)
            except (ServiceAway, Refused, TooMany) as fault:
                log.error("An organisation that is wanted whole can't be loaded: %s", fault)
            except Exception:  # whoever dies of it never loads again, and nobody notices
                log.exception("An organisation that is wanted whole can't be loaded")
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter
            pause = min(2 * pause, most)

    async def close(self) -> None:
        tasks = [task for whole in self._each.values() for task in (whole.task, whole.keeper) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def room_for(self, wanted: Whole) -> int:
        """How many people may be in it."""
        return self._size - sum(len(one.people) for one in self._each.values() if one is not wanted)

    # --- hearing ----------------------------------------------------------------------------------------------

    def announced(self, event: PermissionsChanged) -> None:
        whole = self._each.get(event.org)
        if whole is not None:
            whole.announced(event)

    def checked(self, gaps: int) -> None:
        """So many announcements were found missing up to now; what may have been in them is forgotten."""
        if gaps != self._gaps:
            self._gaps = gaps
            for whole in self._each.values():
                if self.mirror.missing(whole.people):
                    whole.renew_all()

    def forgotten(self) -> None:
        """Everything is."""
        for whole in self._each.values():
            whole.renew_all()

    def outdated(self) -> None:
        """And nothing of before is of any use."""
        for whole in self._each.values():
            if whole.aside is not None:
                whole.aside.useless, whole.aside = True, None
            whole.renew_all()

    def _set_aside(self, cache: Cache, believed: float) -> None:
        """What is about to be forgotten, where it is all there. Of less, what was set aside before is good still.

        Not what is newer than the announcements that were heard: of that nobody knows at which revision it was the same.
        """
        for whole in self._each.values():
            revision, held = cache.held(whole.org.int) if whole.whole else (0, {})
            parts = {key: part for key, part in held.items() if part.revision <= revision}
            if parts:
                at = min(self.now(), believed, whole.known.get(revision, -inf))
                whole.aside = Aside(whole.org, at, revision, parts, whole.reached)

    # --- telling ----------------------------------------------------------------------------------------------

    def has(self, orgs: Collection[UUID]) -> bool:
        """Are they all here?"""
        return all(org in self._each and self._each[org].whole for org in orgs)

    @property
    def loaded(self) -> dict[UUID, Loaded]:
        return {org: whole.loaded for org, whole in self._each.items()}


class Whole:
    """One organisation. `people` are those who are to be in memory."""

    def __init__(self, org: UUID, wholes: Wholes) -> None:
        self.org = org
        self._of = wholes
        self._mirror = wholes.mirror
        self.people: set[Key] = set()
        self.whole = False
        self.task: asyncio.Task[None] | None = None
        self.keeper: asyncio.Task[None] | None = None
        self.aside: Aside | None = None
        self.known: dict[int, float] = {}  # revisions of late, and when it was first known that there are
        self._total = 0
        self._due: set[Key] = set()
        self._all_due = True
        self._wake = asyncio.Event()
        self._shown: list[Progress] = []
        self._said_at = monotonic()

    @property
    def loaded(self) -> Loaded:
        return Loaded(count=len(self.people), total=self._total, whole=self.whole)

    # --- hearing ----------------------------------------------------------------------------------------------

    def announced(self, event: PermissionsChanged) -> None:
        self.reached(event.revision)
        if event.people is None:
            self.renew_all()
            return
        people = {staff.int for staff in event.people}
        self.people |= people
        self._due |= people
        self._due |= {(self.org.int, type) for type in event.types}
        self._wake.set()

    def reached(self, revision: int) -> None:
        """authz says so at this moment. A database that was set back comes to it once more, and later."""
        self.known.setdefault(revision, self._of.now())
        if len(self.known) > _KNOWN:
            del self.known[next(iter(self.known))]

    def renew_all(self) -> None:
        self._all_due, self.whole = True, False
        self._wake.set()

    # --- loading ----------------------------------------------------------------------------------------------

    async def keep(self) -> None:
        """Until it is cancelled."""
        pause, most = _PAUSE
        while True:
            await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(random.uniform(0, self._soon()))  # noqa: S311 - jitter
            try:
                await self.renew()
                pause = _PAUSE[0]
                continue
            except (ServiceAway, Refused, TooMany) as fault:
                log.warning("Organisation %s can't be kept whole: %s", self.org, fault)
            except Exception:  # whoever dies of it never loads again, and nobody notices
                log.exception("Organisation %s can't be kept whole", self.org)
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter
            pause = min(2 * pause, most)
            self._wake.set()

    def _soon(self) -> float:
        if not self._all_due:
            return _SOON
        least, each = _ALL_SOON
        return max(least, each * len(self.people)) if self.aside is None else _BACK_SOON

    async def renew(self) -> None:
        """Load all that is due."""
        began, all_due = monotonic(), self._all_due
        if all_due and self.aside is not None:
            await self._put_back(self.aside)
            if self._all_due:  # it was of no use, or forgotten again: at another moment
                self._wake.set()
                return
        elif all_due:
            await self._everybody()
        for _ in range(_TRIES):
            await self._of.bell.until(self._of.usable)
            due, self._due = self._mirror.missing(self._due), set()
            if not due:
                break
            try:
                await self._some(due)
            finally:
                self._due |= due  # what could not be loaded, or was overtaken meanwhile, is missing still
        else:
            log.warning("%d of organisation %s do not stay in memory: raise `size`", len(self._due), self.org)
        if not self._all_due:
            self.whole, self.aside = True, None
            self._of.bell.ring()
            if all_due:
                took = monotonic() - began
                log.info("Organisation %s is in memory: %d people, in %.1f s", self.org, len(self.people), took)

    async def _everybody(self) -> None:
        """A page at a time. Everybody who is on one is in memory, save for those whom something has overtaken."""
        await self._of.bell.until(self._of.usable)
        self._all_due = False
        self.people, self._due, self.known = set(), self._types(), {}
        try:
            after = await self._page(None)
            while after is not None:
                after = await self._page(after)
        except BaseException:
            self._all_due = True
            raise
        self._due |= self.people

    async def _put_back(self, aside: Aside) -> None:
        """Those whom nothing has concerned that could not be heard; the others are due."""
        await self._of.bell.until(self._of.usable)
        self._all_due = False
        self.people |= aside.people
        self._due = self._types()
        try:
            changed = await aside.put_back(self._mirror, self._of.remote, self._of.now)
        except BaseException:
            self._all_due = True
            raise
        if changed is None:
            self.aside, self._all_due = None, True
            return
        self.people |= {key for key in changed if isinstance(key, int)}
        self._due |= changed | self.people

    def _types(self) -> set[Key]:
        return {(self.org.int, kind) for kind in self._mirror.catalogue.holders}

    async def _page(self, after: UUID | None) -> UUID | None:
        page = await self._fill(partial(self._of.client.standings, self.org, after))
        if after is None:
            self._total = page.total or 0
            room = self._of.room_for(self)
            if self._total > room:
                raise TooMany(self.org, self._total, room)
        self.people |= {member.staff.int for member in page.members}
        self._show()
        return page.next

    async def _some(self, due: set[Key]) -> None:
        staff = [UUID(int=key) for key in due if isinstance(key, int)]
        types = sorted(key[1] for key in due if not isinstance(key, int))
        pages = [
            self._fill(partial(self._of.client.standings_of, self.org, staff[start : start + MOST]))
            for start in range(0, len(staff), MOST)
        ]
        registries = [self._register(types[start : start + _TYPES]) for start in range(0, len(types), _TYPES)]
        await asyncio.gather(*pages, *registries)

    async def _fill(self, ask: Callable[[], Awaitable[Standings]]) -> Standings:
        told: list[Standings] = []

        async def read(resolve: Resolve) -> Sequence[tuple[Key, Part]]:
            page, parts = await self._of.remote.standings(resolve, ask)
            told.append(page)
            self.reached(page.revision)
            return parts

        async with self._of.at_once:
            await self._mirror.fill(read)
        return told[0]

    async def _register(self, types: Sequence[str]) -> None:
        async def read(_resolve: Resolve) -> Sequence[tuple[Key, Part]]:
            parts = await self._of.remote.registries(self.org, types)
            self.reached(parts[0][1].revision)
            return parts

        async with self._of.at_once:
            await self._mirror.fill(read)

    # --- telling ----------------------------------------------------------------------------------------------

    def shown_to(self, progress: Progress | None) -> _Shown:
        return _Shown(self._shown, progress)

    def _show(self) -> None:
        count, total = len(self.people), max(self._total, len(self.people))
        for progress in self._shown:
            progress(count, total)
        if monotonic() - self._said_at >= _SAID_EVERY:
            self._said_at = monotonic()
            log.info("Organisation %s: %d of %d people are in memory", self.org, count, total)


class _Shown:
    """Whom progress is shown to for a while."""

    def __init__(self, all: list[Progress], one: Progress | None) -> None:
        self._all = all
        self._one = one

    def __enter__(self) -> None:
        if self._one is not None:
            self._all.append(self._one)

    def __exit__(self, *_fault: object) -> None:
        if self._one is not None:
            self._all.remove(self._one)


def _seen(task: asyncio.Task[None]) -> None:
    """A fault that nobody waits for any more is nobody's."""
    if not task.cancelled():
        task.exception()
