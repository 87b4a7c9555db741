"""notify over HTTP. Each operation translates; what happens is decided in the noun's own module."""

from services.notify.api import deliveries
from shared.http.operation import Api

api = Api()
for part in (deliveries,):
    api.include(part.api)
