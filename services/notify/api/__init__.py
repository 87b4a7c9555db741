"""notify over HTTP. Each operation translates; what happens is decided in the noun's own module."""

from services.notify.api import branding, deliveries, policies, previews, receipts, suppressions
from shared.http.operation import Api

api = Api()
for part in (branding, deliveries, policies, previews, receipts, suppressions):
    api.include(part.api)
