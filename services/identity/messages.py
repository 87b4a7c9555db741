"""What has to reach a person: told to notify as events whose secrets only notify can open."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from services.identity.store.organisations import OrganisationRow
from services.identity.store.staff import StaffRow
from shared.db import Tx
from shared.sealing import Sealer
from staffgate.contracts.identity import CodeIssued, CodeMessage, LinkIssued, LinkMessage, LinkPurpose


class Messages:
    """`public_url` is where links lead: from the settings, never from a request's Host header."""

    def __init__(self, sealer: Sealer, public_url: str) -> None:
        self._sealer = sealer
        self._public_url = public_url.rstrip("/")

    async def send_link(
        self, tx: Tx, person: StaffRow, organisation: OrganisationRow, purpose: LinkPurpose, id: UUID, token: str,
        expires_at: datetime,
    ) -> None:  # fmt: skip
        message = LinkMessage(
            to=person.email,
            name=person.name,
            organisation=organisation.name,
            login=login_name(organisation, person),
            url=f"{self._public_url}/activate?token={token}",
        )
        await tx.emit(
            LinkIssued(
                org=person.org,
                staff=person.id,
                link=id,
                purpose=purpose,
                expires_at=expires_at,
                sealed=self._seal(message, id),
            )
        )

    async def send_code(
        self, tx: Tx, person: StaffRow, organisation: OrganisationRow, channel: Literal["email", "sms"], id: UUID,
        code: str, expires_at: datetime,
    ) -> None:  # fmt: skip
        to = person.email if channel == "email" else person.mobile or ""
        message = CodeMessage(to=to, name=person.name, organisation=organisation.name, code=code)
        await tx.emit(
            CodeIssued(
                org=person.org,
                staff=person.id,
                code=id,
                channel=channel,
                expires_at=expires_at,
                sealed=self._seal(message, id),
            )
        )

    def _seal(self, message: LinkMessage | CodeMessage, id: UUID) -> str:
        return self._sealer.seal(msgspec.json.encode(message), str(id))


def login_name(organisation: OrganisationRow, person: StaffRow) -> str:
    """What this person types at login."""
    return f"{organisation.username or organisation.number}\\{person.username}"
