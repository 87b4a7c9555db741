"""Contracts, and the products that each carries (permission model, section 1).

That a contract is there gives nobody anything that could be handed out: what somebody may do in it, their levels, grants
and roles say. So its coming and going is not compared with what the giver has; it takes rights over the whole
organisation.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from services.authz import naming
from services.authz.store import assignments as assignment_store
from services.authz.store import contracts as store
from services.authz.store import roles as role_store
from services.authz.store.contracts import ContractRow
from services.authz.work import Result, Rule, Rules, Work, everybody
from shared.errors import Conflict, NotFound
from staffgate.contracts.administration import ContractList, ContractView
from staffgate.contracts.changes import AddContract, EditContract, RemoveContract

SECTION = "core.organisation"


async def contracts(work: Work) -> ContractList:
    """Everybody in the organisation may know what it subscribed to: a grant names it."""
    return ContractList(contracts=[_view(row) for row in await store.contracts(work.tx, work.org)])


async def _shown(work: Work, _change: object) -> ContractList:
    return await contracts(work)


def _view(row: ContractRow) -> ContractView:
    return ContractView(key=row.key, label=row.label, products=row.products)


async def _found(work: Work, key: str) -> ContractRow:
    row = await store.contract(work.tx, work.org, key)
    if row is None:
        raise NotFound("not_found", f"Your organisation has no contract {key!r}.")
    return row


async def _gate_add(work: Work, change: AddContract) -> None:
    work.require(f"{SECTION}.create", change.key)


async def _gate_edit(work: Work, change: EditContract) -> None:
    work.require(f"{SECTION}.edit", change.contract)


async def _gate_remove(work: Work, change: RemoveContract) -> None:
    work.require(f"{SECTION}.delete", change.contract)


async def _add(work: Work, change: AddContract) -> Result:
    if await store.contract(work.tx, work.org, change.key) is not None:
        raise Conflict("key_taken", f"There is a contract {change.key!r} already.")
    row = ContractRow(key=change.key, label=change.label, products=naming.products(work, change.products))
    await store.put_contract(work.tx, work.org, row)
    return None, _view(row)


async def _edit(work: Work, change: EditContract) -> Result:
    before = await _found(work, change.contract)
    after = ContractRow(key=before.key, label=change.label, products=naming.products(work, change.products))
    await store.put_contract(work.tx, work.org, after)
    return _view(before), _view(after)


async def _remove(work: Work, change: RemoveContract) -> Result:
    before = await _found(work, change.contract)
    for role in await role_store.roles(work.tx, work.org):
        if any(entry.target.contract == before.key for entry in role.entries):
            raise Conflict("contract_in_use", f"The role {role.name!r} names this contract; edit it before.")
    await store.remove_contract(work.tx, work.org, before.key)
    return _view(before), None


async def _holders(work: Work, change: RemoveContract) -> Collection[UUID]:
    return await assignment_store.holders_where(work.tx, work.org, contract=change.contract)


RULES: Rules = {
    AddContract: Rule(_gate_add, everybody, _add, judged=False),
    EditContract: Rule(_gate_edit, everybody, _edit, _shown, judged=False),
    RemoveContract: Rule(_gate_remove, everybody, _remove, _shown, judged=False, renames=_holders),
}
