"""Who may look at what is administered (permission model, section 6)."""

from __future__ import annotations

from services.authz.arrivals import NotArrived
from services.authz.facts import facts_of
from shared.db import Tx
from shared.errors import Forbidden, Unavailable
from staffgate.contracts.caller import Person
from staffgate.decision import Catalogue, Question, decide, resolve

_PERMISSIONS = "core.permissions"


async def require_view(tx: Tx, catalogue: Catalogue, caller: Person) -> None:
    """Read where it is looked at: whoever lost it a moment ago sees nothing more."""
    facts = await facts_of(tx, caller.org, caller.staff, tx.database.clock.now())
    if facts is None:
        # identity let them in, so they are there; only we have not heard of it yet.
        raise NotArrived(Unavailable("account_unknown", "Your account is not known here yet; try again."))
    question = Question(f"{_PERMISSIONS}.view", "section", _PERMISSIONS)
    if not decide(resolve(facts, catalogue), catalogue, question).allowed:
        raise Forbidden("not_permitted", f"This takes the action 'view' on {_PERMISSIONS!r}.")
