"""The numbers that staff may appear with, and the visitors that are turned away."""

from __future__ import annotations

from uuid import UUID

from services.identity.service import Identity
from shared.http.operation import Api
from staffgate.contracts import identity as contract
from staffgate.contracts.caller import Person, Product

api = Api()


@api.get("/v1/numbers")
async def list_numbers(identity: Identity, caller: Person) -> contract.AllowedNumbers:
    """The numbers that staff may use as caller ids and SMS senders. Where there is none for a purpose, any may be used."""
    return await identity.numbers.list(caller)


@api.put("/v1/numbers/{number}")
async def allow_number(
    identity: Identity, caller: Person, number: str, body: contract.AllowNumber
) -> contract.AllowedNumber:
    """List a number, or change what it is listed for."""
    return await identity.numbers.allow(caller, number, body)


@api.delete("/v1/numbers/{number}")
async def drop_number(identity: Identity, caller: Person, number: str) -> None:
    """Take a number off the list."""
    await identity.numbers.drop(caller, number)


@api.post("/v1/numbers/check")
async def check_number(identity: Identity, caller: Product, body: contract.CheckNumber) -> contract.NumberChecked:
    """For product services: may staff of this organisation appear with this number?"""
    return await identity.numbers.check(body)


@api.get("/v1/blocklist")
async def list_blocked_visitors(
    identity: Identity, caller: Person, query: contract.BlocklistQuery
) -> contract.Blocklist:
    """The visitors that are turned away, the newest first."""
    return await identity.visitors.list(caller, query)


@api.post("/v1/blocklist", status=201)
async def block_visitor(identity: Identity, caller: Person, body: contract.BlockVisitor) -> contract.BlockedVisitor:
    """Turn a visitor away from now on, by number, e-mail address, or address or network."""
    return await identity.visitors.block(caller, body)


@api.delete("/v1/blocklist/{entry}")
async def unblock_visitor(identity: Identity, caller: Person, entry: UUID) -> None:
    """Let a visitor in again."""
    await identity.visitors.unblock(caller, entry)


@api.post("/v1/visitors/check")
async def check_visitor(identity: Identity, caller: Product, body: contract.CheckVisitor) -> contract.VisitorChecked:
    """For product services: is this visitor turned away?"""
    return await identity.visitors.check(body)
