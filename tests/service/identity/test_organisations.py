"""Organisations: what they are called, and what never changes."""

from __future__ import annotations

from typing import Any

import pytest

from staffgate.contracts import identity as contract
from tests.service.identity.conftest import Acme, register, sign_in


async def test_an_organisation_is_called_otherwise_and_typed_as_before(acme: Acme) -> None:
    identity = acme.identity
    before = (await identity.ask("GET", "/v1/organisation", token=acme.ray)).json
    answer = await identity.ask("PUT", "/v1/organisation", json={"name": " ACME Barrels "}, token=acme.ray)
    assert answer.json == before | {"name": "ACME Barrels"}
    named = (await identity.told(contract.OrganisationNamed, 1))[-1]
    assert (named.state.name, named.state.number, named.state.version) == ("ACME Barrels", acme.number, 2)


@pytest.mark.checklist("O04")
async def test_only_who_may_edit_the_organisation_calls_it_otherwise(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme)
    asked: dict[str, Any] = {"json": {"name": "Rebels"}, "token": jane.token}
    assert (await identity.ask("PUT", "/v1/organisation", **asked)).status == 403
    identity.authz.permit(jane.staff, "core.organisation.edit", over={jane.staff})
    assert (await identity.ask("PUT", "/v1/organisation", **asked)).status == 403, "over all of it, or not at all"
    identity.authz.permit(jane.staff, "core.organisation.edit")
    assert (await identity.ask("PUT", "/v1/organisation", **asked)).json["name"] == "Rebels"


@pytest.mark.checklist("A09")
async def test_the_username_is_selected_once_and_by_one(acme: Acme) -> None:
    identity, other = acme.identity, await register(acme.identity, "Other Crates")
    wanted = f"Acme{acme.org.hex[-8:]}"
    select = {"username": wanted}
    assert (await identity.post("/v1/organisation/username", select, token=acme.ray)).json["username"] == wanted
    again = await identity.post("/v1/organisation/username", {"username": f"{wanted}x"}, token=acme.ray)
    assert (again.status, again.json["type"]) == (409, "urn:staffgate:problem:username_selected")
    taken = await identity.post("/v1/organisation/username", {"username": wanted.upper()}, token=other.ray)
    assert (taken.status, taken.json["type"]) == (409, "urn:staffgate:problem:username_taken")
