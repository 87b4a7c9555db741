"""authz over HTTP. Each operation translates; what happens is decided in the noun's own module."""

from __future__ import annotations

from services.authz.api import (
    accounts,
    catalogue,
    changes,
    contracts,
    decisions,
    explanations,
    grants,
    items,
    placements,
    replica,
    roles,
    stream,
    teams,
    tenants,
)
from shared.http.operation import Api

api = Api()
for group in (
    decisions,
    explanations,
    catalogue,
    items,
    grants,
    accounts,
    roles,
    teams,
    contracts,
    tenants,
    changes,
    placements,
    replica,
    stream,
):
    api.include(group.api)
