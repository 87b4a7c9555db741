"""identity over HTTP. Each operation translates; what happens is decided in the noun's own module."""

from services.identity.api import links, logins, me, organisations, products, staff
from shared.http.operation import Api

api = Api()
for part in (organisations, staff, links, logins, me, products):
    api.include(part.api)
