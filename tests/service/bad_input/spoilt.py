"""Every way to spoil a sound request that somebody has tried somewhere."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from shared.http.operation import FORM, JSON
from tests.service.bad_input.sound import Operation, Request, Sound, place, request

UNKNOWN = "00000000-0000-7000-8000-000000000000"
_TOO_LARGE = (1 << 20) + 1
_OTHER_TYPES: dict[str, list[object]] = {
    "string": [7, 1.5, True, [], {}, ["a"], {"a": 1}],
    "integer": ["nonsense", 1.5, True, [], {}, 10**40, -(10**40)],
    "number": ["nonsense", True, [], {}],
    "boolean": ["nonsense", 7, [], {}],
    "object": ["nonsense", 7, 1.5, True, [], [{}]],
    "array": ["nonsense", 7, True, {}],
}


@dataclass(frozen=True)
class Case:
    """`refused`: it has to be. The others are at the edge: taken or refused, but never half done and never a 5xx."""

    name: str
    request: Request
    refused: bool = True


def cases(operation: Operation, sound: Sound) -> Iterator[Case]:
    yield from _paths(operation, sound)
    yield from _queries(operation, sound)
    if operation.schema(JSON):
        yield from _bodies(operation, sound)
        yield from _values(operation, sound)
    if operation.schema(FORM):
        yield from _forms(operation, sound)
    if operation.file_type:
        yield from _files(operation, sound)
    if operation.method == "POST" and "requestBody" not in operation.described:
        whole = request(operation, sound)
        yield Case("a body where none is wanted", replace(whole, content=b"\xff{"), refused=False)
        yield Case("too large a body where none is wanted", replace(whole, content=b" " * _TOO_LARGE), refused=False)


# --- the path and the query -----------------------------------------------------------------------------------

_BAD_PATHS = {
    "a NUL": "%00",
    "CR LF": "a%0d%0aX-Injected:%201",
    "no UTF-8": "%ff%fe",
    "too long": "a" * 3000,
    "a way up": "..%2f..%2fetc",
    "spaces": "%20",
    "SQL": "1%27%20OR%20%271%27=%271",
    "a lone surrogate": "%ed%a0%80",
}


def _paths(operation: Operation, sound: Sound) -> Iterator[Case]:
    for name, schema in operation.parameters("path").items():
        whole, is_id = request(operation, sound), schema.get("format") == "uuid"
        bad = _BAD_PATHS | ({"no UUID": "nonsense", "nobody's id": UNKNOWN} if is_id else {})
        for what, part in bad.items():
            path = place(operation, replace(sound, path={**sound.path, name: "%%"})).replace("%25%25", part)
            yield Case(f"{name} in the path is {what}", replace(whole, path=path), refused=is_id)


def _queries(operation: Operation, sound: Sound) -> Iterator[Case]:
    for name, schema in operation.parameters("query").items():
        typed = schema.get("type") == "integer" or "format" in schema
        wrong = {
            "empty": "",
            "words": "a b",
            "a NUL": "\0",
            "CR LF": "a\r\nb",
            "too long": "a" * 5000,
            "huge": "9" * 40,
        }
        for what, value in (wrong | {"negative": "-1"}).items():
            spoilt = replace(sound, query={**sound.query, name: value})
            yield Case(f"{name} in the query is {what}", request(operation, spoilt), refused=typed)
    spoilt = replace(sound, query={**sound.query, "nonsense": "1"})
    yield Case("an unknown name in the query", request(operation, spoilt), refused=False)


# --- the body as a whole --------------------------------------------------------------------------------------


def _bodies(operation: Operation, sound: Sound) -> Iterator[Case]:
    whole = request(operation, sound)
    good = whole.content or b""
    yield Case("no body", replace(whole, content=b""))
    yield Case("no content type", whole.without("Content-Type"))
    for content_type in ("text/plain", FORM, "application/xml", "multipart/form-data; boundary=x", "nonsense", "json;"):
        yield Case(f"content type {content_type}", whole.having(Content_Type=content_type))
    for charset in ("utf-16", "nonsense"):
        yield Case(f"charset {charset}", whole.having(Content_Type=f"{JSON}; charset={charset}"), refused=False)
    for what, content in _not_json(good).items():
        yield Case(what, replace(whole, content=content))
    yield Case("too large", replace(whole, content=good + b" " * _TOO_LARGE))
    yield Case("not gzip, as it says", whole.having(Content_Encoding="gzip"))


def _not_json(good: bytes) -> dict[str, bytes]:
    return {
        "not JSON": b"{",
        "a word": b"nonsense",
        "no UTF-8": b"\xff\xfe\x00",
        "UTF-16": good.decode().encode("utf-16"),
        "no UTF-8 in a string": good.replace(b'":"', b'":"\xff', 1) if b'":"' in good else b"\xff",
        "a lone surrogate in a name": b'{"\\ud800": 1}',
        "two bodies": good + good,
        "NaN": b'{"a": NaN}',
        "endless brackets": b"[" * 100_000,
        "endless objects": b'{"a":' * 50_000,
        "an array": b"[" + good + b"]",
        "null": b"null",
        "a string": b'"nonsense"',
        "a number": b"7",
        "an empty object": b"{}",
    }


# --- the values in the body -----------------------------------------------------------------------------------


def _values(operation: Operation, sound: Sound) -> Iterator[Case]:
    whole, schema = request(operation, sound), operation.schema(JSON)
    assert schema is not None
    for name, body in _spoilt(operation, schema, sound.body, ""):
        content = json.dumps(body).encode()  # what is not ASCII as \uXXXX: a lone surrogate gets through
        yield Case(name, replace(whole, content=content), refused=not operation.accepts(schema, body))


def _spoilt(operation: Operation, schema: dict[str, Any], value: Any, at: str) -> Iterator[tuple[str, Any]]:
    """The value with one thing in it wrong, at every place in turn."""
    schema = operation.resolved(schema)
    if isinstance(value, dict) and "properties" in schema:
        yield f"{at or 'the body'} with an unknown field", {**value, "nonsense": 1}
        yield from _spoilt_fields(operation, schema, value, at)
    elif isinstance(value, dict):
        yield from _spoilt_freely(value, at)
    elif isinstance(value, str):
        yield from ((f"{at} is {what}", text) for what, text in _texts(schema, value).items())
    if at:
        yield f"{at} is null", None
        for other in _OTHER_TYPES.get(schema.get("type", "string"), []):
            yield f"{at} is {json.dumps(other)[:20]}", other


def _spoilt_fields(operation: Operation, schema: dict[str, Any], value: Any, at: str) -> Iterator[tuple[str, Any]]:
    for name, inner in schema["properties"].items():
        place = f"{at}.{name}".lstrip(".")
        if name in value:
            missing = copy.deepcopy(value)
            del missing[name]
            yield f"{place} is missing", missing
        for what, spoilt in _spoilt(operation, inner, value.get(name), place):
            yield what, {**value, name: spoilt}


def _spoilt_freely(value: dict[str, Any], at: str) -> Iterator[tuple[str, Any]]:
    """What the document says nothing about, and the code may count on all the same."""
    others: tuple[object, ...] = ("nonsense", "\0", "\ud800", 0, -1, 1.5, 1e300, 10**40, True, None, [], {})
    for name in value:
        for other in others:
            yield f"{at}.{name} is {json.dumps(other)[:20]}", {**value, name: other}
    yield f"{at} with a NUL for a name", {**value, "\0": "\0"}


def _texts(schema: dict[str, Any], value: str) -> dict[str, str]:
    half = len(value) // 2
    return {
        "empty": "",
        "blank": " ",
        "nonsense": "!nonsense!",
        "too long": "a" * (schema.get("maxLength", 10_000) + 1),
        "far too long": "a" * 100_000,
        "with a NUL": value[:half] + "\0" + value[half:],
        "with CR LF": value[:half] + "\r\nBcc: luke@rebels.example\r\n" + value[half:],
        "with a line feed at its end": value + "\n",
        "with a lone surrogate": value[:half] + "\ud800" + value[half:],
        "with a turned direction": value[:half] + "\u202e" + value[half:],
        "markup": "<img src=x onerror=alert(1)>",
        "a template": "{{7*7}}${7*7}%s",
        "SQL": "' OR '1'='1",
        "beyond the first plane": value + "\U0001f4e6",
    }


# --- forms ----------------------------------------------------------------------------------------------------


def _forms(operation: Operation, sound: Sound) -> Iterator[Case]:
    whole, form = request(operation, sound), dict(sound.form or {})
    page = operation.is_page  # a page's own form has a default for everything
    yield Case("no body", replace(whole, content=b""))
    yield Case("no content type", whole.without("Content-Type"))
    for content_type in (JSON, "text/plain", "multipart/form-data", "multipart/form-data; boundary=x"):
        yield Case(f"content type {content_type}", whole.having(Content_Type=content_type))
    yield Case("charset nonsense", whole.having(Content_Type=f"{FORM}; charset=nonsense"), refused=False)
    yield Case("no UTF-8", replace(whole, content=b"\xff=\xfe&a=%ff"))
    yield Case("too large", replace(whole, content=(whole.content or b"") + b"&a=" + b"a" * _TOO_LARGE))
    yield Case("not gzip, as it says", whole.having(Content_Encoding="gzip"))
    yield Case("many fields", replace(whole, content=b"&".join(b"a%d=1" % n for n in range(20_000))))
    for name, value in form.items():
        rest = {other: one for other, one in form.items() if other != name}
        yield Case(f"{name} is missing", request(operation, replace(sound, form=rest)), refused=not page)
        for what, text in _texts({}, value).items():
            if "surrogate" not in what:
                spoilt = replace(sound, form={**form, name: text})
                yield Case(f"{name} is {what}", request(operation, spoilt), refused=_has_to_be_right(name))
        yield Case(f"{name} is no UTF-8", replace(whole, content=(f"{name}=%ff%fe&").encode() + b""))


def _has_to_be_right(name: str) -> bool:
    """What is compared with something that we gave out."""
    return name in ("token", "grant_type", "refresh_token", "client_id", "client_secret")


# --- files ----------------------------------------------------------------------------------------------------


def _files(operation: Operation, sound: Sound) -> Iterator[Case]:
    whole, good = request(operation, sound), sound.content or b""
    yield Case("no body", replace(whole, content=b""))
    yield Case("no content type", whole.without("Content-Type"))
    for content_type in (JSON, FORM, "text/plain", "application/zip", "multipart/form-data; boundary=x", "nonsense"):
        yield Case(f"content type {content_type}", whole.having(Content_Type=content_type))
    yield Case("too large", replace(whole, content=good + b" " * 5 * _TOO_LARGE))
    yield Case("not gzip, as it says", whole.having(Content_Encoding="gzip"))
    for what, content in {
        "NUL bytes": b"\0" * 100,
        "no UTF-8": good + b"\xff\xfe\xfd",
        "half a UTF-16 character": good.decode(errors="replace").encode("utf-16")[:-1],
        "a zip": b"PK\x03\x04" + bytes(100),
        "a word": b"nonsense",
        "only its first line": good.partition(b"\n")[0].partition(b",")[0],
        "a quotation mark that nothing closes": good + b'"',
    }.items():
        yield Case(what, replace(whole, content=content))
