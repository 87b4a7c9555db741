"""Publishing manifests: what a product service says of itself becomes part of the catalogue (permission model, section 1).

Whatever would leave stored permissions without their meaning, or give them another one, is refused. Names are given up
by an alias, which keeps what is stored, or on purpose (`retire`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import structlog

from services.authz.catalogue import Catalogues, compiled
from services.authz.drift import harmed
from services.authz.store import manifests as store
from services.authz.store import targets as target_store
from services.authz.store.manifests import Stored
from shared.db import Database, Tx
from shared.errors import Conflict, Forbidden, Invalid, Refusal
from staffgate.contracts.caller import Product
from staffgate.contracts.catalogue import CataloguePublished, Manifest, Published
from staffgate.contracts.event import NOBODYS
from staffgate.decision import BadManifest, Catalogue, shipped

_SHOWN = 100  # stored targets in a refusal: enough to see what it is about

log = structlog.get_logger()


class Manifests:
    def __init__(self, db: Database, catalogues: Catalogues) -> None:
        self._db = db
        self._catalogues = catalogues

    async def publish(self, caller: Product, product: str, manifest: Manifest) -> Published:
        """As often as the product likes: what is published already is left as it is."""
        if manifest.product != product:
            raise Invalid("wrong_product", f"This is the manifest of {manifest.product!r}.", at="$.product")
        async with self._db.begin_anywhere() as tx:
            version = await store.lock_version_anywhere(tx)
            stored = await store.manifests_anywhere(tx)
            if _is_news(caller, stored.get(product), manifest):
                version = await self._replace(tx, stored, [Stored(caller.name, manifest)])
        await self._catalogues.load()
        return Published(product=product, version=manifest.version, catalogue=version)

    async def _replace(self, tx: Tx, stored: dict[str, Stored], newer: Collection[Stored]) -> int:
        """In the transaction that holds the version; what the whole is afterwards has to be a catalogue."""
        old = compiled(stored)
        try:
            new = compiled({**stored, **{one.manifest.product: one for one in newer}})
        except BadManifest as fault:
            raise Invalid("bad_manifest", f"This makes no catalogue: {fault}.") from fault
        _require_renamed(old, new)
        found = await target_store.targets_anywhere(tx)
        if harm := harmed(found, old, new, [one.manifest.retire for one in newer]):
            detail = "Stored permissions or items would lose their meaning: give an alias, or retire the names."
            raise Conflict("names_in_use", detail, targets=harm[:_SHOWN])
        await store.put_manifests_anywhere(tx, newer, self._db.clock.now())
        version = await store.raise_version_anywhere(tx)
        products = sorted(one.manifest.product for one in newer)
        await tx.emit(CataloguePublished(org=NOBODYS, version=version, products=products))
        return version

    # --- what the suite ships ---------------------------------------------------------------------------------

    @asynccontextmanager
    async def shipped(self) -> AsyncIterator[None]:
        """Before anything is answered: the suite's own manifests, where they are newer than what is there."""
        try:
            await self.ship(shipped())
        except Refusal as fault:
            # What is stored goes on being right; whoever runs this has to see it, and nobody is shut out by it.
            log.error("catalogue.shipped_refused", error=str(fault), **fault.extras)
        yield

    async def ship(self, manifests: Collection[Manifest]) -> None:
        """Each belongs to the product service of its name, which may have published a newer one."""
        async with self._db.begin_anywhere() as tx:
            await store.lock_version_anywhere(tx)
            stored = await store.manifests_anywhere(tx)
            newer = [Stored(one.product, one) for one in manifests if _is_newer(one, stored.get(one.product))]
            if newer:
                await self._replace(tx, stored, newer)


def _is_newer(manifest: Manifest, present: Stored | None) -> bool:
    if present is None:
        return True
    if manifest.version == present.manifest.version and manifest != present.manifest:
        log.warning("catalogue.shipped_differs", product=manifest.product, version=manifest.version)
    return manifest.version > present.manifest.version


def _is_news(caller: Product, present: Stored | None, manifest: Manifest) -> bool:
    """False where it is published already. Whoever publishes a product first is the one that it belongs to."""
    if present is None:
        return True
    if present.publisher != caller.name:
        raise Forbidden("others_manifest", f"The manifest of {manifest.product!r} belongs to another product service.")
    newest = present.manifest.version
    if manifest.version < newest:
        raise Conflict("version_superseded", f"Version {newest} is published already.", version=newest)
    if manifest.version == newest and manifest != present.manifest:
        raise Conflict("version_taken", f"Version {newest} is published and says something else.", version=newest)
    return manifest.version > newest


def _require_renamed(old: Catalogue, new: Catalogue) -> None:
    """An alias is a new name for the same thing, and not two things made one: each has its own permissions."""
    present = (
        (new.former.sections, old.sections),
        (new.former.features, old.features),
        (new.former.items, old.holders),
    )
    for former, names in present:
        for name, now in former.items():
            if name in names and now in names:
                raise Invalid("names_merged", f"{name!r} can't become {now!r}: those are two now, and stay two.")
