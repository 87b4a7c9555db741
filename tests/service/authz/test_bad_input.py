"""Wrong input at every operation of authz: a 4xx problem with a reason, never a 500, never a half-done change."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from deploy.local.databases import Urls
from staffgate.access import AUDIENCE
from tests.conftest import fresh_database
from tests.service.authz.conftest import IDS, ISSUER, NOBODY, Organisation, Someone
from tests.service.authz.sound import Administered
from tests.service.bad_input import raw
from tests.service.bad_input.forged import Forger
from tests.service.bad_input.judge import Judge, judging
from tests.service.bad_input.sound import Operation, Sound, operations

ROOT = Path(__file__).parents[3]
OPERATIONS = {one.id: one for one in operations(json.loads((ROOT / "deploy/openapi/authz.json").read_text()))}
# Jane sees her own.
OWN = {
    "list_grants", "show_section_permissions", "show_permissions", "show_subject", "list_subscribers", "list_assignments",
}  # fmt: skip
FOR_PRODUCTS = {
    "register_item", "register_items", "remove_item", "publish_manifest", "show_standing", "show_registry",
    "show_registries", "list_standings", "show_some_standings", "show_changed",
    "check_placements", "follow_changes",
}  # fmt: skip
FOR_IDENTITY = {"check_placements"}  # of all products
FOR_ADMINISTRATORS = {"list_holders", "list_items", "show_drift"} | {
    name
    for name in vars(Administered)
    if name in OPERATIONS and name not in OWN | {"list_contracts", "list_tenants", "list_groups"}
}
FOR_BOTH = {
    "evaluate",
    "evaluate_all",
    "search_subjects",
    "search_resources",
    "search_actions",
    "filter_rows",
    "list_items",
    "show_catalogue",
    "show_drift",
}
ASKED = {"action": "sms.send", "type": "inbox", "id": "sales", "owner": "x", "destination": "inbox:sales"}


@pytest_asyncio.fixture(scope="module")
async def database(postgres: str) -> Urls:
    """Its own: what is published here is in everybody's catalogue."""
    return await fresh_database(postgres, "authz")


