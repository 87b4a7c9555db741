"""What the other services and products ask."""

from __future__ import annotations

from services.identity.service import Identity
from shared.http.operation import Api
from staffgate.contracts import identity as contract
from staffgate.contracts.caller import Product

api = Api()


@api.get("/.well-known/jwks.json")
async def list_keys(identity: Identity) -> contract.KeySet:
    """The public keys that access tokens are signed with (RFC 7517)."""
    return identity.keys.published()


@api.get("/v1/revocations")
async def list_revocations(identity: Identity, caller: Product) -> contract.Revocations:
    """Sessions that ended while one of their access tokens may be unexpired."""
    return await identity.sessions.ended()
