"""Product access levels, one a person, contract and product, and who may appoint whom (permission model, section 6, 3).

A level is set by the table of the page: a CORE administrator gives User and Administrator, an owner Without access too,
and nobody Owner. To take a level away comes to Without access for whoever has no role there, so it is the owner's.
"""

from __future__ import annotations

import msgspec

from services.authz import naming
from services.authz.facts import Dossier, dossiers_of
from services.authz.grants import person
from services.authz.store import access as store
from services.authz.store import contracts as contract_store
from services.authz.store import subjects as subject_store
from services.authz.store.access import AccessRow
from services.authz.store.contracts import ContractRow
from services.authz.store.subjects import SubjectRow
from services.authz.work import Affected, Result, Rule, Rules, Work
from shared.errors import Conflict, Forbidden, Invalid, NotFound
from staffgate.contracts.administration import AccessRow as AccessLine
from staffgate.contracts.administration import AccessTable, ContractView
from staffgate.contracts.caller import StaffType
from staffgate.contracts.changes import RemoveAccess, SetAccess
from staffgate.contracts.level import AccessLevel
from staffgate.decision.model import ProductAccess

CORE = "core"
VIEW = "core.permissions.view"
_LOW = (AccessLevel.WITHOUT, AccessLevel.USER)


# --- what is there --------------------------------------------------------------------------------------------


async def table(work: Work, contract: str) -> AccessTable:
    """The page of an agreement, for those who may view everybody's permissions there."""
    await _contract(work, contract)
    work.require(VIEW, contract, contract=contract)
    return await _table(work, contract)


async def _table(work: Work, contract: str) -> AccessTable:
    row = await _contract(work, contract)
    levels: dict[object, dict[str, AccessLevel]] = {}
    for one in await store.access_in(work.tx, work.org, contract):
        levels.setdefault(one.staff, {})[one.product] = one.level
    people = await subject_store.everybody(work.tx, work.org, 1_000_000)
    return AccessTable(
        contract=ContractView(key=row.key, label=row.label, products=row.products),
        people=[AccessLine(staff=staff, levels=levels.get(staff, {})) for staff in people],
    )


async def _contract(work: Work, key: str) -> ContractRow:
    row = await contract_store.contract(work.tx, work.org, key)
    if row is None:
        raise NotFound("not_found", f"Your organisation has no contract {key!r}.")
    return row


# --- what is changed ------------------------------------------------------------------------------------------


async def _gate_set(work: Work, change: SetAccess) -> None:
    contract = await _contract(work, change.contract)
    row = await person(work, change.staff, change.contract)
    _require_appointing(work, change.contract, change.level)
    naming.products(work, [change.product])
    if change.product != CORE and change.product not in contract.products:
        raise Invalid("not_subscribed", f"The contract {change.contract!r} does not carry {change.product!r}.")
    if change.product == CORE:
        _require_kept(row)


def _require_appointing(work: Work, contract: str, level: AccessLevel) -> None:
    if level is AccessLevel.OWNER:
        raise Forbidden("owner_level", "Nobody sets Owner: the owner is appointed at registration.")
    if work.type is StaffType.OWNER:
        return
    own = [one.level for one in work.dossier.everything.access if (one.contract, one.product) == (contract, CORE)]
    least = AccessLevel.ADMINISTRATOR if work.type is StaffType.ADMINISTRATOR else AccessLevel.WITHOUT
    if (own[0] if own else least) in _LOW:
        raise Forbidden("core_administrators_only", "Access levels are set by the administrators of System [CORE].")
    if level is AccessLevel.WITHOUT:
        raise Forbidden("owners_only", "Without access is set by an owner only; an administrator sets User and above.")


def _require_kept(row: SubjectRow) -> None:
    """The owner is Owner of System [CORE] everywhere. An administrator may be lowered there: whoever does it is an owner
    or administrator of it, is not the same person, and holds the organisation, so that the last one is never lowered."""
    if row.type is StaffType.OWNER:
        raise Conflict("owner_level", "The owner is Owner of System [CORE] in every contract.")


async def _gate_remove(work: Work, change: RemoveAccess) -> None:
    await _contract(work, change.contract)
    await person(work, change.staff, change.contract)
    _require_appointing(work, change.contract, AccessLevel.WITHOUT)


async def _one(_work: Work, change: SetAccess | RemoveAccess) -> Affected:
    return (change.staff,)


async def _shown(work: Work, change: SetAccess | RemoveAccess) -> AccessTable:
    return await _table(work, change.contract)


async def _present(work: Work, change: SetAccess | RemoveAccess) -> AccessRow | None:
    mine = await store.access_of(work.tx, work.org, [change.staff])
    return next((one for one in mine if (one.contract, one.product) == (change.contract, change.product)), None)


async def _set(work: Work, change: SetAccess) -> Result:
    present = await _present(work, change)
    new = AccessRow(
        id=work.tx.database.ids.uuid() if present is None else present.id,
        staff=change.staff,
        contract=change.contract,
        product=change.product,
        level=change.level,
    )
    if new != present:
        if not work.has_all:
            work.claims.append(await _claim(work, new))
        await store.put_access(work.tx, work.org, new)
    return present, new


async def _claim(work: Work, new: AccessRow) -> tuple[Dossier, Dossier]:
    """The level as such: the person with this one alone, and Without access in its place."""
    dossier = (await dossiers_of(work.tx, work.org, [new.staff]))[new.staff]

    def alone(level: AccessLevel) -> Dossier:
        access = ProductAccess(id=new.id, contract=new.contract, product=new.product, level=level)
        return Dossier(msgspec.structs.replace(dossier.everything, grants=(), access=(access,)), dossier.ends)

    return alone(AccessLevel.WITHOUT), alone(new.level)


async def _remove(work: Work, change: RemoveAccess) -> Result:
    present = await _present(work, change)
    if present is None:
        raise NotFound("not_found", "This person has no level of their own there.")
    await store.remove_access(work.tx, work.org, change.staff, change.contract, change.product)
    return present, None


RULES: Rules = {
    SetAccess: Rule(_gate_set, _one, _set, _shown),
    RemoveAccess: Rule(_gate_remove, _one, _remove, _shown),
}
