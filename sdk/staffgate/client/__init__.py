"""Typed clients of the services. They need aiohttp and msgspec, and no database or bus."""

from staffgate.client.authz import AuthzClient, Ruling
from staffgate.client.identity import IdentityClient
from staffgate.client.transport import Refused, ServiceAway

__all__ = ["AuthzClient", "IdentityClient", "Refused", "Ruling", "ServiceAway"]
