"""Where an organisation's SMS go. No service knows where an organisation is at home: the operator names the suite's
countries, and each organisation its own."""

from __future__ import annotations

from uuid import UUID

import structlog

from services.notify.authority import require_administrator
from services.notify.limit.numbers import is_country
from services.notify.limit.settings import Limits
from services.notify.store import policies as store
from services.notify.store.policies import PolicyRow
from shared.db import Database, Tx
from shared.errors import Invalid
from shared.freshness import require_fresh
from shared.preconditions import require_match
from staffgate.contracts.caller import Person
from staffgate.contracts.notify import SendingPolicy, SetSendingPolicy

log = structlog.get_logger()


class Policies:
    def __init__(self, db: Database, limits: Limits) -> None:
        self._db = db
        self._limits = limits

    async def sends_to(self, tx: Tx, org: UUID, country: str) -> bool:
        """What the operator has since taken off the list of what can be selected counts no more."""
        return country in self._in_force(await store.policy(tx, org))

    async def show(self, caller: Person) -> tuple[SendingPolicy, str]:
        """With its ETag."""
        require_administrator(caller)
        async with self._db.begin(caller.org) as tx:
            row = await store.policy(tx, caller.org)
        return self._shown(row), _etag(row)

    async def save(self, caller: Person, wanted: SetSendingPolicy, if_match: str | None) -> tuple[SendingPolicy, str]:
        """Each country more is one more where somebody else's telephone can cost money: it takes a fresh factor."""
        require_administrator(caller)
        require_fresh(caller, self._db.clock)
        countries = None if wanted.countries is None else self._checked(wanted.countries)
        async with self._db.begin(caller.org) as tx:
            old = await store.lock_policy(tx, caller.org)
            require_match(if_match, _etag(old))
            if countries != old.countries:
                await store.set_policy(tx, caller.org, countries, caller.staff, self._db.clock.now())
            new = await store.policy(tx, caller.org)
        if new != old:
            log.info("sending_policy.changed", org=str(caller.org), staff=str(caller.staff), countries=countries)
        return self._shown(new), _etag(new)

    def _checked(self, countries: list[str]) -> list[str]:
        for place, country in enumerate(countries):
            at = f"$.countries[{place}]"
            if not is_country(country):
                raise Invalid("country_unknown", f"{country} is no country; write it as AU or DE (ISO 3166).", at=at)
            if not self._selectable(country):
                raise Invalid("country_not_offered", f"This suite sends no SMS to {country}.", at=at)
        return sorted(set(countries))

    def _selectable(self, country: str) -> bool:
        return not self._limits.selectable or country in self._limits.selectable

    def _in_force(self, row: PolicyRow) -> list[str]:
        if row.countries is None:
            return self._limits.countries
        return [country for country in row.countries if self._selectable(country)]

    def _shown(self, row: PolicyRow) -> SendingPolicy:
        return SendingPolicy(
            countries=[*self._in_force(row)], own=row.countries is not None, selectable=[*self._limits.selectable]
        )  # fmt: skip


def _etag(row: PolicyRow) -> str:
    return f'"{row.version}"'
