"""The operations of the three services, from the handlers' signatures."""

from __future__ import annotations

import inspect

from deploy.openapi import SERVICES, operations
from deploy.reference.table import table
from shared.http.operation import Operation

_HEAD = """# Operations

The full description of each service, with every field, is its OpenAPI 3.1 document: at `/openapi.json` of the running service, and in
`deploy/openapi/`.

Who asks shows an access token: `Authorization: Bearer ...`. Whatever goes wrong is answered as `application/problem+json`
(RFC 9457); `type` is stable and made to be compared, `detail` says what to do.

Every service also answers `GET /livez`, `GET /readyz` and `GET /metrics`.
"""
_WORDS = {
    "Person": "signed-in staff",
    "Enrolling": "staff who have to enrol a factor first",
    "Product": "product services",
}


def page() -> str:
    return "\n".join([_HEAD, *(f"## {service}\n\n{_table(service)}" for service in SERVICES)])


def _table(service: str) -> str:
    rows = [
        (f"`{one.method} {one.path}`", _callers(one), _summary(one), f"`{one.name}`")
        for one in operations(service).operations
    ]
    return table(("operation", "who may ask", "what it does", "name"), rows)


def _callers(operation: Operation) -> str:
    anybody = "a client with its credentials" if "basic" in operation.types else "anybody"
    return ", ".join(_WORDS[caller.__name__] for caller in operation.callers) or anybody


def _summary(operation: Operation) -> str:
    return inspect.cleandoc(operation.handler.__doc__ or "").partition("\n\n")[0]
