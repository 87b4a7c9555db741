"""SMS through a server that speaks SMPP: a link that is kept, and what its answers mean for a message."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import structlog

from services.notify.channels.port import Accepted, Down, Elsewhere, Outgoing, Rejected, Tell, Told, Unsure, fit_to_keep
from services.notify.channels.sender import bare, is_name
from services.notify.channels.smpp import pdu, receipt
from services.notify.channels.smpp.link import Link, Lost, described
from services.notify.channels.smpp.pdu import Address, Malformed, Pdu, ShortMessage, Status
from services.notify.channels.smpp.wording import Part, validity, worded
from services.notify.channels.telephone import e164
from services.notify.provider.settings import SmppSettings
from staffgate.contracts.notify import DeliveryState, Reason

_ANSWER = 10.0  # seconds for a message's
_ROOM = 2.0  # for a place in the window, and for the link to be bound
_REMEMBERED = 60.0  # what is still without an answer then is given again
_SHORTEST, _LONGEST = 1.0, 30.0  # between attempts to bind
_DELIVERED = "DELIVRD"
_UNDELIVERED = frozenset({"EXPIRED", "DELETED", "UNDELIV", "REJECTD"})
# About the server, the link or the pace; any other status is about the message that it answers.
_UNWELL = frozenset({
    Status.SYSTEM_ERROR, Status.QUEUE_FULL, Status.THROTTLED, Status.INVALID_BIND_STATE, Status.ALREADY_BOUND,
    Status.BIND_FAILED, Status.INVALID_PASSWORD, Status.INVALID_SYSTEM_ID,
})  # fmt: skip
_INTERNATIONAL, _NAME, _SHORT_NUMBER = (1, 1), (5, 0), (3, 0)  # TON and NPI

log = structlog.get_logger()


class SmppProvider:
    """Every process has a link of its own, so receipts reach any of them; `tell` knows whose they are."""

    channel = "sms"

    def __init__(
        self, settings: SmppSettings, tell: Tell, *, tls_context: ssl.SSLContext | None = None, idle: float = 30.0
    ) -> None:  # fmt: skip
        self.name = settings.name
        self._settings = settings
        self._tell = tell
        self._tls = (tls_context or ssl.create_default_context()) if settings.tls else None
        self._idle = idle
        self._source = _source(settings)
        self._link: asyncio.Future[Link] | None = None
        self._wanted = asyncio.Event()
        self._given: dict[tuple[UUID, int], asyncio.Future[Pdu]] = {}

    # --- a link is there --------------------------------------------------------------------------------------

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        self._link = asyncio.get_running_loop().create_future()
        keeping = asyncio.create_task(self._keep(), name=f"smpp.{self.name}")
        try:
            yield
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping

    async def _keep(self) -> None:
        """As long as we live: bound, and when that ends bound again. Who wants to send need not wait for the next attempt."""
        loop, pause = asyncio.get_running_loop(), _SHORTEST
        while True:
            self._wanted.clear()
            began = loop.time()
            if self._link is None or self._link.done():
                self._link = loop.create_future()
            try:
                await self._hold(self._link)
                pause = _SHORTEST
            except Exception as fault:  # whatever it is: a link that nobody tries to have any more is missed by nobody
                self._failed(self._link, fault)
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause * random.uniform(0.5, 1)):  # noqa: S311 - jitter
                        await self._wanted.wait()
                pause = min(pause * 2, _LONGEST)
            await asyncio.sleep(max(0.0, began + _SHORTEST - loop.time()))

    def _failed(self, bound: asyncio.Future[Link], fault: Exception) -> None:
        why = fit_to_keep(f"{type(fault).__name__} {fault}".rstrip())
        log.warning("smpp.unbound", provider=self.name, error=why)
        if not bound.done():
            bound.set_exception(Down(f"no link: {why}"))
            bound.exception()  # looked at, should nobody ask

    async def _hold(self, bound: asyncio.Future[Link]) -> None:
        """Until the link is lost. Raise when it could not be had."""
        settings = self._settings
        link = await Link.to(
            settings.host, settings.port, self._tls, self._hear, window=settings.window, idle=self._idle
        )  # fmt: skip
        try:
            await link.bind(pdu.bind(settings.system_id, settings.password, settings.system_type))
            log.info("smpp.bound", provider=self.name)
            bound.set_result(link)
            reason = await asyncio.shield(link.lost)
            log.warning("smpp.lost", provider=self.name, reason=reason)
        finally:
            await link.leave()

    async def _bound(self) -> Link:
        self._wanted.set()
        assert self._link is not None
        try:
            async with asyncio.timeout(_ROOM):
                return await asyncio.shield(self._link)
        except TimeoutError:
            raise Down("no link yet") from None

    # --- a message --------------------------------------------------------------------------------------------

    async def send(self, message: Outgoing) -> Accepted:
        """Part after part: when one is refused, none of the later ones has left."""
        number, as_payload = e164(message.to), self._settings.long_messages == "payload"
        parts = worded(message.text, message.id.bytes[-1], as_payload=as_payload)
        link = await self._bound()
        answers: list[asyncio.Future[Pdu]] = []
        try:
            for index, part in enumerate(parts):
                submitted = self._submitted(message, number, part, last=part is parts[-1])
                answers.append(await self._answered(link, (message.id, index), submitted))
                reference = self._judged(answers[-1].result())
        except (Down, Unsure) as fault:
            for index, answer in enumerate(answers):
                self._remember((message.id, index), answer)
            if index and isinstance(fault, Down):
                raise Unsure(f"{index} of {len(parts)} parts taken, then {fault}") from None
            raise
        return Accepted(answer=described(Status.OK), reference=reference)

    def _submitted(self, message: Outgoing, number: str, part: Part, *, last: bool) -> ShortMessage:
        """The receipt of the last part stands for all: a telephone shows nothing until it has every one."""
        limited = message.expires_at if self._settings.validity else None
        return ShortMessage(
            source=self._source,
            destination=Address(*_INTERNATIONAL, number.removeprefix("+")),
            esm_class=part.esm_class,
            validity=validity(limited - message.sent_at) if limited else "",
            receipt=int(last),
            data_coding=part.data_coding,
            text=part.text,
            options=part.options,
        )

    async def _answered(self, link: Link, which: tuple[UUID, int], part: ShortMessage) -> asyncio.Future[Pdu]:
        """What was given before, and was taken or has no answer yet, is not given again while the link stands."""
        given = self._given.pop(which, None)
        if given is None or not _may_be_taken(given):
            given = await self._submit(link, part)
        try:
            async with asyncio.timeout(_ANSWER):
                await asyncio.shield(given)
        except TimeoutError:
            raise Unsure(f"no answer within {_ANSWER:g} s") from None
        except Lost as fault:
            raise Unsure(str(fault)) from None
        finally:
            if not given.done():
                self._remember(which, given)
        return given

    def _remember(self, which: tuple[UUID, int], given: asyncio.Future[Pdu]) -> None:
        self._given[which] = given
        asyncio.get_running_loop().call_later(_REMEMBERED, self._given.pop, which, None)

    async def _submit(self, link: Link, message: ShortMessage) -> asyncio.Future[Pdu]:
        try:
            async with asyncio.timeout(_ROOM):
                return await link.submit(message)
        except TimeoutError:
            raise Down("the window is full") from None
        except Lost as fault:
            raise Down(str(fault)) from None

    def _judged(self, answer: Pdu) -> str:
        """Its reference. Of what is not known to be about the number another provider may make something else."""
        if answer.status == Status.OK:
            try:
                return receipt.referenced(pdu.read_message_id(answer.body), self._settings.receipt_ids)
            except Malformed:
                return ""
        never = answer.status == Status.INVALID_DESTINATION or answer.status in self._settings.permanent
        kind: type[Exception] = Rejected if never else Down if answer.status in _UNWELL else Elsewhere
        raise kind(described(answer.status))

    # --- what it tells ----------------------------------------------------------------------------------------

    async def _hear(self, message: ShortMessage) -> None:
        """Somebody's answer to a code, and states on the way, are no news."""
        told = receipt.read(message)
        if told is None or (told.state != _DELIVERED and told.state not in _UNDELIVERED):
            return
        arrived = told.state == _DELIVERED
        await self._tell(
            Told(
                provider=self.name,
                reference=receipt.receipted(told, self._settings.receipt_ids),
                state=DeliveryState.DELIVERED if arrived else DeliveryState.BOUNCED,
                reason=None if arrived else Reason.BOUNCED,
                permanent=not arrived and told.error in self._settings.dead_numbers,
                answer=fit_to_keep(f"{told.state} {told.error}".rstrip()),
            )
        )


def _may_be_taken(given: asyncio.Future[Pdu]) -> bool:
    return not given.done() or (given.exception() is None and given.result().status == Status.OK)


def _source(settings: SmppSettings) -> Address:
    sender = bare(settings.sender)
    ton, npi = _NAME if is_name(sender) else _INTERNATIONAL if len(sender) > 6 else _SHORT_NUMBER
    return Address(
        ton if settings.source_ton is None else settings.source_ton,
        npi if settings.source_npi is None else settings.source_npi,
        sender.removeprefix("+"),
    )
