"""Custom roles of an organisation, beside the built-in ones that every organisation has (permission model, section 1)."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from services.authz import delegation, naming
from services.authz.assignments import shown as shown_assignment
from services.authz.store import assignments as assignment_store
from services.authz.store import roles as store
from services.authz.work import Result, Rule, Rules, Work, nobody
from shared.errors import Conflict, Invalid, NotFound
from staffgate.contracts.administration import RoleDetail, RoleList, RoleView
from staffgate.contracts.authz import Entry, Role
from staffgate.contracts.changes import CreateRole, DeleteRole, EditRole, ResetRole
from staffgate.contracts.level import DataAccess
from staffgate.decision.actions import BASE_ACTIONS
from staffgate.decision.builtin import BUILT_IN
from staffgate.decision.model import Holding

OneRole = EditRole | ResetRole | DeleteRole


# --- what is there --------------------------------------------------------------------------------------------


async def roles(work: Work) -> RoleList:
    work.require("core.roles.view", "all")
    return RoleList(roles=[view(role) for role in [*BUILT_IN.values(), *await store.roles(work.tx, work.org)]])


async def role(work: Work, id: str) -> RoleDetail:
    work.require("core.roles.view", id)
    return await _detail(work, id)


async def _detail(work: Work, id: str) -> RoleDetail:
    found = BUILT_IN.get(id) or await _custom(work, id)
    held = await assignment_store.assignments_of(work.tx, work.org, id)
    live = [shown_assignment(row) for row in held if row.expires_at is None or row.expires_at > work.now]
    return RoleDetail(role=view(found), holders=live)


def view(role: Role) -> RoleView:
    return RoleView(
        id=role.id,
        name=role.name,
        data_access=role.data_access,
        entries=role.entries,
        built_in=role.id in BUILT_IN,
        builds_on=None if role.builds_on is None else role.builds_on.id,
    )


async def _custom(work: Work, id: str) -> Role:
    """Raises where it is built in, or there is none."""
    if id in BUILT_IN:
        raise Conflict("built_in", "Built-in roles can't be changed; create a role of your own.")
    found = (await store.roles_of(work.tx, work.org, [id])).get(id)
    if found is None:
        raise NotFound("not_found", "Your organisation has no such role.")
    return found


# --- what is changed ------------------------------------------------------------------------------------------


async def _gate_create(work: Work, _change: CreateRole) -> None:
    work.require("core.roles.create", "new")


async def _gate_edit(work: Work, change: EditRole | ResetRole) -> None:
    work.require("core.roles.edit", change.role)


async def _gate_delete(work: Work, change: DeleteRole) -> None:
    work.require("core.roles.delete", change.role)


async def _holders(work: Work, change: OneRole) -> set[UUID]:
    return await assignment_store.holders(work.tx, work.org, change.role)


async def _called_otherwise(work: Work, change: EditRole | ResetRole) -> set[UUID]:
    """The holders, where the name of the role is another one afterwards."""
    created = await store.created(work.tx, work.org, change.role) if isinstance(change, ResetRole) else None
    name = change.name if isinstance(change, EditRole) else created.name if created else None
    return set() if name == (await _custom(work, change.role)).name else await _holders(work, change)


async def _shown(work: Work, change: OneRole) -> RoleDetail:
    return await _detail(work, change.role)


async def _create(work: Work, change: CreateRole) -> Result:
    new = Role(
        id=str(work.tx.database.ids.uuid()),
        name=change.name,
        data_access=change.data_access,
        entries=await _entries(work, change.entries),
    )
    await _require_free(work, new)
    _claim(work, None, new)
    await store.add_role(work.tx, work.org, new)
    return None, view(new)


async def _edit(work: Work, change: EditRole) -> Result:
    present = await _custom(work, change.role)
    entries = await _entries(work, change.entries)
    return await _put(
        work, present, Role(id=present.id, name=change.name, data_access=change.data_access, entries=entries)
    )


async def _reset(work: Work, change: ResetRole) -> Result:
    present = await _custom(work, change.role)
    created = await store.created(work.tx, work.org, present.id)
    assert created is not None
    return await _put(work, present, created)


async def _put(work: Work, present: Role, wanted: Role) -> Result:
    if wanted != present:
        await _require_free(work, wanted)
        _claim(work, present, wanted)
        await store.put_role(work.tx, work.org, wanted)
    return view(present), view(wanted)


async def _delete(work: Work, change: DeleteRole) -> Result:
    present = await _custom(work, change.role)
    held = await assignment_store.assignments_of(work.tx, work.org, present.id)
    if any(row.expires_at is None or row.expires_at > work.now for row in held):
        raise Conflict("role_in_use", "Somebody holds this role; take it from them before.")
    await assignment_store.remove_assignments(work.tx, work.org, [row.id for row in held])
    await store.remove_role(work.tx, work.org, present.id)
    return view(present), None


def _claim(work: Work, before: Role | None, after: Role) -> None:
    """What the role allows is handed out to whoever will hold it."""
    held = [() if role is None else (Holding(id=delegation.NOBODY, role=role),) for role in (before, after)]
    work.claims.append((delegation.holding(work, *held[0]), delegation.holding(work, *held[1])))


async def _require_free(work: Work, wanted: Role) -> None:
    taken = await store.named(work.tx, work.org, wanted.name)
    if taken not in (None, wanted.id) or wanted.name in {role.name for role in BUILT_IN.values()}:
        raise Conflict("name_taken", "There is a role of this name; choose another.")


async def _entries(work: Work, wanted: Iterable[Entry]) -> tuple[Entry, ...]:
    """Each in the one way to write it."""
    found: dict[object, Entry] = {}
    for entry in wanted:
        target = await naming.target(work, entry.target)
        if target in found:
            raise Invalid("target_twice", "Two entries of the role are on one target; make them one.")
        actions = tuple(sorted(set(entry.actions), key=list(BASE_ACTIONS).index))
        found[target] = Entry(target=target, actions=actions)
    return tuple(found.values())


async def of_departments(work: Work) -> list[str]:
    """The ids of all roles whose rows depend on the tree."""
    every = [*BUILT_IN.values(), *await store.roles(work.tx, work.org)]
    return [role.id for role in every if role.data_access is DataAccess.DEPARTMENT]


RULES: Rules = {
    CreateRole: Rule(_gate_create, nobody, _create),
    EditRole: Rule(_gate_edit, _holders, _edit, _shown, renames=_called_otherwise),
    ResetRole: Rule(_gate_edit, _holders, _reset, _shown, renames=_called_otherwise),
    DeleteRole: Rule(_gate_delete, nobody, _delete, _shown, renames=_holders),
}
