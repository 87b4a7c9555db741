"""A new password, the first one or in the place of another: whether it will do, and how it is put there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.identity.password.passwords import Passwords
from services.identity.password.strength import known_words, minimum, require_strength
from services.identity.store import passwords as store
from services.identity.store.organisations import OrganisationRow
from services.identity.store.staff import StaffRow
from shared.db import Tx
from shared.errors import Invalid


async def fit(
    passwords: Passwords, person: StaffRow, organisation: OrganisationRow, password: str, former: Sequence[str] = ()
) -> str:
    """Its hash, where it is strong enough and none of the former ones. Work for half a second where an organisation
    remembers many: in no transaction, please."""
    known, shortest = known_words(person, organisation), minimum(person, organisation)
    await passwords.work(lambda: require_strength(password, shortest, known))
    for hashed in former:
        if await passwords.verify(hashed, password):
            detail = f"The last {organisation.policy.password.history} passwords can't be used again; choose another."
            raise Invalid("password_used_before", detail)
    return await passwords.hash(password)


async def former_of(tx: Tx, person: StaffRow, organisation: OrganisationRow) -> list[str]:
    """The hashes of those that can't be used again, where the organisation has such a rule: the present one is the first."""
    history = organisation.policy.password.history
    if not history or person.password_hash is None:
        return []
    return [person.password_hash, *await store.former_passwords(tx, person.org, person.id, history - 1)]


async def put(tx: Tx, person: StaffRow, organisation: OrganisationRow, hashed: str, now: datetime) -> StaffRow | None:
    """None where another one has been set meanwhile. Former ones are kept only as long as they are asked for."""
    changed = await store.set_password(tx, person.org, person.id, person.password_hash, hashed, now)
    kept = max(organisation.policy.password.history - 1, 0)
    if kept and person.password_hash is not None:
        await store.add_former(tx, person.org, person.id, person.password_hash, now)
    await store.forget_formers(tx, person.org, person.id, kept)
    return changed


def expired(person: StaffRow, organisation: OrganisationRow, now: datetime) -> bool:
    """Never, unless the organisation wants it: against SP 800-63B-4 section 3.1.1.2."""
    days = organisation.policy.password.expires_days
    return (
        days is not None
        and person.password_changed_at is not None
        and now - person.password_changed_at >= timedelta(days=days)
    )
