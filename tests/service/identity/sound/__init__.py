"""For each operation of identity a request that succeeds, a module for each part of its API."""

from __future__ import annotations

from tests.service.identity.sound import (
    audit,
    availability,
    factors,
    imports,
    links,
    lists,
    logins,
    me,
    organisations,
    products,
    security,
    sessions,
    staff,
)

_PARTS = (
    audit,
    availability,
    factors,
    links,
    lists,
    logins,
    me,
    organisations,
    products,
    security,
    sessions,
    staff,
    imports,
)
FORBIDDEN = frozenset[str]().union(*(part.FORBIDDEN for part in _PARTS))
HIDDEN = frozenset[str]().union(*(part.HIDDEN for part in _PARTS))
FOR_PRODUCTS = frozenset[str]().union(*(part.FOR_PRODUCTS for part in _PARTS))
FOR_ENROLLING = frozenset[str]().union(*(part.FOR_ENROLLING for part in _PARTS))
# Refused when the session's factor was shown too long ago.
FRESH = frozenset[str]().union(*(getattr(part, "FRESH", frozenset()) for part in _PARTS))


class World(
    imports.Imports,
    audit.Audit,
    availability.Availability,
    factors.Factors,
    lists.Lists,
    security.Security,
    sessions.Sessions,
    links.Links,
    logins.Logins,
    me.Me,
    organisations.Organisations,
    products.Products,
    staff.Staff,
):
    """ACME Crates, where Ray is the owner and Jane a standard user; and the SMS inbox, a product service."""
