"""What the other services and products ask."""

from __future__ import annotations

from services.identity.service import Identity
from services.identity.session import metadata
from shared.http.operation import Api, Cacheable
from staffgate.contracts import identity as contract
from staffgate.contracts.caller import Product

api = Api()
_KEPT = 300  # seconds: a third of the time that a key is published before it signs


@api.get("/.well-known/jwks.json")
async def list_keys(identity: Identity) -> Cacheable[contract.KeySet]:
    """The public keys that access tokens are signed with (RFC 7517); a new one a quarter of an hour before it signs."""
    return Cacheable(identity.keys.published(), _KEPT)


@api.get("/.well-known/oauth-authorization-server")
async def show_server_metadata(identity: Identity) -> Cacheable[contract.ServerMetadata]:
    """Where tokens come from, and how (RFC 8414)."""
    return Cacheable(metadata.describe(identity.signer.issuer), _KEPT)


@api.get("/v1/revocations")
async def list_revocations(identity: Identity, caller: Product) -> contract.Revocations:
    """Sessions that ended while one of their access tokens may be unexpired."""
    return await identity.sessions.ended()
