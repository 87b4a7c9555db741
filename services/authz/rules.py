"""Every kind of change, and what the pipeline has to know of it."""

from __future__ import annotations

from services.authz import access, accounts, assignments, contracts, grants, groups, roles, teams, tenants
from services.authz.work import Rules
from staffgate.contracts.changes import Change

RULES: Rules = {
    **grants.RULES,
    **access.RULES,
    **accounts.RULES,
    **roles.RULES,
    **assignments.RULES,
    **teams.RULES,
    **contracts.RULES,
    **tenants.RULES,
    **groups.RULES,
}


def kind(change: Change) -> str:
    """As it is called in a request and in the audit log."""
    return str(change.__struct_config__.tag)
