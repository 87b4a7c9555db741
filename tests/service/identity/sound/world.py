"""Who and what there is while requests are spoilt, and the means to have more of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from staffgate.contracts import identity as contract
from tests.service.bad_input.judge import Judge
from tests.service.identity.conftest import PASSWORD, Acme, Running, log_in, until

_number = itertools.count(1)


@dataclass
class Ground:
    """ACME Crates, where Ray is the owner and Jane a standard user; and the SMS inbox, a product service."""

    acme: Acme
    jane: str
    product: str
    judge: Judge
    fresh: Callable[[], int] = field(default=lambda: next(_number))

    @property
    def identity(self) -> Running:
        return self.acme.identity

    async def invited(self) -> UUID:
        return await self.acme.add(f"Han{self.fresh()}", mobile="+61 491 570 006")

    async def active(self) -> tuple[UUID, str]:
        staff = await self.invited()
        return staff, await self.acme.activate(staff)

    async def token(self) -> str:
        """Of a person of their own."""
        _, login = await self.active()
        return str((await log_in(self.identity, login)).json["access_token"])

    async def link(self) -> str:
        staff = await self.invited()
        await self.identity.post(f"/v1/staff/{staff}/activation-email", token=self.acme.ray)
        await until(lambda: self.identity.heard.links(staff))
        return self.identity.heard.link(staff)

    async def by_email(self, transaction: str) -> dict[str, str]:
        """What finishes it, by a code that was sent."""
        before, factor = (
            len(self.identity.heard.of(contract.CodeIssued)),
            {"transaction": transaction, "factor": "email"},
        )
        await self.identity.post("/v1/login/codes", factor)
        await self.identity.told(contract.CodeIssued, before + 1)
        return factor | {"code": self.identity.heard.code()}

    async def transaction(self) -> str:
        _, login = await self.active()
        return str((await self.identity.post("/v1/login", {"login": login, "password": PASSWORD})).json["transaction"])
