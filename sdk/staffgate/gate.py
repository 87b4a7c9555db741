"""Who asks, and whether they may: what every guard asks, whatever it stands in front of.

A guard takes a request apart, asks the gate, and answers what was `Turned` away as a problem (RFC 9457). What can't be
found out is refused like what is denied: nobody gets through on a doubt.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

import msgspec

from staffgate.access import TokenRefused
from staffgate.client import Refused, ServiceAway
from staffgate.contracts.authz import Target
from staffgate.contracts.caller import Caller, Person
from staffgate.contracts.problem import Problem
from staffgate.decision import Question
from staffgate.resource import Named, asked

# Type, id, and what else describes it: `("contact", "7", {"owner": owner})`.
Resource = tuple[str, str] | tuple[str, str, Mapping[str, Any]]
# Or anything with a type and an id; and None where there is no such thing.
Found = Resource | Named | None | Awaitable[Resource | Named | None]

_HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "1"}}


class Turned(Exception):
    """Turned away. `code` is stable, `detail` says what to do."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail

    @property
    def headers(self) -> dict[str, str]:
        """Besides the Content-Type."""
        return _HEADERS.get(self.status, {})

    def body(self, path: str) -> bytes:
        """The problem. A path may hold what is no text, and is then shown with question marks."""
        shown = path.encode(errors="replace").decode()
        return msgspec.json.encode(Problem.of(self.code, self.status, self.detail, shown))


class Decided(Protocol):
    """A Ruling, or a Verdict: the answer, and what is behind it."""

    @property
    def allowed(self) -> bool: ...

    @property
    def visible(self) -> bool: ...

    @property
    def reason(self) -> str: ...

    @property
    def revision(self) -> int: ...


class Decides(Protocol):
    """AuthzClient, or Replica."""

    async def decide(self, staff: UUID, action: str, type: str, id: str, **properties: Any) -> Decided: ...


class Verifies(Protocol):
    """Sessions; or a Verifier, for which a session is over only when its last token has expired."""

    def verify(self, token: str) -> Caller: ...


class Gate:
    """`explain` tells in every refusal which rule it was. It also tells strangers, so it is for a developer's own machine."""

    def __init__(self, authz: Decides, sessions: Verifies, *, explain: bool = False) -> None:
        self._authz = authz
        self._sessions = sessions
        self._explain = explain

    def person(self, authorizations: Sequence[str]) -> Person:
        """Whose token it is. `authorizations` are the Authorization headers: of two, everybody would read another one."""
        scheme, _, token = (authorizations[0] if len(authorizations) == 1 else "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Turned(401, "token_missing", "Send one access token: Authorization: Bearer <token>.")
        try:
            caller = self._sessions.verify(token.strip())
        except ServiceAway as fault:
            raise Turned(503, "access_unknown", "Access tokens can't be verified now; try again.") from fault
        except TokenRefused as fault:
            raise Turned(401, "token_refused", f"This access token is not accepted ({fault}).") from fault
        if not isinstance(caller, Person):
            raise Turned(403, "wrong_caller", "This is for signed-in staff only.")
        return caller

    async def require(self, person: Person, action: str, found: Found) -> None:
        """Raise Turned unless this person may do that to it."""
        resource = await found if inspect.isawaitable(found) else found
        if resource is None:
            raise _not_found()
        about = _question(action, resource)
        try:
            decided = await self._authz.decide(person.staff, action, about.type, about.id, **about.properties)
        except (ServiceAway, Refused) as fault:
            raise unknown() from fault
        if not decided.allowed:
            why = _why(decided) if self._explain else ""
            raise _forbidden(action, why) if decided.visible else _not_found(why)


def _question(action: str, resource: Resource | Named) -> Question:
    if not isinstance(resource, tuple):
        return asked(action, resource, None, {})
    type, id, *about = resource
    return Question(action, type, id, about[0] if about else {})


def unknown() -> Turned:
    """For whoever asked, and could not be told."""
    return Turned(503, "authz_away", "It can't be found out now whether you may do this; try again.")


def _forbidden(action: str, why: str) -> Turned:
    return Turned(403, "not_permitted", f"You may not do this here: it takes {action!r}.{why}")


def _not_found(why: str = "") -> Turned:
    return Turned(404, "not_found", f"There is nothing of that name.{why}")


def _why(decided: Decided) -> str:
    """By what it was decided: ` (grant 01a2... on section sms, item inbox:management, at revision 12)`."""
    rule, target = getattr(decided, "rule", None), getattr(decided, "target", None)
    by = f" {rule}" if rule else ""
    on = f" on {_named(target)}" if isinstance(target, Target) else ""
    return f" ({decided.reason}{by}{on}, at revision {decided.revision})"


def _named(target: Target) -> str:
    parts = {name: value for name in target.__struct_fields__ if (value := getattr(target, name)) is not None}
    return ", ".join(f"{name} {value}" for name, value in parts.items()) or "everything"
