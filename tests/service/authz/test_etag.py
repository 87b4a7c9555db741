"""ETag and If-Match: a change meant for what somebody saw is not made to something else (RFC 9110, section 13.1.1)."""

from __future__ import annotations

from typing import Any

import pytest

from services.authz.store import grants as grant_store
from tests.service.authz.office import Held, Office, change, entry, on


async def etag(office: Office, path: str) -> str:
    answer = await office.ask("GET", path)
    assert answer.status == 200, answer.text
    return str(answer.headers["ETag"])


async def test_a_change_to_what_is_not_as_it_was_seen_is_refused(office: Office) -> None:
    jane = await office.acme.add()
    path = f"/v1/staff/{jane.id}/grants"
    seen = await etag(office, path)
    body = {"target": on("sms"), "level": "use"}
    first = await office.ask("PUT", path, json=body, headers={"If-Match": seen})
    assert (first.status, first.headers["ETag"]) == (200, await etag(office, path))
    start = await office.acme.revision()
    late = await office.ask("PUT", path, json=body | {"level": "full"}, headers={"If-Match": seen})
    assert late.problem == (412, "changed_meanwhile")
    assert late.json["etag"] == first.headers["ETag"]
    assert await office.acme.revision() == start
    again = await office.ask("DELETE", path, headers={"If-Match": first.headers["ETag"]})
    assert again.status == 200


async def test_of_two_who_saw_the_same_one_changes_it(
    office: Office, owner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    jane = await office.acme.add()
    path = f"/v1/staff/{jane.id}/grants"
    seen = {"If-Match": await etag(office, path)}
    held = Held(monkeypatch, grant_store, "put_grant")
    first, second = await held.race(
        owner,
        office.ask("PUT", path, json={"target": on("sms"), "level": "use"}, headers=seen),
        office.ask("PUT", path, json={"target": on("contacts"), "level": "use"}, headers=seen),
    )
    assert (first.status, second.problem) == (200, (412, "changed_meanwhile"))


async def test_what_others_change_elsewhere_does_not_matter(office: Office) -> None:
    jane, luke = await office.acme.add(), await office.acme.add()
    path = f"/v1/staff/{jane.id}/grants"
    seen = await etag(office, path)
    await office.one("set_grant", staff=luke, target=on("sms"), level="use")
    assert await etag(office, path) == seen, "the revision is another, her grants are the same"
    body = {"target": on("sms"), "level": "use"}
    assert (await office.ask("PUT", path, json=body, headers={"If-Match": seen})).status == 200


@pytest.mark.parametrize(
    ("header", "status"),
    [("*", 200), ('"x", {etag}', 200), ("{etag}", 200), ('"x"', 412), ("W/{etag}", 412), ("x", 412), ("", 412)],
)
async def test_the_header_is_read_as_the_standard_says(office: Office, header: str, status: int) -> None:
    jane = await office.acme.add()
    path = f"/v1/staff/{jane.id}/subject"
    headers = {"If-Match": header.format(etag=await etag(office, path))}
    answer = await office.ask("PUT", f"/v1/staff/{jane.id}/routing", json={"anywhere": True}, headers=headers)
    assert answer.status == status, answer.text


async def test_every_view_that_can_be_changed_has_one(office: Office) -> None:
    """The ETag of the view is what the change of the same thing expects."""
    jane = await office.acme.add()
    await office.made(
        change("add_contract", key="7", label="Agreement 7", products=["telephony"]),
        change("add_tenant", key="acme", label="Acme"),
        change("add_tenant_members", tenant="acme", staff=[jane]),
    )
    role = await office.role("Sender", "full", entry("view", "sms"))
    group = (await office.one("add_group", name="Support"))["id"]
    team = await office.team("Sales")
    members: dict[str, Any] = {"staff": [str(jane.id)]}
    for view, method, path, body in (
        (f"/v1/staff/{jane.id}/sections/sms/permissions", "PUT", None, {"default": "use"}),
        (f"/v1/staff/{jane.id}/subject", "PUT", f"/v1/staff/{jane.id}/default-level", {"level": "read"}),
        (f"/v1/staff/{jane.id}/subscribers", "PUT", f"/v1/staff/{jane.id}/subscribers/101", None),
        ("/v1/contracts/7/access", "PUT", f"/v1/contracts/7/access/{jane.id}/telephony", {"level": "user"}),
        ("/v1/contracts", "PUT", "/v1/contracts/7", {"label": "Seven"}),
        (f"/v1/roles/{role}", "PUT", None, {"name": "Reader", "data_access": "team"}),
        (f"/v1/roles/{role}", "POST", f"/v1/roles/{role}/reset", None),
        (f"/v1/staff/{jane.id}/roles", "POST", None, {"role": "agent"}),
        ("/v1/teams", "PUT", f"/v1/teams/{team}/name", {"name": "Sales and Service"}),
        ("/v1/teams", "PUT", f"/v1/teams/{team}/members", members),
        ("/v1/tenants/acme", "PUT", None, {"label": "Acme Crates"}),
        ("/v1/tenants/acme", "DELETE", f"/v1/tenants/acme/members/{jane.id}", None),
        (f"/v1/groups/{group}", "PUT", f"/v1/groups/{group}/members", members),
        (f"/v1/groups/{group}", "DELETE", None, None),
        (f"/v1/roles/{role}", "DELETE", None, None),
    ):
        seen = await etag(office, view)
        options: dict[str, Any] = {} if body is None else {"json": body}
        wrong = await office.ask(method, path or view, headers={"If-Match": '"x"'}, **options)
        assert wrong.problem == (412, "changed_meanwhile"), (method, path or view)
        right = await office.ask(method, path or view, headers={"If-Match": seen}, **options)
        assert right.status == 200, (method, path or view, right.text)
        if method != "DELETE":
            assert right.headers["ETag"] == await etag(office, view) != seen, (method, path or view)
