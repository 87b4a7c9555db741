"""identity asks the real authz who may administer whom."""

from __future__ import annotations

import asyncio
from typing import Any

from deploy.local.demo.people import enrol_app, link_in_email, log_in, open_link_and_set_password
from deploy.local.demo.story import Story
from deploy.local.demo.world import eventually, newest_message


async def add(story: Story, name: str, **more: Any) -> tuple[str, str]:
    """Somebody who is active: their id, and what they log in as."""
    since, mail = await newest_message(story.world), f"{name}-{story.tag}@acme.example".lower()
    body = {"type": "standard", "name": name, "username": name, "email": mail} | more
    identity, ray = story.world.identity, story.ray.access
    staff = (await identity.post("/v1/staff", body, token=ray, want=201))["id"]
    await identity.post(f"/v1/staff/{staff}/activation-email", token=ray, want=202)
    return staff, await open_link_and_set_password(story.world, await link_in_email(story.world, mail, since))


async def changed(story: Story, **change: Any) -> Any:
    """Ray changes something in authz; what it is now."""
    body = {"changes": [change]}
    made = await story.world.authz[0].post("/v1/changes", body, token=story.ray.access)
    return made["outcomes"][0]["after"]


async def test_a_manager_administers_their_department_and_nobody_else(story: Story) -> None:
    identity = story.world.identity
    await story.register()
    vada, login = await add(story, "Vada")
    han, _ = await add(story, "Han")
    luke, _ = await add(story, "Luke")
    token = (await log_in(story.world, login, "email", f"vada-{story.tag}@acme.example")).access
    nothing = await identity.ask("GET", "/v1/staff", token=token)
    assert nothing.status == 403, "who was added with Deny may nothing"
    root = (await story.world.authz[0].get("/v1/teams", token=story.ray.access))["root"]["id"]
    crew = (await changed(story, kind="add_team", name="Crew", parent=root))["id"]
    await changed(story, kind="place_members", team=crew, staff=[vada, han])
    await changed(story, kind="assign_role", role="manager", staff=vada)

    async def seen() -> bool:
        answer = await identity.ask("GET", "/v1/staff", token=token)
        return answer.status == 200 and [one["username"] for one in answer.body["staff"]] == ["Han", "Vada"]

    await eventually(seen, 1, "a manager does not see their department")
    assert (await identity.ask("GET", f"/v1/staff/{han}", token=token)).status == 200
    assert (await identity.ask("GET", f"/v1/staff/{luke}", token=token)).status == 404
    assert (await identity.post(f"/v1/staff/{han}/suspend", token=token))["status"] == "suspended"
    assert (await identity.post(f"/v1/staff/{han}/reactivate", token=token))["status"] == "active"
    assert (await identity.ask("POST", f"/v1/staff/{luke}/suspend", token=token)).status == 404
    body = {"type": "standard", "name": "Laya", "username": "Laya", "email": "laya@acme.example"}
    assert (await identity.ask("POST", "/v1/staff", token=token, json=body)).status == 403, "managers add nobody"


async def test_whoever_has_just_come_is_not_turned_away(story: Story) -> None:
    """The news of them may be behind: authz waits for it, and nobody gets a refusal that is none."""
    await story.register()

    async def administrator(n: int) -> None:
        _, login = await add(story, f"Chewie{n}", type="administrator")
        token = (await enrol_app(story.world, login, f"chewie{n}-{story.tag}@acme.example"))[0].access
        body = {"type": "standard", "name": "Crew", "username": f"crew{n}", "email": f"crew{n}@acme.example"}
        added = await story.world.identity.post("/v1/staff", body, token=token, want=201)
        path = f"/v1/staff/{added['id']}/activation-email"
        await story.world.identity.post(path, token=token, want=202)

    await asyncio.gather(*(administrator(n) for n in range(4)))
