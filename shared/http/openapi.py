"""OpenAPI 3.1 from the operations' own signatures."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import msgspec

from shared.http.files import Download
from shared.http.flow import EventStream
from shared.http.operation import FORM, JSON, Operation
from shared.http.problems import CONTENT_TYPE, Problem
from staffgate.contracts.problem import OAuthProblem
from staffgate.contracts.stream import CONTENT_TYPE as EVENTS

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
            "securitySchemes": _schemes(operations),
        },
    }


def _schemes(operations: Sequence[Operation]) -> dict[str, Any]:
    schemes: dict[str, Any] = {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    if any("basic" in operation.types for operation in operations):
        schemes["basic"] = {"type": "http", "scheme": "basic"}
    return schemes


def _kinds(operations: Sequence[Operation]) -> list[Any]:
    kinds: list[Any] = [Problem]
    if any(operation.oauth_errors for operation in operations):
        kinds.append(OAuthProblem)
    for operation in operations:
        for name, kind in operation.types.items():
            if (
                name not in ("caller", "source", "head", "if_match", "idempotency_key", "content", "basic")
                and kind not in kinds
            ):
                kinds.append(kind)
        if _has_result(operation) and operation.result not in kinds:
            kinds.append(operation.result)
    return kinds


def _has_result(operation: Operation) -> bool:
    return operation.result is not None and operation.result is not type(None) and not _is_file(operation)


def _is_file(operation: Operation) -> bool:
    return _is_page(operation) or _is_download(operation) or operation.result is EventStream


def _is_page(operation: Operation) -> bool:
    return getattr(operation.result, "__name__", "") == "Response"


def _is_download(operation: Operation) -> bool:
    return isinstance(operation.result, type) and issubclass(operation.result, Download)


def _describe(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    summary, _, rest = inspect.cleandoc(operation.handler.__doc__ or "").partition("\n\n")
    described: dict[str, Any] = {"operationId": operation.name, "summary": " ".join(summary.split())}
    if rest:
        described["description"] = rest
    if operation.callers:
        described["security"] = [{"token": []}]
    if "basic" in operation.types:
        described["security"] = [{}, {"basic": []}]
    if parameters := _parameters(operation, schemas):
        described["parameters"] = parameters
    for name, content_type in (("body", JSON), ("form", FORM)):
        if name in operation.types:
            content = {content_type: {"schema": schemas[repr(operation.types[name])]}}
            described["requestBody"] = {"required": True, "content": content}
    if operation.content is not None:
        limit = f"At most {_bytes(operation.content.limit)}"
        content = {one: {"schema": _TEXT} for one in operation.content.types}
        described["requestBody"] = {"required": True, "description": limit, "content": content}
    described["responses"] = _responses(operation, schemas)
    return described


def _bytes(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count >> 10} KiB"


def _parameters(operation: Operation, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    found = [
        {"name": name, "in": "path", "required": True, "schema": schemas[repr(operation.types[name])]}
        for name in operation.in_path
    ]
    if "query" in operation.types:
        for field in msgspec.structs.fields(operation.types["query"]):
            (schema,), _ = msgspec.json.schema_components([field.type], ref_template=_REF)
            found.append({"name": field.encode_name, "in": "query", "required": field.required, "schema": schema})
    if "if_match" in operation.types:
        said = "The ETag as you last saw it: where it is another by now, nothing is changed, and the answer is 412"
        found.append({"name": "If-Match", "in": "header", "required": False, "description": said, "schema": _TEXT})
    if "idempotency_key" in operation.types:
        said = "A name of your own for this request: sent again under the same one it is done once"
        found.append(
            {"name": "Idempotency-Key", "in": "header", "required": False, "description": said, "schema": _TEXT}
        )
    return found


def _responses(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    problem: dict[str, Any] = {
        "description": "What is wrong, and what to do",
        "content": {CONTENT_TYPE: {"schema": {"$ref": _REF.format(name="Problem")}}},
    }
    if operation.oauth_errors:
        problem["content"][JSON] = {"schema": {"$ref": _REF.format(name="OAuthProblem")}}
    if _is_page(operation):
        page = {"text/html": {"schema": _TEXT}}
        refused = problem | {"content": problem["content"] | page}
        return {"200": {"description": "A page", "content": page}, "4XX": refused}
    if _is_download(operation):
        file = {operation.result.content_type: {"schema": _TEXT}}
        return {"200": {"description": "A file", "content": file}, "4XX": problem}
    if operation.result is EventStream:
        return {
            "200": {"description": "Events, as they happen", "content": {EVENTS: {"schema": _TEXT}}},
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
