"""What each route of a product takes, as a table: for the middlewares, which refuse what is not in it.

    RULES = {
        ("GET", "/health"): PUBLIC,
        ("GET", "/inboxes"): SIGNED_IN,
        ("POST", "/inboxes/{inbox}/messages"): Requires("sms.send", ("inbox", "{inbox}")),
        ("GET", "/contacts/{id}"): Requires("contacts.view", find_contact),
    }

A placeholder stands for one segment of the path, whole and not empty; `*` at the end for all that is below. HEAD is asked
for like GET where it has no rule of its own. Where two fit, the one with the words wins over the one with the placeholder.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Any
from urllib.parse import unquote

import msgspec

from staffgate.contracts.caller import Person
from staffgate.gate import Found, Gate, Resource, Turned

_PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)\}")
_METHOD = re.compile(r"[A-Z]+")
# What means something in a path for one reader and nothing for the next: \, control characters, what is no UTF-8.
_UNPLAIN = re.compile("[\\\\\x00-\x1f\x7f\ufffd\ud800-\udfff]|%[0-9A-Fa-f]{2}")
_HIDDEN = re.compile(rb"%(2f|5c)", re.IGNORECASE)  # a / or \ that comes out only when it is decoded
_REST = "*"


class Open(Enum):
    """What authz is not asked about. What of it somebody may see, the handler asks itself (`rows`, `search`)."""

    PUBLIC = "for everybody, on purpose"
    SIGNED_IN = "for whoever is signed in"


PUBLIC, SIGNED_IN = Open.PUBLIC, Open.SIGNED_IN


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a request before it is let through. `request` is aiohttp's, or the scope of ASGI."""

    staff: Person
    method: str
    path: str
    parameters: Mapping[str, str]
    request: Any


Describe = Callable[[Call], Found]


class Requires(msgspec.Struct, frozen=True):
    """`resource` says what it is about: an id of the form `{name}` is that parameter of the path. A function finds it from
    the Call, and None where there is nothing; it is asked only after the person is known."""

    action: str
    resource: Resource | Describe


Rule = Requires | Open
Table = Mapping[tuple[str, str], Rule]


class Rules:
    """Raises ValueError where the table can be understood in two ways, or not at all."""

    def __init__(self, table: Table) -> None:
        self._rules: dict[tuple[str, str], Rule] = {}
        self._patterns: dict[str, list[_Pattern]] = {}
        for (method, path), rule in table.items():
            self._add(method, path, rule)
        heads = self._patterns.setdefault("HEAD", [])
        own = {one.order for one in heads}
        heads += [one for one in self._patterns.get("GET", ()) if one.order not in own]
        for patterns in self._patterns.values():
            patterns.sort(key=lambda one: one.order)

    def of(self, method: str, path: str) -> Rule | None:
        """By the path as the router writes it, once it has decided which route it is."""
        rule = self._rules.get((method, _bare(path)))
        return self.of("GET", path) if rule is None and method == "HEAD" else rule

    def match(self, method: str, path: str) -> tuple[Rule, Mapping[str, str]] | None:
        """By the path as it was asked for; with its parameters."""
        segments = path.split("/")[1:]
        for pattern in self._patterns.get(method, ()):
            found = pattern.match(segments)
            if found is not None:
                return pattern.rule, found
        return None

    def missing(self, routes: Iterable[tuple[str, str]]) -> list[str]:
        """The routes, by method and path, that have no rule: for a test of the product's own."""
        paths = {path for _, path in self._rules}  # a route for every method is refused for those without a rule
        return sorted(
            f"{method} {path}"
            for method, path in {*routes}
            if self.of(method, path) is None and not (method == "*" and _bare(path) in paths)
        )

    def _add(self, method: str, path: str, rule: Rule) -> None:
        if not _METHOD.fullmatch(method):
            raise ValueError(f"{method!r} {path}: a method is written in capitals")
        pattern = _Pattern(path, rule)
        if any(pattern.order == other.order for other in self._patterns.get(method, ())):
            raise ValueError(f"{method} {path}: another rule is for the same paths")
        self._patterns.setdefault(method, []).append(pattern)
        self._rules[method, path] = rule


