"""Products' endpoints as the operator names them: a JSON list. It holds their secrets."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from services.notify.provider.settings import Name
from shared.bus.topology import NOTIFY_WEBHOOKS
from staffgate.webhooks import secret_key

_LOOPBACK = r"(localhost|127\.0\.0\.1|\[::1\])"
_HOST = r"(\[[0-9a-fA-F:]+\]|[^:@/\s\[\]?#\\]+)"
# A signature proves who wrote it and hides nothing, so it goes over TLS, save on the machine itself.
Url = Annotated[str, Meta(pattern=rf"^(https://{_HOST}|http://{_LOOPBACK})(:\d{{1,5}})?(/[^\s#]*)?$")]


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """It hears of every organisation: products serve all of them. The name stands in metrics and in each delivery."""

    name: Name
    url: Url
    secrets: Annotated[list[str], Meta(min_length=1, max_length=4)]  # two while one is replaced: it is signed with both
    events: Annotated[list[str], Meta(min_length=1)]  # types, or "*" for all there are


def read(text: str, taken: Collection[str] = ()) -> list[Endpoint]:
    """Raise ValueError for what is no such list, for a secret or a type that is none, and where a name stands twice.
    `taken` are the providers' names: who sent a delivery is told by its name alone."""
    endpoints = msgspec.json.decode(text, type=list[Endpoint]) if text else []
    names = [*taken, *(endpoint.name for endpoint in endpoints)]
    if len(names) != len(set(names)):
        raise ValueError("two webhooks, or a webhook and a provider, have one name")
    for endpoint in endpoints:
        _require_sound(endpoint)
    return endpoints


def _require_sound(endpoint: Endpoint) -> None:
    for secret in endpoint.secrets:
        try:
            secret_key(secret)
        except ValueError as fault:
            raise ValueError(f"the webhook {endpoint.name}: {fault}") from fault
    unknown = set(endpoint.events) - {"*", *NOTIFY_WEBHOOKS.types}
    if unknown:
        raise ValueError(f"the webhook {endpoint.name} wants what is never posted: {', '.join(sorted(unknown))}")


def wanting(endpoints: Sequence[Endpoint], type: str) -> list[str]:
    """The names of those that want to hear of it."""
    return [endpoint.name for endpoint in endpoints if type in endpoint.events or "*" in endpoint.events]