@dataclass
class World(Administered):
    """ACME Crates with Jane, who may use the inbox Sales Team."""

    acme: Organisation
    jane: Someone
    judge: Judge

    @property
    def token(self) -> str:
        return self.acme.ray.token

    def question(self) -> dict[str, Any]:
        return {
            "subject": {"type": "staff", "id": str(self.jane.id), "properties": {"a": 1}},
            "action": {"name": "sms.send", "properties": {"a": 1}},
            "resource": {"type": "inbox", "id": "sales", "properties": {"a": 1}},
            "context": {"explain": True, "min_revision": 1},
        }

    # --- a sound request for each operation -------------------------------------------------------------------

    async def evaluate(self) -> Sound:
        return Sound(body=self.question(), token=self.acme.authz.product)

    async def search_resources(self) -> Sound:
        resource = {"type": "inbox", "properties": {"a": 1}}
        page = {"limit": 1, "properties": {"a": 1}, "token": ""}
        return Sound(body=self.question() | {"resource": resource, "page": page}, token=self.acme.authz.product)

    async def evaluate_all(self) -> Sound:
        question = self.question()
        many = [{"resource": question["resource"]}, {"action": question["action"], "context": {"a": 1}}]
        options = {"evaluations_semantic": "deny_on_first_deny", "a": 1}
        return Sound(body=question | {"evaluations": many, "options": options}, token=self.acme.authz.product)

    async def search_subjects(self) -> Sound:
        subject = {"type": "staff", "properties": {"a": 1}}
        page = {"limit": 1, "properties": {"a": 1}, "token": ""}
        context = self.question()["context"] | {"organisation": str(self.acme.org)}
        body = self.question() | {"subject": subject, "context": context, "page": page}
        return Sound(body=body, token=self.acme.authz.product)

    async def search_actions(self) -> Sound:
        page = {"limit": 1, "properties": {"a": 1}, "token": ""}
        return Sound(body=self.question() | {"page": page}, token=self.acme.authz.product)

    async def filter_rows(self) -> Sound:
        resource = {"type": "inbox", "properties": {"a": 1}}
        return Sound(body=self.question() | {"resource": resource}, token=self.acme.authz.product)

    async def show_standing(self) -> Sound:
        return Sound(path={"staff": str(self.jane.id)}, token=self.acme.authz.product)

    async def show_registry(self) -> Sound:
        return Sound(path={"org": str(self.acme.org), "type": "inbox"}, token=self.acme.authz.product)

    async def show_registries(self) -> Sound:
        return Sound(path={"org": str(self.acme.org)}, body={"types": ["inbox"]}, token=self.acme.authz.product)

    async def list_standings(self) -> Sound:
        query = {"after": str(NOBODY), "limit": "5"}
        return Sound(path={"org": str(self.acme.org)}, query=query, token=self.acme.authz.product)

    async def show_changed(self) -> Sound:
        query = {"since": "1", "seconds": "0.5"}
        return Sound(path={"org": str(self.acme.org)}, query=query, token=self.acme.authz.product)

    async def show_some_standings(self) -> Sound:
        body = {"staff": [str(self.jane.id)]}
        return Sound(path={"org": str(self.acme.org)}, body=body, token=self.acme.authz.product)

    async def follow_changes(self) -> Sound:
        return Sound(token=self.acme.authz.product)

    async def explain(self) -> Sound:
        return Sound(path={"staff": str(self.jane.id)}, query=ASKED, token=self.token)

    async def list_holders(self) -> Sound:
        return Sound(query=ASKED | {"limit": "1"}, token=self.token)

    async def show_metadata(self) -> Sound:
        return Sound()

    async def show_my_permissions(self) -> Sound:
        return Sound(token=self.jane.token)

    async def register_item(self) -> Sound:
        path = {"org": str(self.acme.org), "type": "inbox", "id": f"i{IDS.uuid().hex}"}
        return Sound(path=path, body=self.item(), token=self.acme.authz.product)

    async def register_items(self) -> Sound:
        body = {"items": [{"type": "inbox", "id": f"i{IDS.uuid().hex}"} | self.item() for _ in range(2)]}
        return Sound(path={"org": str(self.acme.org)}, body=body, token=self.acme.authz.product)

    async def remove_item(self) -> Sound:
        id = f"i{IDS.uuid().hex}"
        await self.acme.register(f"inbox:{id}")
        return Sound(path={"org": str(self.acme.org), "type": "inbox", "id": id}, token=self.acme.authz.product)

    async def list_items(self) -> Sound:
        query = {"type": "inbox", "section": "sms", "label": "a", "after": "inbox:a", "limit": "2"}
        return Sound(path={"org": str(self.acme.org)}, query=query, token=self.token)

    def item(self) -> dict[str, Any]:
        owner = {"owner": str(self.jane.id), "subscriber": "101", "channel": "sms"}
        return {"section": "sms", "label": "Support"} | owner

    async def publish_manifest(self) -> Sound:
        """Each one newer than the one before."""
        body = {
            "product": "fax",
            "label": "Fax",
            "sections": [{"name": "fax", "label": "Fax", "items": ["line"]}, {"name": "old", "label": "Old"}],
            "features": [{"name": "fax.send", "label": "Send", "section": "fax", "action": "create"}],
            "version": IDS.uuid().int >> 80,
            "aliases": {
                "sections": {"telex": "fax"},
                "features": {"telex.send": "fax.send"},
                "items": {"wire": "line"},
            },
            "retire": {"sections": ["older"], "features": ["older.send"], "items": ["older"]},
        }
        return Sound(path={"product": "fax"}, body=body, token=self.acme.authz.product)

    async def show_catalogue(self) -> Sound:
        return Sound(token=self.token)

    async def show_drift(self) -> Sound:
        return Sound(token=self.token)


