"""Staff from files, and into one."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from services.identity.service import Identity
from services.identity.staff.imports import template
from shared.http.files import Content, Csv
from shared.http.operation import Api
from staffgate.contracts import identity as contract
from staffgate.contracts.caller import Person

api = Api()
File = Annotated[bytes, Content("text/csv", 5 << 20)]


@api.get("/v1/staff/import/template")
async def download_import_template(identity: Identity, caller: Person) -> Csv:
    """The file to begin with: the columns, and an example, which is never added while it is left as it is."""
    return Csv(template.NAME, await identity.imports.template(caller))


@api.post("/v1/staff/imports", status=202)
async def import_staff(
    identity: Identity, caller: Person, query: contract.ImportAsked, idempotency_key: str | None, content: File
) -> contract.Import:
    """Add the people of a file. It is worked on in the background: look at it until it is finished.

    CSV with a header, separated by commas, semicolons or tabs, in UTF-8 or, with its mark, UTF-16; at most 10,000 rows.
    Idempotency-Key (or `key`) is needed: the same file under the same key is the same import, and adds nobody twice.
    """
    return await identity.imports.begin(caller, query, idempotency_key, content)


@api.get("/v1/staff/imports")
async def list_imports(identity: Identity, caller: Person) -> contract.ImportList:
    """The last hundred: of everybody for administrators, of one's own for others."""
    return await identity.imports.list(caller)


@api.get("/v1/staff/imports/{id}")
async def show_import(identity: Identity, caller: Person, id: UUID) -> contract.Import:
    """How far it is, and what came of it."""
    return await identity.imports.show(caller, id)


@api.get("/v1/staff/imports/{id}/errors")
async def download_import_errors(identity: Identity, caller: Person, id: UUID, query: contract.ErrorsAsked) -> Csv:
    """ErrorDetail.csv: row, column, code and text, and the row as it was sent. Correct it and send it as a new import.

    With `rows=left` it has every row that made nobody, the good ones of a file of which nothing was taken too. Kept for
    seven days.
    """
    return Csv("ErrorDetail.csv", await identity.imports.errors(caller, id, query))


@api.get("/v1/staff/export")
async def export_staff(identity: Identity, caller: Person) -> Csv:
    """Everybody whom the caller may view, in the columns of an import. Takes a factor that was shown a moment ago."""
    return Csv("staff.csv", await identity.exports.staff(caller))
