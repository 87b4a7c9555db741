"""The catalogue over HTTP: what product services publish, and what comes of it."""

from __future__ import annotations

from services.authz.service import Authz
from shared.http.operation import Api, Tagged
from staffgate.contracts import authz as contract
from staffgate.contracts import catalogue
from staffgate.contracts.caller import Person, Product

api = Api()


@api.put("/v1/catalogue/{product}")
async def publish_manifest(
    authz: Authz, caller: Product, product: contract.Name, body: catalogue.Manifest
) -> catalogue.Published:
    """Publish a product's sections, features and item types. As often as you like, best at every start.

    The first to publish a product is the one that it belongs to. Whatever is changed takes a higher version. A name
    that permissions or items still use goes only by an alias, or where `retire` names it.
    """
    return await authz.manifests.publish(caller, product, body)


@api.get("/v1/catalogue")
async def show_catalogue(authz: Authz, caller: Person | Product) -> Tagged[catalogue.WholeCatalogue]:
    """Every product's manifest, and the version of the whole."""
    whole = authz.catalogues.whole()
    return Tagged(whole, f'"{whole.version}"')


@api.get("/v1/catalogue/drift")
async def show_drift(authz: Authz, caller: Person | Product) -> catalogue.Drift:
    """What is stored and means nothing in the present catalogue: in the caller's organisation, or for a product in all."""
    return await authz.drifts.report(caller)
