"""Typed clients of the services. They need aiohttp and msgspec, and no database or bus."""

from staffgate.client.authz import AuthzClient, Ruling
from staffgate.client.faults import Refused, ServiceAway
from staffgate.client.identity import IdentityClient
from staffgate.client.line import Patience, Session
from staffgate.client.notify import NotifyClient
from staffgate.client.staff import StaffClient
from staffgate.client.transport import Versioned
from staffgate.client.wire import Wire

__all__ = [
    "AuthzClient",
    "IdentityClient",
    "NotifyClient",
    "Patience",
    "Refused",
    "Ruling",
    "ServiceAway",
    "Session",
    "StaffClient",
    "Versioned",
    "Wire",
]
