"""Jane gets in, is allowed, is refused, is put out and let in again. Each chapter is a step of the story."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pyotp

from deploy.local.demo.people import (
    Tokens,
    confirm_mobile,
    enrol_app,
    link_in_email,
    log_in,
    open_link_and_set_password,
    refresh,
)
from deploy.local.demo.world import Answer, Door, World, eventually, newest_message, require

Tell = Callable[[str], None]
MESSAGE = {"number": "+61491570156", "text": "Where are my crates?"}


class Story:
    """What is known so far; the chapters are told in order."""

    def __init__(self, world: World, tell: Tell) -> None:
        self.world = world
        self.tell = tell
        self.tag = uuid4().hex[:6]  # addresses of this telling: the mailbox remembers older ones
        self.org = self.ray_id = self.jane_id = UUID(int=0)
        self.name = ""
        self.jane_login = self.ray_login = ""
        self.ray_app = pyotp.TOTP(pyotp.random_base32())  # until he has enrolled his
        self.ray = Tokens("", "")
        self.jane = Tokens("", "")
        self.link = ""

    @property
    def chapters(self) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
        return [
            ("ACME Crates registers", self.register),
            ("Ray, the owner, selects the organisation username", self.select_username),
            ("Ray adds Jane and sets what she may do", self.add_jane),
            ("Ray sends the activation e-mail, twice", self.send_activation),
            ("Jane opens the link and sets a password", self.activate),
            ("Jane logs in: password, then a second factor", self.log_in),
            ("The SMS inbox asks what Jane may do", self.ask),
            ("Ray raises Management to Use, and sets it back to Deny", self.raise_and_lower),
            ("Luke, an agent, gets an inbox of his own", self.add_luke),
            ("Ray suspends Jane", self.suspend),
            ("Ray reactivates Jane", self.reactivate),
        ]

    @property
    def ray_mail(self) -> str:
        return f"ray-{self.tag}@acme.example"

    @property
    def jane_mail(self) -> str:
        return f"jane-{self.tag}@acme.example"

    # --- 1 ----------------------------------------------------------------------------------------------------

    async def register(self) -> None:
        since = await newest_message(self.world)
        owner = {"name": "Ray", "email": self.ray_mail, "username": "Ray"}
        made = await self.world.identity.post("/v1/organisations", {"name": "ACME Crates", "owner": owner}, want=201)
        self.org = UUID(made["organisation"])
        self.tell(f"organisation number {made['number']}; a confirmation link is on its way to {self.ray_mail}")
        token = await link_in_email(self.world, self.ray_mail, since)
        login = await open_link_and_set_password(self.world, token)
        self.tell(f"e-mail confirmed by link, password set; Ray logs in as {login}")
        self.ray_login = login
        self.ray, self.ray_app = await enrol_app(self.world, login, self.ray_mail)
        self.tell("he is asked to enrol an authenticator app before anything else, and is in")
        self.ray_id = UUID((await self.world.identity.get("/v1/me", token=self.ray.access))["id"])

    async def select_username(self) -> None:
        path = "/v1/organisation/username"
        for name in ("AcmeCrates", f"AcmeCrates-{self.tag}"):
            answer = await self.world.identity.ask("POST", path, token=self.ray.access, json={"username": name})
            if answer.status == 200:
                break
            require(_problem(answer) == "username_taken", f"{name} was refused: {answer.text}")
            self.tell(f"{name} is taken by an earlier telling, and never given out again")
        require(answer.status == 200, f"no username could be selected: {answer.text}")
        self.name = name
        again = await self.world.identity.ask("POST", path, token=self.ray.access, json={"username": "AcmeTeam"})
        require(_problem(again) == "username_selected", f"a second selection was not refused: {again.text}")
        self.tell(f"{name}, once and for ever: a second selection is refused")

    # --- 2, 3, 4 ----------------------------------------------------------------------------------------------

    async def add_jane(self) -> None:
        for id, label in (("sales", "Sales Team"), ("management", "Management")):
            await self.world.inbox.put(f"/inboxes/{id}", {"label": label}, token=self.ray.access)
        self.tell('Ray makes two inboxes, and the SMS inbox makes them known to authz: "Sales Team" and "Management"')
        jane = {"type": "standard", "name": "Jane", "username": "Jane", "email": self.jane_mail}
        jane |= {"mobile": "+61 491 570 006", "default_level": "deny"}
        added = await self.world.identity.post("/v1/staff", jane, token=self.ray.access, want=201)
        self.jane_id = UUID(added["id"])
        require(added["status"] == "invited", f"Jane shows as {added['status']}")
        self.tell("Jane: standard user, default level Deny, not activated")
        await self.grant({"section": "sms"}, "read")
        await self.grant({"section": "sms", "item": "inbox:sales"}, "use")
        await self.grant({"section": "sms", "item": "inbox:management"}, "deny")
        self.tell('grants: section SMS Read, inbox "Sales Team" Use, inbox "Management" Deny')

    async def send_activation(self) -> None:
        path, since = f"/v1/staff/{self.jane_id}/activation-email", await newest_message(self.world)
        await self.world.identity.post(path, token=self.ray.access, want=202)
        old = await link_in_email(self.world, self.jane_mail, since)
        since = await newest_message(self.world)
        sent = await self.world.identity.post(path, token=self.ray.access, want=202)
        require(sent["sent_count"] == 2, f"sent {sent['sent_count']} times")
        self.link = await link_in_email(self.world, self.jane_mail, since)
        dead = await self.world.identity.ask("GET", f"/activate?token={old}")
        require(dead.status == 410, f"the older link still answers {dead.status}")
        self.tell("two e-mails are in the mailbox; the newer link killed the older one")

    async def activate(self) -> None:
        self.jane_login = await open_link_and_set_password(self.world, self.link)
        again = await self.world.identity.ask("GET", f"/activate?token={self.link}")
        require(again.status == 410, "the link could be used twice")
        shown = await self.world.identity.get(f"/v1/staff/{self.jane_id}", token=self.ray.access)
        require(shown["status"] == "active", f"Jane shows as {shown['status']}")
        self.tell("opening the link consumed nothing, sending the form did; Jane is active, and not logged in by it")

    # --- 5 ----------------------------------------------------------------------------------------------------

    async def log_in(self) -> None:
        by_mail = await log_in(self.world, self.jane_login, "email", self.jane_mail)
        self.tell(f"{self.jane_login} with a code by e-mail: an access token for five minutes")
        await confirm_mobile(self.world, "+61491570006", by_mail.access)
        await log_in(self.world, self.jane_login, "sms", "+61491570006")
        self.tell("with a code by SMS, once she has shown that the number is hers")
        _, app = await enrol_app(self.world, self.jane_login, self.jane_mail)
        self.jane = await log_in(self.world, self.jane_login, "totp", "", app.now())
        self.tell("with an authenticator app, after enrolling it")
        status, tokens = await refresh(self.world, self.jane.refresh)
        require(status == 200 and tokens["refresh_token"] != self.jane.refresh, "the refresh token did not rotate")
        self.jane = Tokens(tokens["access_token"], tokens["refresh_token"])
        self.tell("her refresh token rotates")

    # --- 6, 7 -------------------------------------------------------------------------------------------------

    async def ask(self) -> None:
        sent = await self.product("POST", "/inboxes/sales/messages", 201, json=MESSAGE)
        self.tell('send from "Sales Team": yes')
        await self.product("DELETE", f"/inboxes/sales/messages/{sent.body['id']}", 403)
        why = (await self.product("GET", "/inboxes/sales/why?action=sms.delete", 200)).body
        require(not why["allowed"], f"Jane is told {why}")
        self.tell(f"delete there: no. {why['because']}")
        await self.product("GET", "/inboxes/management/messages", 404)
        self.tell('read "Management": no, as if it did not exist')
        await self.sees(self.jane, ["Sales Team"])
        self.tell("Jane sees: Sales Team")

    async def raise_and_lower(self) -> None:
        for door in self.world.authz:
            require(not await self.decided(door, "sms.read", "management"), "Management was open too early")
        await self.grant({"section": "sms", "item": "inbox:management"}, "use")
        await self.product_knows("/inboxes/management/messages", 200)
        await self.agreed("sms.read", "management", True, "Use")
        await self.sees(self.jane, ["Management", "Sales Team"])
        await self.grant({"section": "sms", "item": "inbox:management"}, "deny")
        await self.product_knows("/inboxes/management/messages", 404)
        await self.agreed("sms.read", "management", False, "Deny")

    async def product_knows(self, path: str, status: int) -> None:
        """Out of the memory of the product's own process, within a second."""

        async def look() -> bool:
            return (await self.world.inbox.ask("GET", path, token=self.jane.access)).status == status

        _, ms = await eventually(look, 1, f"the SMS inbox does not answer {status} to {path}")
        self.tell(f"the SMS inbox answers {status} after {ms:.0f} ms")

    async def agreed(self, action: str, inbox: str, want: bool, level: str) -> None:
        """Every replica of authz says so, each out of its own cache, within a second."""

        async def look() -> bool:
            return all([await self.decided(door, action, inbox) is want for door in self.world.authz])

        _, ms = await eventually(look, 1, f"not every replica heard that Management is {level}")
        self.tell(f"Management is {level}: {len(self.world.authz)} authz replica(s) agree after {ms:.0f} ms")

    # --- 8 ----------------------------------------------------------------------------------------------------

    async def add_luke(self) -> None:
        """Whose rows: an agent reaches what is their own."""
        identity, ray, mail = self.world.identity, self.ray.access, f"luke-{self.tag}@acme.example"
        since = await newest_message(self.world)
        new = {"type": "standard", "name": "Luke", "username": "Luke", "email": mail, "default_level": "deny"}
        luke_id = (await identity.post("/v1/staff", new, token=ray, want=201))["id"]
        await identity.post(f"/v1/staff/{luke_id}/activation-email", token=ray, want=202)
        login = await open_link_and_set_password(self.world, await link_in_email(self.world, mail, since))
        luke = await log_in(self.world, login, "email", mail)
        role = {"changes": [{"kind": "assign_role", "role": "agent", "staff": luke_id}]}
        await self.world.authz[0].post("/v1/changes", role, token=ray)
        inbox = self.world.inbox
        await inbox.put("/inboxes/luke", {"label": "Luke", "owner": luke_id}, token=ray)
        self.tell('Luke has the role Agent, which reaches rows of his own; Ray makes him the inbox "Luke"')

        async def sent() -> bool:
            answer = await inbox.ask("POST", "/inboxes/luke/messages", token=luke.access, json=MESSAGE)
            return answer.status == 201

        _, ms = await eventually(sent, 1, "Luke can't send from his own inbox")
        self.tell(f"he sends from it after {ms:.0f} ms")
        await inbox.get("/inboxes/sales/messages", token=luke.access, want=404)
        taken = await inbox.ask("PUT", "/inboxes/sales", token=luke.access, json={"label": "Mine", "owner": luke_id})
        require(taken.status == 404, f"Luke made another's inbox his own: {taken.status}")
        await self.sees(luke, ["Luke"])
        await self.sees(self.ray, ["Luke", "Management", "Sales Team"])
        self.tell("Luke sees: Luke. Ray sees: Luke, Management, Sales Team")
        for who, want in ((luke, ["luke"]), (self.ray, ["luke", "sales"])):
            found = await inbox.get("/messages?text=crates", token=who.access)
            require(sorted(one["inbox"] for one in found) == want, f"found {found}")
        self.tell("a search for crates, which the database filters: one message for Luke, two for Ray")

    # --- 9 ----------------------------------------------------------------------------------------------------

    async def suspend(self) -> None:
        doors = {
            "identity": (self.world.identity, "/v1/me"),
            "authz": (self.world.authz[0], "/v1/me/permissions"),
            "notify": (self.world.notify, "/v1/deliveries"),
            "the SMS inbox": (self.world.inbox, "/inboxes"),
        }
        for door, path in doors.values():
            await door.get(path, token=self.jane.access)
        started = time.perf_counter()
        await self.world.identity.post(f"/v1/staff/{self.jane_id}/suspend", token=self.ray.access)
        for name, (door, path) in doors.items():
            await self.refused(name, door, path, started)
        await self.refused_by_checks(started)
        status, _ = await refresh(self.world, self.jane.refresh)
        require(status == 400, f"her refresh answered {status}")
        self.tell("her refresh fails")

    async def refused(self, name: str, door: Door, path: str, started: float) -> None:
        async def look() -> bool:
            return (await door.ask("GET", path, token=self.jane.access)).status == 401

        await eventually(look, 1, f"{name} still takes her access token")
        self.tell(f"{name} refuses her unexpired access token after {(time.perf_counter() - started) * 1000:.0f} ms")

    async def refused_by_checks(self, started: float) -> None:
        async def look() -> bool:
            return not any([await self.decided(door, "sms.send", "sales") for door in self.world.authz])

        await eventually(look, 1, "checks still say yes")
        self.tell(f"every check says no after {(time.perf_counter() - started) * 1000:.0f} ms")

    async def reactivate(self) -> None:
        await self.world.identity.post(f"/v1/staff/{self.jane_id}/reactivate", token=self.ray.access)
        self.jane = await log_in(self.world, self.jane_login, "email", self.jane_mail)

        async def look() -> bool:
            return all([await self.decided(door, "sms.send", "sales") for door in self.world.authz])

        _, ms = await eventually(look, 1, "checks still say no")
        await self.product_knows("/inboxes/sales/messages", 200)
        await self.product("POST", "/inboxes/sales/messages", 201, json=MESSAGE)
        self.tell(f"she logs in again, and sends from Sales Team as before ({ms:.0f} ms)")

    # --- asking -----------------------------------------------------------------------------------------------

    async def grant(self, target: dict[str, str], level: str) -> None:
        body = {"target": target, "level": level}
        await self.world.authz[0].put(f"/v1/staff/{self.jane_id}/grants", body, token=self.ray.access)

    async def product(self, method: str, path: str, want: int, **options: Any) -> Answer:
        answer = await self.world.inbox.ask(method, path, token=self.jane.access, **options)
        require(answer.status == want, f"the SMS inbox answered {answer.status} to {method} {path}, not {want}")
        return answer

    async def sees(self, who: Tokens, want: list[str]) -> None:
        seen = sorted(one["label"] for one in await self.world.inbox.get("/inboxes", token=who.access))
        require(seen == want, f"the SMS inbox shows {seen} where {want} was expected")

    async def decided(self, door: Door, action: str, inbox: str) -> bool:
        question: dict[str, Any] = {
            "subject": {"type": "staff", "id": str(self.jane_id)},
            "action": {"name": action},
            "resource": {"type": "inbox", "id": inbox},
        }
        answer = await door.post("/access/v1/evaluation", question, token=await self.world.product.token())
        return bool(answer["decision"])


def _problem(answer: Answer) -> str:
    return str(answer.body.get("type", "")).rpartition(":")[2] if isinstance(answer.body, dict) else ""
