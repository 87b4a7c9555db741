"""Each kind of change as the operation that makes it alone: what is in its path, and what is left is its body."""

from __future__ import annotations

import string
from typing import Any

_OPERATIONS = {
    "set_grant": ("PUT", "/v1/staff/{staff}/grants"),
    "remove_grant": ("DELETE", "/v1/staff/{staff}/grants/{grant}"),
    "reset_grants": ("DELETE", "/v1/staff/{staff}/grants"),
    "set_section": ("PUT", "/v1/staff/{staff}/sections/{section}/permissions"),
    "set_access": ("PUT", "/v1/contracts/{contract}/access/{staff}/{product}"),
    "remove_access": ("DELETE", "/v1/contracts/{contract}/access/{staff}/{product}"),
    "set_default_level": ("PUT", "/v1/staff/{staff}/default-level"),
    "set_routing": ("PUT", "/v1/staff/{staff}/routing"),
    "link_subscriber": ("PUT", "/v1/staff/{staff}/subscribers/{subscriber}"),
    "unlink_subscriber": ("DELETE", "/v1/staff/{staff}/subscribers/{subscriber}"),
    "create_role": ("POST", "/v1/roles"),
    "edit_role": ("PUT", "/v1/roles/{role}"),
    "reset_role": ("POST", "/v1/roles/{role}/reset"),
    "delete_role": ("DELETE", "/v1/roles/{role}"),
    "assign_role": ("POST", "/v1/staff/{staff}/roles"),
    "unassign_role": ("DELETE", "/v1/assignments/{assignment}"),
    "add_team": ("POST", "/v1/teams"),
    "rename_team": ("PUT", "/v1/teams/{team}/name"),
    "move_team": ("PUT", "/v1/teams/{team}/parent"),
    "delete_team": ("DELETE", "/v1/teams/{team}"),
    "place_members": ("PUT", "/v1/teams/{team}/members"),
    "add_contract": ("POST", "/v1/contracts"),
    "edit_contract": ("PUT", "/v1/contracts/{contract}"),
    "remove_contract": ("DELETE", "/v1/contracts/{contract}"),
    "add_tenant": ("POST", "/v1/tenants"),
    "rename_tenant": ("PUT", "/v1/tenants/{tenant}"),
    "remove_tenant": ("DELETE", "/v1/tenants/{tenant}"),
    "add_tenant_members": ("PUT", "/v1/tenants/{tenant}/members"),
    "remove_tenant_members": ("DELETE", "/v1/tenants/{tenant}/members/{staff}"),
    "add_group": ("POST", "/v1/groups"),
    "rename_group": ("PUT", "/v1/groups/{group}"),
    "delete_group": ("DELETE", "/v1/groups/{group}"),
    "add_group_members": ("PUT", "/v1/groups/{group}/members"),
    "remove_group_members": ("DELETE", "/v1/groups/{group}/members/{staff}"),
}


def operation(change: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """Method, path, and the options of the request."""
    method, path = _OPERATIONS[change["kind"]]
    if change["kind"] == "assign_role" and "group" in change:
        path = "/v1/groups/{group}/roles"
    fields = {name: value for name, value in change.items() if name != "kind"}
    named = {name: fields.pop(name) for _, name, _, _ in string.Formatter().parse(path) if name}
    if isinstance(named.get("staff"), list):  # one operation takes one person out, a change takes many
        [named["staff"]] = named["staff"]
    return method, path.format(**named), {"json": fields} if fields else {}
