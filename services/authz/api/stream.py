"""What product services without RabbitMQ follow."""

from __future__ import annotations

from services.authz.service import Authz
from shared.http.flow import EventStream
from shared.http.operation import Api
from staffgate.contracts.caller import Product

api = Api()


@api.get("/v1/replica/stream")
async def follow_changes(authz: Authz, caller: Product) -> EventStream:
    """Follow what is announced to replicas, as server-sent events, while this process can hear it.

    The first event is `opened`, with the `seconds` that the stream may last: from then on nothing is left out. The others are
    named by the type of what they carry: permissions that changed, catalogues that were published, sessions that ended,
    and heartbeats; `data` is the CloudEvent. Whenever it ends, anything may have happened until another one is `opened`.

    503 where nothing can be heard (`deaf`), or where too many follow (`too_many_streams`).
    """
    return EventStream(authz.streams.follow(caller.name))
