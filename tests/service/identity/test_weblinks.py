"""Weblinks: visitors find a person by one, and find out nothing else; it works while the account does."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID
from xml.etree import ElementTree

import pytest

from tests.service.identity.conftest import SMS_INBOX_SECRET, Acme, Answer, register, run_as_owner, sign_in


async def weblink(acme: Acme, staff: UUID, token: str = "") -> Any:
    return (await acme.identity.ask("GET", f"/v1/staff/{staff}/weblink", token=token or acme.ray)).json


async def page(acme: Acme, url: str) -> Answer:
    assert url.startswith("http://identity.test/w/")
    return await acme.identity.ask("GET", url.removeprefix("http://identity.test"))


async def as_product(acme: Acme) -> str:
    form = {"grant_type": "client_credentials", "client_id": "sms-inbox", "client_secret": SMS_INBOX_SECRET}
    return str((await acme.identity.ask("POST", "/oauth/token", data=form)).json["access_token"])


async def resolved(acme: Acme, url: str) -> Answer:
    token = await as_product(acme)
    return await acme.identity.ask("GET", f"/v1/weblinks/{url.rpartition('/')[2]}", token=token)


@pytest.mark.checklist("H10")
async def test_a_weblink_is_random_and_says_nothing_of_its_person(acme: Acme) -> None:
    jane, other = await sign_in(acme, "Jane"), await acme.add("Luke")
    link, another = await weblink(acme, jane.staff), await weblink(acme, other)
    secret = link["url"].rpartition("/")[2]
    assert len(secret) == 43, "256 bits in base64url"
    assert link["url"] != another["url"]
    assert jane.staff.hex not in secret
    assert (link["live"], another["live"]) == (True, False), "whoever is not activated takes no visitors yet"


@pytest.mark.checklist("H10")
async def test_a_visitor_is_shown_a_name_an_organisation_and_whether_somebody_is_there(acme: Acme) -> None:
    jane = await sign_in(acme, "Jane", name="Jane O'Solo & Co", mobile="+61 491 570 006", extension="4242")
    await run_as_owner(acme.identity, "UPDATE staff SET availability = 'online' WHERE id = $1", jane.staff)
    shown = await page(acme, (await weblink(acme, jane.staff))["url"])
    assert (shown.status, shown.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    body = shown.text.partition("<main>")[2]
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)).strip()
    assert words == "Jane O&#39;Solo &amp; Co ACME Crates Online now"
    for private in (str(jane.staff), str(acme.org), "jane@", "491", "4242", acme.number, "standard"):
        assert private.lower() not in shown.text.lower(), private
    assert shown.headers["X-Robots-Tag"] == "noindex"


@pytest.mark.checklist("H10")
@pytest.mark.parametrize("end", ["suspended", "deleted", "renewed", "closed"])
async def test_a_dead_weblink_is_like_one_that_never_was(acme: Acme, end: str) -> None:
    identity, jane = acme.identity, await sign_in(acme, "Jane")
    url = (await weblink(acme, jane.staff))["url"]
    assert ((await page(acme, url)).status, (await resolved(acme, url)).status) == (200, 200)
    unknown = await page(acme, "http://identity.test/w/" + "A" * 43)
    if end == "closed":
        await run_as_owner(identity, "UPDATE organisation SET closed_at = now() WHERE org = $1", acme.org)
    elif end == "deleted":
        assert (await identity.ask("DELETE", f"/v1/staff/{jane.staff}", token=acme.ray)).status == 204
    else:
        path = "suspend" if end == "suspended" else "weblink"
        assert (await identity.post(f"/v1/staff/{jane.staff}/{path}", token=acme.ray)).status == 200
    dead = await page(acme, url)
    assert (dead.status, dead.text) == (404, unknown.text)
    assert (await resolved(acme, url)).status == 404


@pytest.mark.checklist("H10")
async def test_a_weblink_works_again_with_the_account(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme, "Jane")
    url = (await weblink(acme, jane.staff))["url"]
    for act, status, live in (("suspend", 404, False), ("reactivate", 200, True)):
        await identity.post(f"/v1/staff/{jane.staff}/{act}", token=acme.ray)
        assert ((await page(acme, url)).status, (await weblink(acme, jane.staff))["live"]) == (status, live)


@pytest.mark.checklist("H10")
async def test_a_renewed_weblink_is_another_and_is_written_down(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme, "Jane")
    old = await weblink(acme, jane.staff)
    new = (await identity.post(f"/v1/staff/{jane.staff}/weblink", token=acme.ray)).json
    assert new["url"] != old["url"]
    assert (await page(acme, new["url"])).status == 200
    query = "SELECT body FROM audit WHERE event = 'user_weblink_changed' AND target = $1"
    (entry,) = await run_as_owner(identity, query, str(jane.staff))
    for url in (old["url"], new["url"]):
        assert url.rpartition("/")[2] not in entry["body"]


@pytest.mark.checklist("H10")
async def test_products_learn_whom_it_leads_to_and_nobody_else_does(acme: Acme) -> None:
    jane = await sign_in(acme, "Jane")
    url = (await weblink(acme, jane.staff))["url"]
    assert (await resolved(acme, url)).json == {"organisation": str(acme.org), "staff": str(jane.staff)}
    asked = await acme.identity.ask("GET", f"/v1/weblinks/{url.rpartition('/')[2]}", token=jane.token)
    assert asked.status == 403


@pytest.mark.checklist("H10")
async def test_a_weblink_lets_nobody_in(acme: Acme) -> None:
    identity, jane = acme.identity, await sign_in(acme, "Jane")
    secret = (await weblink(acme, jane.staff))["url"].rpartition("/")[2]
    assert (await identity.ask("GET", "/v1/me", token=secret)).status == 401
    assert (await identity.post("/v1/activations", {"token": secret, "password": "x" * 20})).status == 422
    grant = {"grant_type": "refresh_token", "refresh_token": secret}
    assert (await identity.ask("POST", "/oauth/token", data=grant)).status == 400


async def test_everybody_sees_their_own_weblink_and_only_editors_renew_one(acme: Acme) -> None:
    identity, jane, luke = acme.identity, await sign_in(acme, "Jane"), await sign_in(acme, "Luke")
    assert (await weblink(acme, jane.staff, jane.token))["url"] == (await weblink(acme, jane.staff))["url"]
    assert (await identity.ask("GET", f"/v1/staff/{luke.staff}/weblink", token=jane.token)).status == 404
    identity.authz.permit(jane.staff, "core.staff.view")
    assert (await identity.post(f"/v1/staff/{luke.staff}/weblink", token=jane.token)).status == 403


async def test_the_code_is_the_address(acme: Acme) -> None:
    """As the library draws it: a drawing that can be read without its address beside it would not be compared so."""
    link = await weblink(acme, acme.owner_id)
    drawing = ElementTree.fromstring(link["qr"])  # noqa: S314 - our own answer
    assert drawing.tag == "{http://www.w3.org/2000/svg}svg"
    assert modules(link["qr"]) == modules_of(link["url"])


def modules(svg: str) -> set[tuple[int, int]]:
    """The dark ones, out of the strokes of the drawing's path."""
    path = re.search(r'class="qrline"[^>]*d="([^"]+)"|d="([^"]+)"[^>]*class="qrline"', svg)
    assert path
    dark, x, y = set(), 0.0, 0.0
    for command, numbers in re.findall(r"([Mmh])([^Mmh]*)", path[1] or path[2]):
        values = [float(one) for one in re.findall(r"-?\d*\.?\d+", numbers)]
        if command == "h":
            dark |= {(int(x) + n, int(y)) for n in range(int(values[0]))}
            x += values[0]
        else:
            x, y = (values[0], values[1]) if command == "M" else (x + values[0], y + values[1])
    return dark


def modules_of(text: str) -> set[tuple[int, int]]:
    import segno

    rows = segno.make(text, micro=False).matrix_iter(scale=1, border=4)
    return {(x, y) for y, row in enumerate(rows) for x, dark in enumerate(row) if dark}


async def test_another_organisations_people_have_no_weblink_here(acme: Acme) -> None:
    other = await register(acme.identity, "Other Crates")
    for method in ("GET", "POST"):
        answer = await acme.identity.ask(method, f"/v1/staff/{other.owner_id}/weblink", token=acme.ray)
        assert answer.status == 404
