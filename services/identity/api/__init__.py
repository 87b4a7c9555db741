"""identity over HTTP. Each operation translates; what happens is decided in the noun's own module."""

from services.identity.api import (
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
    weblinks,
)
from shared.http.operation import Api

api = Api()
for part in (
    security,
    organisations,
    staff,
    imports,
    links,
    logins,
    factors,
    me,
    products,
    weblinks,
    sessions,
    availability,
    lists,
    audit,
):
    api.include(part.api)
