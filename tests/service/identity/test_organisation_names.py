"""An organisation's username is selected once and for ever, by every path, and none that looks like it is given."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from tests.service.identity.conftest import PASSWORD, Acme, Answer, register, run_as_owner


async def select(acme: Acme, username: str) -> Answer:
    return await acme.identity.post("/v1/organisation/username", {"username": username}, token=acme.ray)


@pytest.mark.checklist("A09")
async def test_a_name_that_looks_like_another_organisations_is_not_given(acme: Acme) -> None:
    other, tag = await register(acme.identity, "Other Crates"), acme.org.hex[-6:]
    assert (await select(acme, f"Modern{tag}")).status == 200
    for lookalike in (f"Modem{tag}", f"mоdern{tag}", f"M0dern{tag}", f"MÓDERN{tag}"):
        refused = await select(other, lookalike)
        assert (refused.status, refused.json["type"]) == (409, "urn:staffgate:problem:username_taken"), lookalike
    assert (await select(other, f"Ancient{tag}")).status == 200, "a refused name does not use up the one selection"


@pytest.mark.checklist("A09")
async def test_the_platforms_names_and_what_looks_like_them_are_not_given(acme: Acme) -> None:
    for name in ("Support", "Supp0rt", "аdmin", acme.number, acme.number.replace("ORG", "0RG")):
        refused = await select(acme, name)
        assert (refused.status, refused.json["type"]) == (422, "urn:staffgate:problem:username_reserved"), name


@pytest.mark.checklist("A09")
async def test_not_even_the_owner_of_the_tables_changes_a_name(acme: Acme) -> None:
    name = f"Crates-{acme.org.hex[-8:]}"
    assert (await select(acme, name)).status == 200
    values: tuple[Any, ...] = (acme.org,)
    for statement in (
        "UPDATE organisation SET username = 'another' WHERE org = $1",
        "UPDATE organisation SET username = NULL WHERE org = $1",
        "UPDATE organisation SET number = 'ORG-1' WHERE org = $1",
        "UPDATE organisation_name SET key = 'another' WHERE org = $1",
        "UPDATE organisation_name SET org = gen_random_uuid() WHERE org = $1",
        "DELETE FROM organisation_name WHERE org = $1",
    ):
        with pytest.raises(asyncpg.RaiseError):
            await run_as_owner(acme.identity, statement, *values)
    app: Any = await asyncpg.connect(acme.identity.app_url)
    for statement in ("UPDATE organisation_name SET key = 'another'", "DELETE FROM organisation_name"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute(statement)
    with pytest.raises(asyncpg.RaiseError):
        async with app.transaction():
            await app.execute(f"SET LOCAL app.org = '{acme.org}'")
            await app.execute("UPDATE organisation SET username = 'another'")
    await app.close()
    body = {"login": f"{name.swapcase()}\\ray", "password": PASSWORD}
    assert (await acme.identity.post("/v1/login", body)).status == 200


@pytest.mark.checklist("A07")
async def test_a_person_is_who_they_are_however_the_name_is_typed(acme: Acme) -> None:
    identity = acme.identity
    await acme.activate(await acme.add("ﬀrançois", email="francois@acme.example"))
    for typed in ("FFRANÇOIS", "ffranc\u0327ois", "ﬀrançois", " Ｆfrançois "):
        for separator in ("\\", " \\ ", "＼"):
            login = f"{acme.number.lower()}{separator}{typed}"
            assert (await identity.post("/v1/login", {"login": login, "password": PASSWORD})).status == 200, login
    again = {"type": "standard", "name": "F", "email": "f@acme.example", "username": "FFranc\u0327ois"[:5] + "çois"}
    assert (await identity.post("/v1/staff", again, token=acme.ray)).status == 409
