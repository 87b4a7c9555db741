"""The catalogue that a replica decides by, and whether it still may.

Its version is announced, and stands in every heartbeat. A newer one that can't be had, or not be understood here, leaves
the older one good for as long as anything else that is remembered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from staffgate.client import AuthzClient, Refused, ServiceAway
from staffgate.decision import BadManifest, Catalogue

_EVERY_BEHIND = 1.0  # seconds between looks at it while it is known to be an old one
_EVERY = 30.0  # and while it is not

log = logging.getLogger("staffgate")


class Current:
    def __init__(
        self, client: AuthzClient, now: Callable[[], float], bound: float, replace: Callable[[Catalogue], None]
    ) -> None:
        """`replace` is told each newer one."""
        self._client = client
        self._now = now
        self._bound = bound
        self._replace = replace
        self.version: int | None = None  # None until one has come
        self.behind_since: float | None = None  # when a newer one was heard of
        self.due = asyncio.Event()

    @property
    def usable(self) -> bool:
        return self.version is not None and not self.outdated

    @property
    def outdated(self) -> bool:
        """Whether there has been a newer one for too long."""
        return self.behind_since is not None and self._now() - self.behind_since > self._bound

    def heard(self, version: int) -> None:
        if self.version is not None and version > self.version and self.behind_since is None:
            self.behind_since = self._now()
            self.due.set()

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
        whole = await self._client.catalogue()
        if self.version is not None and whole.version <= self.version:
            return
        catalogue = Catalogue.from_manifests(whole.manifests)
        self.version, self.behind_since = whole.version, None
        self._replace(catalogue)