class _Pattern:
    def __init__(self, path: str, rule: Rule) -> None:
        segments = path.split("/")
        if segments[0]:
            raise ValueError(f"{path!r}: a path begins with /")
        self.rule = rule
        self._rest = segments[-1] == _REST
        self._segments = segments[1:-1] if self._rest else segments[1:]
        self._names = [_name(path, segment) for segment in self._segments]
        self._check(path)
        # A word before a placeholder before what is below; and equal where they are for the same paths.
        steps = [
            (0, segment) if name is None else (1, "") for segment, name in zip(self._segments, self._names, strict=True)
        ]
        self.order = (*steps, (2, "")) if self._rest else tuple(steps)

    def match(self, segments: list[str]) -> Mapping[str, str] | None:
        own = len(self._segments)
        if not (any(segments[own : own + 1]) if self._rest else len(segments) == own):
            return None
        found: dict[str, str] = {}
        for segment, name, said in zip(self._segments, self._names, segments, strict=False):
            if name is None and segment != said:
                return None
            if name is not None:
                if not said:
                    return None
                found[name] = said
        return found

    def _check(self, path: str) -> None:
        names = [name for name in self._names if name is not None]
        if len({*names}) != len(names):
            raise ValueError(f"{path}: a placeholder stands there twice")
        if not plain(path, None):
            raise ValueError(f"{path}: nobody could ask for this path")
        wanted = wanted_parameter(self.rule.resource) if isinstance(self.rule, Requires) else None
        if wanted is not None and wanted not in names:
            raise ValueError(f"{path}: there is no placeholder {{{wanted}}}")


def _name(path: str, segment: str) -> str | None:
    """The placeholder's; None where it is a word."""
    if found := _PLACEHOLDER.fullmatch(segment):
        return found[1]
    if {"{", "}", _REST} & {*segment}:
        raise ValueError(f"{path}: {segment!r} is neither a word nor one whole {{placeholder}}; * may stand at the end")
    return None


def _bare(path: str) -> str:
    """As a table writes it: routers also say what a placeholder looks like (`{id:int}`), and some quote their words."""
    return unquote(re.sub(r"\{(\w+):[^{}]*\}", r"{\1}", path))


# --- requests -------------------------------------------------------------------------------------------------


def plain(path: str, raw: bytes | None) -> bool:
    """Whether everybody reads this path alike. `raw` is how it was sent, before it was decoded."""
    if _UNPLAIN.search(path) or "//" in path or not {".", ".."}.isdisjoint(path.split("/")):
        return False
    return path.startswith("/") and (raw is None or not _HIDDEN.search(raw))


def wanted_parameter(resource: object) -> str | None:
    """The parameter of the path that is the id, where it is one."""
    found = _PLACEHOLDER.fullmatch(str(resource[1])) if isinstance(resource, tuple) else None
    return found[1] if found else None


def filled(resource: Resource, parameters: Mapping[str, str]) -> Resource:
    """With the id that the path names."""
    wanted = wanted_parameter(resource)
    if wanted is None:
        return resource
    type, _, *about = resource
    return (type, parameters[wanted], *about)  # type: ignore[return-value]  # as many as there were


async def let_through(
    gate: Gate | None, rule: Rule | None, authorizations: Sequence[str], call: Callable[[Person], Call]
) -> Person | None:
    """Who asks, None where that does not matter. Raises Turned where the rule does not let them."""
    if rule is None:
        raise Turned(403, "no_rule", "Nobody has said who may do this, so nobody may.")
    if rule is PUBLIC:
        return None
    if gate is None:
        raise Turned(503, "access_unknown", "This service is starting; try again.")
    person = gate.person(authorizations)
    if isinstance(rule, Requires):
        asked = call(person)
        resource = rule.resource
        found = resource(asked) if callable(resource) else filled(resource, asked.parameters)
        await gate.require(person, rule.action, found)
    return person
