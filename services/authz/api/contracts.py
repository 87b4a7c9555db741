"""Contracts, and the access levels in each, over HTTP."""

from __future__ import annotations

from uuid import UUID

from services.authz import access, contracts
from services.authz.service import Authz
from shared.http.operation import Api, Source, Tagged
from staffgate.contracts import administration as contract
from staffgate.contracts import changes
from staffgate.contracts.authz import Key, Name, Revised
from staffgate.contracts.caller import Person

api = Api()


@api.get("/v1/contracts")
async def list_contracts(authz: Authz, caller: Person) -> Tagged[contract.ContractList]:
    """The organisation's contracts, and the products that each carries."""
    return Tagged(*await authz.views.tagged(caller, contracts.contracts))


@api.post("/v1/contracts", status=201)
async def add_contract(
    authz: Authz, caller: Person, source: Source, body: contract.NewContract
) -> contract.ContractSet:
    """Add a contract under a key of your own choice."""
    change = changes.AddContract(key=body.key, label=body.label, products=body.products)
    one = await authz.changes.one(caller, source.ip, change)
    return contract.ContractSet(contract=one.after, revision=one.revision)


@api.put("/v1/contracts/{key}")
async def edit_contract(
    authz: Authz, caller: Person, source: Source, key: Key, body: contract.EditedContract, if_match: str | None
) -> Tagged[contract.ContractSet]:
    """Give a contract another label and other products."""
    change = changes.EditContract(contract=key, label=body.label, products=body.products)
    one = await authz.changes.one(caller, source.ip, change, if_match)
    return Tagged(contract.ContractSet(contract=one.after, revision=one.revision), one.etag)


@api.delete("/v1/contracts/{key}")
async def remove_contract(
    authz: Authz, caller: Person, source: Source, key: Key, if_match: str | None
) -> Tagged[Revised]:
    """Remove a contract with everything that was granted, assigned or set in it."""
    one = await authz.changes.one(caller, source.ip, changes.RemoveContract(contract=key), if_match)
    return Tagged(Revised(revision=one.revision), one.etag)


@api.get("/v1/contracts/{key}/access")
async def show_access(authz: Authz, caller: Person, key: Key) -> Tagged[contract.AccessTable]:
    """The page of the agreement: the access level of each person in each product."""
    return Tagged(*await authz.views.tagged(caller, lambda work: access.table(work, key)))


@api.put("/v1/contracts/{key}/access/{staff}/{product}")
async def set_access(
    authz: Authz,
    caller: Person,
    source: Source,
    key: Key,
    staff: UUID,
    product: Name,
    body: contract.NewAccess,
    if_match: str | None,
) -> Tagged[Revised]:
    """Set a person's access level in a product of a contract.

    An administrator of System [CORE] sets User and Administrator, an owner Without access too, and nobody Owner.
    """
    change = changes.SetAccess(staff=staff, contract=key, product=product, level=body.level)
    one = await authz.changes.one(caller, source.ip, change, if_match)
    return Tagged(Revised(revision=one.revision), one.etag)


@api.delete("/v1/contracts/{key}/access/{staff}/{product}")
async def remove_access(
    authz: Authz, caller: Person, source: Source, key: Key, staff: UUID, product: Name, if_match: str | None
) -> Tagged[Revised]:
    """Take a person's own level away: their roles say what they may do there, or nothing does. For owners."""
    change = changes.RemoveAccess(staff=staff, contract=key, product=product)
    one = await authz.changes.one(caller, source.ip, change, if_match)
    return Tagged(Revised(revision=one.revision), one.etag)
