"""The catalogue that a replica decides by, and whether it still may.

Its version is announced, and stands in every heartbeat. A newer one that can't be had, or not be understood here, leaves
the older one good for as long as anything else that is remembered: counted from when it was last known to be the newest,
and not from when somebody heard that it is not. After a time in which nothing could be heard that has to be proved anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from math import inf

from staffgate.client import AuthzClient, Refused, ServiceAway
from staffgate.decision import BadManifest, Catalogue

_EVERY_BEHIND = 1.0  # seconds between looks at it while it is known to be an old one
_EVERY = 30.0  # and while it is not

log = logging.getLogger("staffgate")


class Current:
    def __init__(
        self,
        client: AuthzClient,
        now: Callable[[], float],
        bound: float,
        replace: Callable[[Catalogue], None],
        proved: Callable[[], None],
    ) -> None:
        """`replace` is told each newer one; `proved` says that one is known again to be the newest."""
        self._client = client
        self._now = now
        self._bound = bound
        self._replace = replace
        self._proved = proved
        self._newest = 0  # that was heard of
        self._proved_at = self._doubted_at = -inf
        self.version: int | None = None  # None until one has come
        # Where there is a newer one, or nobody knows: when it was last known to be the newest.
        self.behind_since: float | None = None
        self.due = asyncio.Event()

    @property
    def usable(self) -> bool:
        return self.version is not None and not self.outdated

    @property
    def outdated(self) -> bool:
        """Whether for too long it has not been known to be the newest."""
        return self.behind_since is not None and self._now() - self.behind_since > self._bound

    @property
    def followed(self) -> bool:
        """Whether there has been a newer one for too long, for all that is known."""
        return self.outdated and self.version is not None and self._newest > self.version

    def heard(self, version: int, at: float = -inf) -> None:
        """This was the newest `at` that time; of an announcement, which may come late, nobody knows that."""
        if self.version is not None and version > max(self.version, self._newest):
            self.due.set()
        self._newest = max(self._newest, version)
        if self.version is not None:
            self._known(min(at, self._now()))

    def doubt(self) -> None:
        """Newer ones may have been announced to nobody here."""
        self._doubted_at = self._now()
        if self.version is not None:
            self._known(-inf)
        self.due.set()

    def _known(self, at: float) -> None:
        """It was the newest `at` that time, if no newer one was heard of."""
        behind, newest = self.behind_since is not None, self._newest == self.version
        if newest:
            self._proved_at = max(self._proved_at, at)
        self.behind_since = None if newest and self._proved_at >= self._doubted_at else self._proved_at
        if behind and self.behind_since is None:
            self._proved()

    async def keep(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                await self._load()
            except (ServiceAway, Refused, BadManifest) as fault:
                log.warning("The catalogue can't be loaded: %s", fault)
            except Exception:  # whoever dies of it never loads again, and nobody notices
                log.exception("The catalogue can't be loaded")
            behind = self.version is None or self.behind_since is not None
            with suppress(TimeoutError):
                async with asyncio.timeout(_EVERY_BEHIND if behind else _EVERY):
                    await self.due.wait()
            self.due.clear()

    async def _load(self) -> None:
        began = self._now()
        whole = await self._client.catalogue()
        if self.version is not None and whole.version <= self.version:
            self._known(began)
            return
        catalogue = Catalogue.from_manifests(whole.manifests)
        self.version, self._newest, self._proved_at = whole.version, max(self._newest, whole.version), began
        self._known(began)
        self._replace(catalogue)
