"""A sound request for each operation of the administration."""

from __future__ import annotations

from typing import Any

from tests.service.authz.conftest import IDS, Organisation, Someone
from tests.service.authz.office import Office, change, entry, on
from tests.service.bad_input.sound import Sound

SMS = {"section": "sms", "feature": "sms.send", "item": "inbox:sales"}
END = "2027-01-01T00:00:00Z"


class Administered:
    """ACME Crates with Jane, a standard member of staff. Everything that is made gets a name of its own."""

    acme: Organisation
    jane: Someone

    @property
    def office(self) -> Office:
        return Office(self.acme)

    def sound(self, body: Any = None, query: Any = None, **path: Any) -> Sound:
        named = {name: str(value) for name, value in path.items()}
        return Sound(path=named, body=body, query=query or {}, token=self.acme.ray.token)

    # --- one person -------------------------------------------------------------------------------------------

    async def list_grants(self) -> Sound:
        return self.sound(staff=self.jane.id)

    async def set_grant(self) -> Sound:
        await self.contract(), await self.tenant()
        target = SMS | {"contract": "seven", "tenant": "acme"}
        return self.sound({"target": target, "level": "use", "expires_at": END}, staff=self.jane.id)

    async def remove_grant(self) -> Sound:
        changed = await self.acme.grant(self.jane, "use", feature="sms.send", item="inbox:sales")
        return self.sound(staff=self.jane.id, grant=changed.json["grant"]["id"])

    async def reset_grants(self) -> Sound:
        return self.sound(staff=self.jane.id)

    async def show_section_permissions(self) -> Sound:
        return self.sound(staff=self.jane.id, section="sms")

    async def set_section_permissions(self) -> Sound:
        body = {"default": "read", "quick": {"inbox:sales": "use"}, "specific": {"sms.send": "deny"}}
        return self.sound(body, staff=self.jane.id, section="sms")

    async def show_permissions(self) -> Sound:
        await self.contract(), await self.tenant()
        return self.sound(query={"contract": "seven", "tenant": "acme"}, staff=self.jane.id)

    async def show_subject(self) -> Sound:
        return self.sound(staff=self.jane.id)

    async def set_default_level(self) -> Sound:
        return self.sound({"level": "read"}, staff=self.jane.id)

    async def set_routing(self) -> Sound:
        return self.sound({"anywhere": True}, staff=self.jane.id)

    async def list_subscribers(self) -> Sound:
        return self.sound(staff=self.jane.id)

    async def link_subscriber(self) -> Sound:
        return self.sound(staff=self.jane.id, subscriber="101")

    async def unlink_subscriber(self) -> Sound:
        await self.office.one("link_subscriber", staff=self.jane, subscriber="102")
        return self.sound(staff=self.jane.id, subscriber="102")

    # --- roles ------------------------------------------------------------------------------------------------

    def role(self) -> dict[str, Any]:
        return {"name": IDS.uuid().hex, "data_access": "team", "entries": [entry("view edit", "sms")]}

    async def made(self) -> str:
        return str((await self.office.one("create_role", **self.role()))["id"])

    async def list_roles(self) -> Sound:
        return self.sound()

    async def create_role(self) -> Sound:
        return self.sound(self.role())

    async def show_role(self) -> Sound:
        return self.sound(role=await self.made())

    async def edit_role(self) -> Sound:
        return self.sound(self.role(), role=await self.made())

    async def reset_role(self) -> Sound:
        return self.sound(role=await self.made())

    async def delete_role(self) -> Sound:
        return self.sound(role=await self.made())

    async def list_assignments(self) -> Sound:
        return self.sound(staff=self.jane.id)

    async def assign_role(self) -> Sound:
        await self.contract(), await self.tenant()
        body = {"role": "agent", "contract": "seven", "tenant": "acme", "expires_at": END}
        return self.sound(body, staff=self.jane.id)

    async def assign_group_role(self) -> Sound:
        return self.sound({"role": "agent", "expires_at": END}, group=await self.group())

    async def unassign_role(self) -> Sound:
        return self.sound(assignment=await self.office.assigned("agent", self.jane))

    # --- teams ------------------------------------------------------------------------------------------------

    async def team(self) -> str:
        return str((await self.office.one("add_team", name=IDS.uuid().hex, parent=await self.office.root()))["id"])

    async def show_teams(self) -> Sound:
        return self.sound()

    async def add_team(self) -> Sound:
        return self.sound({"name": IDS.uuid().hex, "parent": await self.office.root()})

    async def rename_team(self) -> Sound:
        return self.sound({"name": IDS.uuid().hex}, team=await self.team())

    async def move_team(self) -> Sound:
        return self.sound({"parent": await self.team()}, team=await self.team())

    async def place_members(self) -> Sound:
        return self.sound({"staff": [str(self.jane.id)]}, team=await self.team())

    async def delete_team(self) -> Sound:
        return self.sound(team=await self.team())

    # --- contracts --------------------------------------------------------------------------------------------

    async def contract(self, key: str = "seven") -> str:
        if key not in [one["key"] for one in (await self.office.get("/v1/contracts"))["contracts"]]:
            await self.office.one("add_contract", key=key, label="Agreement", products=["telephony"])
        return key

    async def list_contracts(self) -> Sound:
        return self.sound()

    async def add_contract(self) -> Sound:
        return self.sound({"key": IDS.uuid().hex, "label": "Agreement", "products": ["telephony"]})

    async def edit_contract(self) -> Sound:
        return self.sound({"label": "Agreement 7", "products": ["telephony"]}, key=await self.contract())

    async def remove_contract(self) -> Sound:
        return self.sound(key=await self.contract(IDS.uuid().hex))

    async def show_access(self) -> Sound:
        return self.sound(key=await self.contract())

    async def set_access(self) -> Sound:
        key = await self.contract()
        return self.sound({"level": "user"}, key=key, staff=self.jane.id, product="telephony")

    async def remove_access(self) -> Sound:
        key = await self.contract()
        level: dict[str, Any] = {"staff": self.jane, "contract": key, "product": "telephony", "level": "user"}
        await self.office.one("set_access", **level)
        return self.sound(key=key, staff=self.jane.id, product="telephony")

    # --- tenants and groups -----------------------------------------------------------------------------------

    async def tenant(self, key: str = "acme") -> str:
        if key not in [one["key"] for one in (await self.office.get("/v1/tenants"))["tenants"]]:
            await self.office.one("add_tenant", key=key, label="Acme")
        return key

    async def list_tenants(self) -> Sound:
        return self.sound()

    async def add_tenant(self) -> Sound:
        return self.sound({"key": IDS.uuid().hex, "label": "Acme"})

    async def show_tenant(self) -> Sound:
        return self.sound(tenant=await self.tenant())

    async def rename_tenant(self) -> Sound:
        return self.sound({"label": "Acme Crates"}, tenant=await self.tenant())

    async def remove_tenant(self) -> Sound:
        return self.sound(tenant=await self.tenant(IDS.uuid().hex))

    async def add_tenant_members(self) -> Sound:
        return self.sound({"staff": [str(self.jane.id)]}, tenant=await self.tenant())

    async def remove_tenant_member(self) -> Sound:
        key = await self.tenant()
        await self.office.one("add_tenant_members", tenant=key, staff=[self.jane])
        return self.sound(tenant=key, staff=self.jane.id)

    async def group(self) -> str:
        return str((await self.office.one("add_group", name=IDS.uuid().hex))["id"])

    async def list_groups(self) -> Sound:
        return self.sound()

    async def add_group(self) -> Sound:
        return self.sound({"name": IDS.uuid().hex, "tenant": await self.tenant()})

    async def show_group(self) -> Sound:
        return self.sound(group=await self.group())

    async def rename_group(self) -> Sound:
        return self.sound({"name": IDS.uuid().hex}, group=await self.group())

    async def delete_group(self) -> Sound:
        return self.sound(group=await self.group())

    async def add_group_members(self) -> Sound:
        return self.sound({"staff": [str(self.jane.id)]}, group=await self.group())

    async def remove_group_member(self) -> Sound:
        group = await self.group()
        await self.office.one("add_group_members", group=group, staff=[self.jane])
        return self.sound(group=group, staff=self.jane.id)

    # --- for identity -----------------------------------------------------------------------------------------

    async def check_placements(self) -> Sound:
        body = {"by": str(self.acme.ray.id), "roles": ["Agent", "Nobody"], "teams": ["ACME Crates"]}
        return Sound(body=body, token=self.acme.authz.identity.token("identity"))

    # --- many at once, and the log ----------------------------------------------------------------------------

    def many(self) -> dict[str, Any]:
        changes = [change("set_grant", staff=self.jane, target=on("sms"), level="use", expires_at=END)]
        changes.append(change("create_role", **self.role()))
        return {"changes": changes}

    async def make_changes(self) -> Sound:
        return self.sound(self.many())

    async def preview_changes(self) -> Sound:
        return self.sound(self.many())

    async def list_audit(self) -> Sound:
        query = {
            "person": str(self.jane.id), "kind": "set_grant", "from": "2026-11-22T00:00:00Z", "to": END,
            "before": "1000", "limit": "2",
        }  # fmt: skip
        return self.sound(query=query)
