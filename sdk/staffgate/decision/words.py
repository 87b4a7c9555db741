"""A decision in one calm English sentence (section 7)."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from staffgate.contracts.authz import Target
from staffgate.contracts.level import DataAccess
from staffgate.decision.model import Reason

_ROWS = {
    DataAccess.FULL: "everybody's",
    DataAccess.DEPARTMENT: "those of their team and the teams below it",
    DataAccess.TEAM: "those of their team",
    DataAccess.RESTRICTED: "their own",
}

# What needs no rule named. The tiers are below.
_PLAIN = {
    Reason.OWNER: "The owner of the organisation may do everything in it.",
    Reason.ADMINISTRATOR: "An administrator may do everything in the organisation.",
    Reason.SUBSCRIBER: "It belongs to a subscriber to which this person is linked.",
    Reason.PRODUCT_USE: "Every active member may use a product that the contract carries.",
    Reason.SCOPE_UNKNOWN: "It depends on whose it is, and nothing was said about that: no owner, no team, no subscriber.",
    Reason.DESTINATION: "This person may not see where it leads, and may not route to every destination.",
    Reason.NOT_A_MEMBER: "This person is not a member of the tenant, or there is no such tenant.",
    Reason.CHANNEL: "This person may not operate the channel.",
    Reason.NO_PORTAL: "The only PBX scope of this person is No Portal, which has no access to the portal.",
    Reason.NOT_SUBSCRIBED: "The contract does not carry the product.",
    Reason.ORGANISATION_INACTIVE: "The organisation is not active.",
    Reason.ACCOUNT_INACTIVE: "The account is not active yet, or not any more.",
    Reason.ACCOUNT_SUSPENDED: "The account is suspended.",
    Reason.UNKNOWN_SUBJECT: "There is nobody of that id.",
    Reason.UNKNOWN_ACTION: "There is no such action in the catalogue.",
    Reason.UNKNOWN_SECTION: "There is no such section in the catalogue.",
    Reason.UNKNOWN_RESOURCE: "There is nothing of that type, or the action is not one for it.",
    Reason.UNKNOWN_DESTINATION: "It was not said where it leads, or there is no such destination.",
    Reason.UNKNOWN_PROPERTY: "One of the properties that describe it is no text.",
}


class Reasoned(Protocol):
    """A Verdict, or what is told of one."""

    @property
    def allowed(self) -> bool: ...

    @property
    def reason(self) -> Reason: ...

    @property
    def role(self) -> str | None: ...

    @property
    def rule(self) -> UUID | None: ...

    @property
    def target(self) -> Target | None: ...

    @property
    def reach(self) -> DataAccess | None: ...


def because(verdict: Reasoned) -> str:
    """Why, and which rule or role says so (section 7)."""
    does = "allows it" if verdict.allowed else "does not allow it"
    match verdict.reason:
        case Reason.GRANT:
            return f"An exception made for this person on {place(verdict.target)} {does}."
        case Reason.ROLE:
            return f"The role {verdict.role} {does} on {place(verdict.target)}."
        case Reason.PRODUCT_ACCESS:
            return _access(verdict, does)
        case Reason.DEFAULT:
            return f"No exception and no role says anything about it, and the account's default {does}."
        case Reason.SCOPE:
            by = f"The role {verdict.role} allows it" if verdict.role else "It is allowed"
            rows = "" if verdict.reach is None else f" ({_ROWS[verdict.reach]})"
            return f"{by} for some rows only{rows}, and this is not one of them."
        case reason:
            return _PLAIN[reason]


def _access(verdict: Reasoned, does: str) -> str:
    if verdict.rule is not None:
        return f"The person's access level on {place(verdict.target)} {does}."
    if verdict.target is not None:
        return f"The person has neither an access level nor a role on {place(verdict.target)}, which is no access."
    return "The organisation has no such contract."


def place(target: Target | None) -> str:
    """A target in words (section 1): the item `inbox:sales` in the contract 7."""
    if target is None:
        return "it"
    place = "everything"
    if target.item is not None:
        place = f"the item {target.item}"
    elif target.section is not None:
        place = f"the section {target.section}"
    elif target.product is not None:
        place = f"the product {target.product}"
    feature = "" if target.feature is None else f"the feature {target.feature} of "
    contract = "" if target.contract is None else f" in the contract {target.contract}"
    tenant = "" if target.tenant is None else f" in the tenant {target.tenant}"
    return f"{feature}{place}{contract}{tenant}"
