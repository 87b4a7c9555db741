"""What has to reach a person: told to notify as events whose secrets only notify can open."""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from services.identity.store.organisations import OrganisationRow
from services.identity.store.staff import StaffRow
from shared import trace
from shared.db import Tx
from shared.sealing import Sealer
from staffgate.contracts.identity import (
    CodeIssued,
    CodeMessage,
    LinkIssued,
    LinkMessage,
    LinkPurpose,
    NoticeIssued,
    NoticeKind,
    NoticeMessage,
)

_PATHS = {LinkPurpose.EMAIL: "confirm-email", LinkPurpose.RESET: "set-password"}
_NOTICE_LIFETIME = timedelta(days=2)  # what happened three days ago is no news


class Messages:
    """`public_url` is where links lead: from the settings, never from a request's Host header. Under `key` addresses get
    names that say nothing of them."""

    def __init__(self, sealer: Sealer, public_url: str, key: bytes) -> None:
        self._sealer = sealer
        self._key = key
        self._public_url = public_url.rstrip("/")
        self._host = urlsplit(public_url).hostname or ""

    async def send_link(
        self, tx: Tx, person: StaffRow, organisation: OrganisationRow, purpose: LinkPurpose, id: UUID, token: str,
        expires_at: datetime, to: str,
    ) -> None:  # fmt: skip
        message = LinkMessage(
            to=to,
            name=person.name,
            organisation=organisation.name,
            login=login_name(organisation, person),
            locale=person.locale or "",
            url=f"{self._public_url}/{_PATHS.get(purpose, 'activate')}?token={token}",
            ip=trace.source().ip,
        )
        await tx.emit(
            LinkIssued(
                org=person.org,
                staff=person.id,
                link=id,
                purpose=purpose,
                expires_at=expires_at,
                sealed=self._seal(message, id),
                contact=self._contact(person, to),
            )
        )

    async def send_code(
        self, tx: Tx, person: StaffRow, organisation: OrganisationRow, channel: Literal["email", "sms"], id: UUID,
        code: str, expires_at: datetime, *, to: str = "", purpose: str = "login",
    ) -> None:  # fmt: skip
        """To the person's own address of that channel, unless another is to be confirmed."""
        to = to or (person.email if channel == "email" else person.mobile or "")
        message = CodeMessage(
            to=to,
            name=person.name,
            organisation=organisation.name,
            code=code,
            purpose=purpose,
            host=self._host,
            locale=person.locale or "",
            ip=trace.source().ip,
        )
        await tx.emit(
            CodeIssued(
                org=person.org,
                staff=person.id,
                code=id,
                channel=channel,
                expires_at=expires_at,
                sealed=self._seal(message, id),
                contact=self._contact(person, to),
            )
        )

    async def send_notice(
        self, tx: Tx, person: StaffRow, organisation: OrganisationRow, kind: NoticeKind, *, to: str = "", **facts: str
    ) -> UUID:
        """Tell a person what happened to their account, when and from where; who has no portal gets none. The notice's id."""
        source, now, id = trace.source(), tx.database.clock.now(), tx.database.ids.uuid()
        known = {"ip": source.ip, "agent": source.agent, "at": now.isoformat()}
        message = NoticeMessage(
            to=to or person.email,
            name=person.name,
            organisation=organisation.name,
            locale=person.locale or "",
            facts=known | facts,
        )
        await tx.emit(
            NoticeIssued(
                org=person.org,
                staff=person.id,
                notice=id,
                kind=kind,
                expires_at=now + _NOTICE_LIFETIME,
                sealed=self._seal(message, id),
                contact=self._contact(person, message.to),
            )
        )
        return id

    def is_for(self, person: StaffRow, channel: str, contact: str) -> bool:
        """Whether that is the name of the address that this person has now."""
        to = person.email if channel == "email" else person.mobile
        return bool(to) and hmac.compare_digest(contact.encode(), self._contact(person, to or "").encode())

    def _contact(self, person: StaffRow, address: str) -> str:
        return hmac.digest(self._key, f"contact/{person.id}/{address}".encode(), "sha256")[:16].hex()

    def _seal(self, message: LinkMessage | CodeMessage | NoticeMessage, id: UUID) -> str:
        return self._sealer.seal(msgspec.json.encode(message), str(id))


def login_name(organisation: OrganisationRow, person: StaffRow) -> str:
    """What this person types at login."""
    return f"{organisation.username or organisation.number}\\{person.username}"
