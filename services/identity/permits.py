"""Who may administer staff: authz is asked, by the same client that product services use.

Fail closed: what can't be asked is not done. Getting in, activating, and the caller's own account need none of this.
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection
from typing import Any, TypeVar
from uuid import UUID

import structlog

from services.identity.session.keys import Signer
from shared.clock import Clock
from shared.errors import Forbidden, NotFound, Unavailable
from staffgate.access import LIFETIME
from staffgate.client import AuthzClient, Refused, Ruling, ServiceAway
from staffgate.contracts.authz import PlacementsChecked
from staffgate.contracts.caller import Person
from staffgate.contracts.level import DataAccess
from staffgate.decision import RowFilter

_SECTION = "core.staff"
_TYPE = "staff"  # a row of that section: its id and its owner are the person's
# identity has let them in a moment ago, so it is authz that has not heard of it.
_EARLY = frozenset({"unknown_subject", "account_inactive", "account_suspended"})

T = TypeVar("T")
log = structlog.get_logger()


class OwnToken:
    """identity is a product service like any other, and issues its token to itself."""

    def __init__(self, signer: Signer, clock: Clock) -> None:
        self._signer = signer
        self._clock = clock
        self._token = ""
        self._good_until = 0.0

    async def __call__(self) -> str:
        now = self._clock.seconds()
        if now >= self._good_until:
            self._token = self._signer.sign("identity", "identity")
            self._good_until = now + LIFETIME * 0.8
        return self._token


class Permits:
    authz: AuthzClient  # there from the service's start

    async def require(self, caller: Person, action: str) -> None:
        """A base action on staff accounts as such: there is no row yet, or it is about many."""
        ruling = await self._ruling(caller, action, "section", _SECTION)
        if not ruling.allowed:
            raise _forbidden(action)

    async def require_over(self, caller: Person, action: str, staff: UUID) -> None:
        """A base action over one person's account. Whom the caller may not even see is not there for them."""
        ruling = await self._ruling(caller, action, _TYPE, str(staff), owner=staff)
        if not ruling.allowed:
            raise _forbidden(action) if ruling.visible else nobody()

    async def require_in(self, caller: Person, section: str, action: str) -> None:
        """A base action on a section whose rows are nobody's in particular: only who reaches all of them may."""
        ruling = await self._ruling(caller, action, "section", section, section=section)
        if not ruling.allowed or ruling.rows is not DataAccess.FULL:
            raise _forbidden(action, section)

    async def rows(self, caller: Person) -> RowFilter:
        """Whose accounts the caller may view."""
        rows = await _had(self.authz.rows(caller.staff, f"{_SECTION}.view", _TYPE, await_subject=True))
        if rows.reach is None and not rows.items:
            raise _forbidden("view")
        return rows

    async def placements(self, caller: Person, roles: Collection[str], teams: Collection[str]) -> PlacementsChecked:
        """In which of these, by name, the caller may place people who are not there yet."""
        return await _had(self.authz.check_placements(caller.staff, roles, teams))

    async def _ruling(
        self, caller: Person, action: str, type: str, id: str, *, section: str = _SECTION, **about: Any
    ) -> Ruling:
        asked = self.authz.decide(caller.staff, f"{section}.{action}", type, id, await_subject=True, **about)
        ruling = await _had(asked)
        if ruling.reason in _EARLY:
            raise Unavailable("account_unknown", "Your account is not known everywhere yet; try again.")
        return ruling


async def _had(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except (ServiceAway, Refused) as fault:
        log.error("permits.authz_away", error=str(fault))
        detail = "It can't be found out now whether you may do this; try again."
        raise Unavailable("authz_away", detail) from fault


def nobody() -> NotFound:
    return NotFound("not_found", "There is nobody of that id in your organisation.")


def _forbidden(action: str, section: str = _SECTION) -> Forbidden:
    return Forbidden("not_permitted", f"This takes the action {action!r} on {section!r}.")
