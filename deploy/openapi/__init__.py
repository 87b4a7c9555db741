"""The services' OpenAPI 3.1 documents, made from the signatures of their operations and kept here to be read and compared."""

from __future__ import annotations

import importlib
from pathlib import Path

import msgspec

from shared.http.openapi import document
from shared.http.operation import Api
from shared.service import VERSION

SERVICES = ("identity", "authz", "notify")
FOLDER = Path(__file__).parent
COMMAND = "python -m deploy.openapi"


def operations(service: str) -> Api:
    """What this service offers over HTTP."""
    api: Api = importlib.import_module(f"services.{service}.api").api
    return api


def generated(service: str) -> bytes:
    """The document as it has to be stored."""
    described = document(f"Staffgate {service}", VERSION, operations(service).operations)
    return msgspec.json.format(msgspec.json.encode(described), indent=2) + b"\n"


def stored(service: str) -> Path:
    return FOLDER / f"{service}.json"
