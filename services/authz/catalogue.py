"""The catalogue that this process decides by: the one place where it is kept, and how a newer one comes in.

Published manifests are in the database, and whoever publishes raises a version there. Each replica is told by a hint,
compares with every heartbeat, and looks by itself now and then, more often while it can't hear. A catalogue is swapped
whole and never changed; who remembers something that was compiled with the one before is told to forget it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import msgspec
import structlog
from prometheus_client import Gauge

from services.authz.store import manifests as store
from services.authz.store.manifests import Stored
from shared.bus.envelope import Undecodable, decode, open_envelope
from shared.bus.port import Message
from shared.db import Database, Tx
from shared.errors import Refusal
from staffgate.contracts.authz import Heartbeat
from staffgate.contracts.catalogue import CataloguePublished, WholeCatalogue
from staffgate.decision import BadManifest, Catalogue, shipped

_EVERY_DEAF = 1.0  # seconds between looks while nothing can be heard
_EVERY_HEARING = 30.0  # and while it can: a hint may be lost

log = structlog.get_logger()
present_version = Gauge("authz_catalogue_version", "The version of the catalogue that this process decides by")

Swapped = Callable[[Catalogue], None]


class Catalogues:
    """Listens (Hints) and is a part of the service's life (`kept`). Until that is entered: what the suite ships."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._told: list[Swapped] = []
        self._hearing = False
        self._due = asyncio.Event()
        self.version = 0
        self.current = Catalogue.from_manifests(shipped())
        self._publishers = {manifest.product: manifest.product for manifest in self.current.manifests}

    def tell(self, swapped: Swapped) -> None:
        """Call this with each newer catalogue, in the moment in which it becomes the current one."""
        self._told.append(swapped)

    def whole(self) -> WholeCatalogue:
        return WholeCatalogue(version=self.version, manifests=self.current.manifests)

    def publisher(self, type: str) -> str | None:
        """The product service that the items of a type belong to, None where no section holds that type."""
        kind = self.current.kind(type)
        if kind is None:
            return None
        product = self.current.paths[self.current.holders[kind]][-2]
        return self._publishers[product[1:]]

    async def load(self, tx: Tx | None = None) -> None:
        """Take over what the database has, if it is newer. Any transaction will do."""
        if tx is None:
            async with self._db.begin_anywhere() as tx:
                await self._load(tx)
        else:
            await self._load(tx)

    async def _load(self, tx: Tx) -> None:
        # The version first: what is published between the two is found again by the next look.
        version = await store.version_anywhere(tx)
        if version <= self.version:
            return
        found = await store.manifests_anywhere(tx)
        newer = compiled(found)
        if version <= self.version:  # another load was faster
            return
        self.version, self.current = version, newer
        self._publishers = {product: stored.publisher for product, stored in found.items()}
        present_version.set(version)
        for swapped in self._told:
            swapped(newer)
        log.info("catalogue.swapped", version=version)

    # --- Hints ------------------------------------------------------------------------------------------------

    def heard(self, message: Message) -> None:
        try:
            event = decode(open_envelope(message.body))
        except Undecodable:
            self._due.set()
            return
        newest = event.version if isinstance(event, CataloguePublished) else 0
        newest = event.catalogue if isinstance(event, Heartbeat) else newest
        if newest > self.version:
            self._due.set()

    def lost(self) -> None:
        self._hearing = False
        self._due.set()

    def restored(self) -> None:
        self._hearing = True
        self._due.set()

    # --- keeping current --------------------------------------------------------------------------------------

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Loaded before anything is answered, and kept current until the end."""
        await self.load()
        task = asyncio.create_task(self._keep(), name="catalogue")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _keep(self) -> None:
        while True:
            # Not wait_for: in Python 3.11 it swallows a cancellation that comes together with the event.
            with suppress(TimeoutError):
                async with asyncio.timeout(_EVERY_HEARING if self._hearing else _EVERY_DEAF):
                    await self._due.wait()
            self._due.clear()
            await self._try_to_load()

    async def _try_to_load(self) -> None:
        try:
            await self.load()
        except Refusal as fault:
            log.warning("catalogue.not_loaded", error=str(fault))
        except (BadManifest, msgspec.DecodeError) as fault:
            # Published by a newer authz than this: what is known goes on being right until this one is replaced.
            log.error("catalogue.not_understood", error=str(fault))
        except Exception:  # whoever dies of it never loads again, and nobody notices
            log.exception("catalogue.not_loaded")


def compiled(stored: dict[str, Stored]) -> Catalogue:
    """In the order in which the suite ships them; whoever came later comes after."""
    order = {manifest.product: number for number, manifest in enumerate(shipped())}
    manifests = [one.manifest for one in stored.values()]
    return Catalogue.from_manifests(
        sorted(manifests, key=lambda one: (order.get(one.product, len(order)), one.product))
    )
