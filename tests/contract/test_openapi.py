"""The stored OpenAPI documents are those of the code, valid, and of use to a reader."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from deploy.openapi import COMMAND, SERVICES, generated, stored


def document(service: str) -> Any:
    return json.loads(stored(service).read_text())


def operations(service: str) -> list[Any]:
    return [operation for methods in document(service)["paths"].values() for operation in methods.values()]


@pytest.mark.parametrize("service", SERVICES)
def test_the_stored_document_is_the_one_of_the_code(service: str) -> None:
    stale = f"{stored(service).name} is not what the code says: run {COMMAND} and look at the difference"
    assert stored(service).read_bytes() == generated(service), stale


@pytest.mark.parametrize("service", SERVICES)
def test_the_document_is_valid(service: str) -> None:
    assert document(service)["openapi"] == "3.1.0"
    faults = list(OpenAPIV31SpecValidator(document(service)).iter_errors())
    assert not faults


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_says_what_it_is_for(service: str) -> None:
    for operation in operations(service):
        assert operation["summary"].endswith((".", "?", ")")), operation["operationId"]
        assert "4XX" in operation["responses"], operation["operationId"]


def test_no_two_operations_have_one_name() -> None:
    names = [operation["operationId"] for service in SERVICES for operation in operations(service)]
    assert len(names) == len(set(names))
