"""What a change may name: targets that lie in the catalogue and the registry, contracts and tenants that are there, ends
that are still to come."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from services.authz import registry
from services.authz.store import contracts as contract_store
from services.authz.store import tenants as tenant_store
from services.authz.work import Work
from shared.errors import Invalid
from staffgate.contracts.authz import Target
from staffgate.decision import CHANNEL_ITEMS, Catalogue

# The same in every organisation, so that nobody has to register them.
_FIXED = {f"{item.type}:{item.id}" for item in CHANNEL_ITEMS}
_FARTHEST = timedelta(days=36500)


async def target(work: Work, named: Target) -> Target:
    """The one way to write it. Raises Invalid where nothing can be inside it, or something that it names is not there."""
    canonical = work.catalogue.canonical(named)
    if canonical is None:
        raise _fault(work.catalogue, named)
    await context(work, canonical.contract, canonical.tenant)
    if canonical.item is not None and canonical.item not in _FIXED:
        type, _, id = canonical.item.partition(":")
        if await registry.item(work.tx, work.org, work.catalogue, type, id) is None:
            raise Invalid("unknown_item", f"{named.item!r} is not registered in your organisation; pick one that is.")
    return canonical


async def context(work: Work, contract: str | None, tenant: str | None) -> None:
    if contract is not None and await contract_store.contract(work.tx, work.org, contract) is None:
        raise Invalid("unknown_contract", f"Your organisation has no contract {contract!r}.")
    if tenant is not None and await tenant_store.tenant(work.tx, work.org, tenant) is None:
        raise Invalid("unknown_tenant", f"Your organisation has no tenant {tenant!r}.")


def products(work: Work, named: Iterable[str]) -> list[str]:
    """Each once, in order."""
    found = sorted(set(named))
    for product in found:
        if product not in work.catalogue.products:
            raise Invalid("unknown_product", f"There is no product {product!r} in the catalogue.")
    return found


def end(work: Work, named: datetime | None) -> datetime | None:
    """In UTC. What has expired already would be given to nobody; what lies too far off can't be stored."""
    if named is None:
        return None
    if not work.now < named < work.now + _FARTHEST:
        raise Invalid("not_to_come", "An end has to be still to come, and within a hundred years.")
    return named.astimezone(UTC)


def _fault(catalogue: Catalogue, named: Target) -> Invalid:
    type, colon, _ = (named.item or ":").partition(":")
    if named.product is not None and named.product not in catalogue.products:
        return Invalid("unknown_product", f"There is no product {named.product!r} in the catalogue.")
    if named.section is not None and named.section not in catalogue.sections:
        return Invalid("unknown_section", f"There is no section {named.section!r} in the catalogue.")
    if named.feature is not None and named.feature not in catalogue.features:
        return Invalid("unknown_feature", f"There is no feature {named.feature!r} in the catalogue.")
    if named.item is not None and (not colon or type not in catalogue.holders):
        return Invalid("unknown_item_type", f"Name an item as `type:id`; {named.item!r} is of no known type.")
    return Invalid("target_empty", "Product, section, feature and item of the target do not lie inside one another.")
