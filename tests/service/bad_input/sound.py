"""What there is to be spoilt: the operations of a service, and for each of them a request that would succeed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from jsonschema import Draft202012Validator, ValidationError, validators  # type: ignore[import-untyped]

from shared.http.operation import FORM, JSON


@dataclass(frozen=True)
class Operation:
    """One operation of an OpenAPI document."""

    id: str
    method: str
    path: str
    described: Mapping[str, Any]
    document: Mapping[str, Any]

    @property
    def needs_token(self) -> bool:
        return {"token": []} in self.described.get("security", [])

    @property
    def is_page(self) -> bool:
        return "text/html" in self.described["responses"].get("200", {}).get("content", {})

    @property
    def file_type(self) -> str:
        """Of the file that it takes, or nothing."""
        taken = [one for one in self.described.get("requestBody", {}).get("content", {}) if one not in (JSON, FORM)]
        return taken[0] if taken else ""

    def parameters(self, place: str) -> dict[str, dict[str, Any]]:
        found = [one for one in self.described.get("parameters", []) if one["in"] == place]
        return {one["name"]: self.resolved(one["schema"]) for one in found}

    def schema(self, content_type: str) -> dict[str, Any] | None:
        content = self.described.get("requestBody", {}).get("content", {})
        return content[content_type]["schema"] if content_type in content else None

    def resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        """With `$ref` followed and without the alternative null."""
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            return self.resolved(self.document["components"]["schemas"][name])
        real = [one for one in schema.get("anyOf", []) if one.get("type") != "null"]
        return self.resolved(real[0]) if len(real) == 1 else schema

    def accepts(self, schema: dict[str, Any], value: object) -> bool:
        """Does the document allow this?"""
        whole = {**schema, "components": self.document["components"]}
        return bool(_Validator(whole).is_valid(value))


def _matches(_validator: Any, pattern: str, value: object, _schema: Any) -> Any:
    """JSON Schema's patterns are ECMAScript's, where `$` is the end and not the end but for a line feed."""
    strict = re.sub(r"\$(?=$|\()", r"\\Z", pattern)
    if isinstance(value, str) and not re.search(strict, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


_Validator: Any = validators.extend(Draft202012Validator, {"pattern": _matches})


def operations(document: Mapping[str, Any]) -> list[Operation]:
    return [
        Operation(described["operationId"], method.upper(), path, described, document)
        for path, methods in document["paths"].items()
        for method, described in methods.items()
    ]


@dataclass(frozen=True)
class Sound:
    """A request that succeeds."""

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    form: Mapping[str, str] | None = None
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)  # besides the usual ones: a signature, an If-Match
    token: str = ""


@dataclass(frozen=True)
class Request:
    """Ready to be sent. The path is encoded already."""

    method: str
    path: str
    headers: Mapping[str, str]
    content: bytes | None = None

    def without(self, header: str) -> Request:
        return replace(self, headers={name: value for name, value in self.headers.items() if name != header})

    def having(self, **headers: str) -> Request:
        return replace(self, headers={**self.headers, **{name.replace("_", "-"): one for name, one in headers.items()}})


def request(operation: Operation, sound: Sound) -> Request:
    headers = dict(sound.headers) | ({"Authorization": f"Bearer {sound.token}"} if sound.token else {})
    content = None
    if sound.form is not None:
        headers["Content-Type"], content = FORM, urlencode(sound.form).encode()
    elif sound.content is not None:
        headers["Content-Type"], content = operation.file_type, sound.content
    elif sound.body is not None:
        headers["Content-Type"], content = JSON, msgspec.json.encode(sound.body)
    return Request(operation.method, place(operation, sound), headers, content)


def place(operation: Operation, sound: Sound) -> str:
    path = operation.path
    for name, value in sound.path.items():
        path = path.replace("{" + name + "}", quote(value, safe=""))
    return path + ("?" + urlencode(sound.query) if sound.query else "")
