"""From the operator's settings to what judges each message."""

from __future__ import annotations

import base64
import binascii

import structlog

from services.notify.limit.admission import Admission
from services.notify.limit.keys import Keys
from services.notify.limit.policies import Policies
from services.notify.limit.settings import Limits
from services.notify.provider.routes import Routes
from services.notify.suppression.addresses import Addresses
from services.notify.suppression.suppressions import Suppressions
from shared.db import Database

_BYTES = 32


log = structlog.get_logger()


def admission(limits: Limits, secret: bytes, db: Database, routes: Routes) -> Admission:
    if not limits.countries and any(provider.channel == "sms" for provider in routes.providers):
        log.warning("limits.no_countries", means="SMS go only where an organisation has said so itself")
    suppressions = Suppressions(db, Addresses(secret))
    return Admission(limits, Keys(secret), Policies(db, limits), routes, suppressions)


def address_key(text: str) -> bytes:
    """Raise ValueError for what is no such key."""
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error as fault:
        raise ValueError("the address key is no base64") from fault
    if len(key) != _BYTES:
        raise ValueError(f"the address key has {len(key)} bytes, not {_BYTES}")
    return key