@pytest_asyncio.fixture
async def world(acme: Organisation) -> AsyncIterator[World]:
    await acme.register("inbox:sales", "inbox:management")
    jane = await acme.add()
    await acme.granted(jane, ("use", {"item": "inbox:sales"}))
    impatient = await acme.authz.replica(arrival_seconds=0)  # many of the people asked about will never arrive
    async with judging(impatient.url, acme.authz.session, acme.authz.database.owner) as judge:
        yield World(acme, jane, judge)


def forger(world: World, subject: str, **person: Any) -> Forger:
    now = int(world.acme.authz.clock.now().timestamp())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": subject,
        "client_id": "x",
        "iat": now,
        "exp": now + 300,
        "jti": "1",
    }
    return Forger(world.acme.authz.identity._key.as_dict(private=True), claims | person)


def test_every_operation_has_a_sound_request_to_be_spoilt() -> None:
    assert [name for name in OPERATIONS if not hasattr(World, name)] == []


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda one: one.id)
async def test_wrong_input_is_refused_with_a_reason_and_changes_nothing(world: World, operation: Operation) -> None:
    faults = await world.judge.faults(operation, getattr(world, operation.id))
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("operation", [one for one in OPERATIONS.values() if one.needs_token], ids=lambda one: one.id)
async def test_a_wrong_token_or_the_wrong_caller_is_refused_everywhere(world: World, operation: Operation) -> None:
    sound, ray = await getattr(world, operation.id)(), world.acme.ray
    person = {"org": str(ray.org), "sid": str(ray.session), "roles": ["owner"]}
    faults = await world.judge.token_faults(operation, sound, forger(world, str(ray.id), **person))
    product = ("a product", world.acme.authz.product)
    wrong = [("a person", world.token)] if operation.id in FOR_PRODUCTS else [product]
    wrong = [] if operation.id in FOR_BOTH else wrong
    wrong += [product] if operation.id in FOR_IDENTITY else []
    wrong += [("Jane", world.jane.token)] if operation.id in FOR_ADMINISTRATORS else []
    faults += await world.judge.caller_faults(operation, sound, wrong)
    assert not faults, "\n".join(faults)


@pytest.mark.checklist("G06")
async def test_every_kind_of_token_that_is_none_is_refused(world: World) -> None:
    ray = world.acme.ray
    ours = forger(world, str(ray.id), org=str(ray.org), sid=str(ray.session), roles=["owner"])
    name = "show_my_permissions"
    faults = await world.judge.forged_faults(OPERATIONS[name], await world.show_my_permissions(), ours)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("header", raw.HEADERS)
async def test_no_header_breaks_an_operation(world: World, header: str) -> None:
    faults, content = [], json.dumps(world.question()).encode()
    for what, value in raw.VALUES.items():
        token = world.acme.authz.product.encode()
        headers = {"Authorization": b"Bearer " + token, "Content-Type": b"application/json", header: value}
        status, said = await raw.answer(world.judge.url, "POST", "/access/v1/evaluation", headers, content)
        if not 200 <= status < 500:
            faults.append(f"{what}: {said[:200]!r}")
    assert not faults, "\n".join(faults)


async def test_nobody_is_asked_about_who_is_no_uuid(world: World) -> None:
    """AuthZEN has ids as text; what names nobody is denied, not a fault."""
    for subject in ("nobody", "", "\0", "a" * 5000, str(UUID(int=0))):
        question = world.question() | {"subject": {"type": "staff", "id": subject}}
        answer = await world.acme.authz.ask(
            "POST", "/access/v1/evaluation", token=world.acme.authz.product, json=question
        )
        assert answer.status in (200, 422), answer.text
        assert answer.status != 200 or answer.json["decision"] is False
