"""Messages put before notify's admission, as an attempt does it: each in a transaction that is committed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal
from uuid import UUID

import msgspec

from services.notify.channels.port import Accepted, Outgoing
from services.notify.limit import conversion
from services.notify.limit.admission import Admission, Admitted, Refused, Verdict
from services.notify.limit.opening import address_key, admission
from services.notify.limit.settings import Limits
from services.notify.provider.routes import Route, Routes
from services.notify.provider.settings import ProviderSettings
from services.notify.store.deliveries import Claim
from shared.bus.envelope import encode, open_envelope
from shared.db import Database
from shared.service import Role
from staffgate.contracts.identity import CodeUsed
from tests.service.notify.conftest import ACME, ADDRESS_KEY, IDS, Running, database_of

NUMBER = "+61400000000"


@dataclass(frozen=True)
class Nobody:
    """Whoever it is that would be asked."""

    name: str
    channel: str

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        yield

    async def send(self, message: Outgoing) -> Accepted:
        raise NotImplementedError


@dataclass
class Judging:
    db: Database
    admission: Admission
    given: list[UUID] = field(default_factory=list)

    async def ask(
        self, to: str = NUMBER, template: str = "code", *, id: UUID | None = None, org: UUID = ACME,
        staff: UUID | None = None, source: str = "", text: str = "82461937", hours: float = 24, admitted: bool = False,
    ) -> Verdict:  # fmt: skip
        """One person each, unless somebody is named."""
        now, id = self.db.clock.now(), id or IDS.uuid()
        row = {
            "id": id, "org": org, "staff": staff or IDS.uuid(), "channel": "email" if "@" in to else "sms",
            "template": template, "priority": 0, "sealed": "", "attempts": 1, "last_attempt": None,
            "admitted": admitted, "provider": None, "unsure": False, "issued_at": now, "created_at": now,
            "deadline": now + timedelta(hours=hours), "traceparent": "",
        }  # fmt: skip
        message = Outgoing(id=id, to=to, text=text, sent_at=now, source=source)
        async with self.db.begin_anywhere() as tx:
            verdict = await self.admission.judge(tx, msgspec.convert(row, Claim), message)
        if isinstance(verdict, Admitted):
            self.given.append(id)
        return verdict

    async def admitted(self, *args: str, **changed: object) -> bool:
        return isinstance(await self.ask(*args, **changed), Admitted)  # type: ignore[arg-type]

    async def use(self, code: UUID, *, org: UUID = ACME, channel: Literal["sms", "email"] = "sms") -> None:
        """As identity tells it."""
        event = CodeUsed(org=org, staff=IDS.uuid(), code=code, channel=channel)
        envelope = open_envelope(encode(event, IDS.uuid(), self.db.clock.now()))
        async with self.db.begin(org) as tx:
            await conversion.note_used(tx, event, envelope)


def why(verdict: Verdict) -> str:
    return verdict.reason.value if isinstance(verdict, Refused) else type(verdict).__name__.lower()


@asynccontextmanager
async def judging(notify: Running, limits: Limits, *routes: ProviderSettings) -> AsyncIterator[Judging]:
    """With an e-mail and an SMS provider that cost nothing, unless others are named."""
    stop = await notify.start(Role.HTTP)  # which brings the schema
    await stop()
    named = routes or (ProviderSettings(name="mail"), ProviderSettings(name="sms"))
    known = Routes([Route(Nobody(one.name, "email" if one.name == "mail" else "sms"), one) for one in named])
    db = database_of(notify)
    async with db.opened():
        yield Judging(db, admission(limits, address_key(ADDRESS_KEY), db, known))
