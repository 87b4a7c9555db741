"""OpenAPI 3.1 from the operations' own signatures."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import msgspec

from shared.http.operation import FORM, JSON, Operation
from shared.http.problems import CONTENT_TYPE, Problem

_REF = "#/components/schemas/{name}"
_TEXT = {"type": "string"}


def document(title: str, version: str, operations: Sequence[Operation]) -> dict[str, Any]:
    kinds = _kinds(operations)
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    by_kind = dict(zip(map(repr, kinds), schemas, strict=True))
    paths: dict[str, Any] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _describe(operation, by_kind)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _kinds(operations: Sequence[Operation]) -> list[Any]:
    kinds: list[Any] = [Problem]
    for operation in operations:
        for name, kind in operation.types.items():
            if name not in ("caller", "source", "if_match") and kind not in kinds:
                kinds.append(kind)
        if _has_result(operation) and operation.result not in kinds:
            kinds.append(operation.result)
    return kinds


def _has_result(operation: Operation) -> bool:
    return operation.result is not None and operation.result is not type(None) and not _is_page(operation)


def _is_page(operation: Operation) -> bool:
    return getattr(operation.result, "__name__", "") == "Response"


def _describe(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    summary, _, rest = inspect.cleandoc(operation.handler.__doc__ or "").partition("\n\n")
    described: dict[str, Any] = {"operationId": operation.name, "summary": " ".join(summary.split())}
    if rest:
        described["description"] = rest
    if operation.callers:
        described["security"] = [{"token": []}]
    if parameters := _parameters(operation, schemas):
        described["parameters"] = parameters
    for name, content_type in (("body", JSON), ("form", FORM)):
        if name in operation.types:
            content = {content_type: {"schema": schemas[repr(operation.types[name])]}}
            described["requestBody"] = {"required": True, "content": content}
    described["responses"] = _responses(operation, schemas)
    return described


def _parameters(operation: Operation, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    found = [
        {"name": name, "in": "path", "required": True, "schema": schemas[repr(operation.types[name])]}
        for name in operation.in_path
    ]
    if "query" in operation.types:
        for field in msgspec.structs.fields(operation.types["query"]):
            schema = msgspec.json.schema(field.type)
            found.append({"name": field.encode_name, "in": "query", "required": field.required, "schema": schema})
    if "if_match" in operation.types:
        said = "The ETag as you last saw it: where it is another by now, nothing is changed, and the answer is 412"
        found.append({"name": "If-Match", "in": "header", "required": False, "description": said, "schema": _TEXT})
    return found


def _responses(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    problem = {
        "description": "What is wrong, and what to do",
        "content": {CONTENT_TYPE: {"schema": {"$ref": _REF.format(name="Problem")}}},
    }
    if _is_page(operation):
        return {
            "200": {"description": "A page", "content": {"text/html": {"schema": {"type": "string"}}}},
            "4XX": problem,
        }
    if not _has_result(operation):
        return {"204": {"description": "Done"}, "4XX": problem}
    content = {JSON: {"schema": schemas[repr(operation.result)]}}
    answers = {str(operation.status): {"description": "Done", "content": content}, "4XX": problem}
    if operation.tagged:
        etag = {"description": "For If-Match of the next change", "schema": _TEXT}
        answers[str(operation.status)] |= {"headers": {"ETag": etag}}
    if operation.invalid == 400:
        answers["400"] = problem | {
            "description": "What can't be read, and what is not acceptable: there is no 422 here"
        }
    return answers
