"""SMPP 3.4's packets as bytes, and bytes as packets: no more of them than one who sends short messages meets.

Reading is lenient where real servers are careless (an answer without a body, a text without its NUL) and strict where it
would read past an end: whatever bytes come, there is a packet or Malformed.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator, Mapping
from enum import IntEnum

import msgspec

VERSION = 0x34
_HEADER = struct.Struct(">IIII")
_OPTION = struct.Struct(">HH")
_ANSWER = 0x80000000
_LONGEST = 70_000  # a payload has two bytes for its length


class Command(IntEnum):
    SUBMIT_SM = 0x04
    DELIVER_SM = 0x05
    UNBIND = 0x06
    BIND_TRANSCEIVER = 0x09
    OUTBIND = 0x0B
    ENQUIRE_LINK = 0x15
    ALERT_NOTIFICATION = 0x102
    GENERIC_NACK = 0x80000000


class Status(IntEnum):
    """Those that something is made of. In an answer any number may stand."""

    OK = 0x00
    INVALID_COMMAND = 0x03
    INVALID_BIND_STATE = 0x04
    ALREADY_BOUND = 0x05
    SYSTEM_ERROR = 0x08
    INVALID_SOURCE = 0x0A
    INVALID_DESTINATION = 0x0B
    BIND_FAILED = 0x0D
    INVALID_PASSWORD = 0x0E
    INVALID_SYSTEM_ID = 0x0F
    QUEUE_FULL = 0x14
    SUBMIT_FAILED = 0x45
    THROTTLED = 0x58
    INVALID_VALIDITY = 0x62
    TRY_AGAIN = 0x64
    NEVER = 0x65


class Option(IntEnum):
    RECEIPTED_MESSAGE_ID = 0x001E
    NETWORK_ERROR_CODE = 0x0423
    MESSAGE_PAYLOAD = 0x0424
    MESSAGE_STATE = 0x0427


class Malformed(Exception):
    """These bytes are no packet. Nobody knows where the next one would begin."""


class Pdu(msgspec.Struct, frozen=True, kw_only=True):
    command: int
    sequence: int
    status: int = Status.OK
    body: bytes = b""

    @property
    def is_answer(self) -> bool:
        return bool(self.command & _ANSWER)


class Address(msgspec.Struct, frozen=True):
    ton: int = 0
    npi: int = 0
    number: str = ""


class ShortMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a submit_sm, and of a deliver_sm. A text that is longer than 254 bytes goes into an option."""

    source: Address
    destination: Address
    esm_class: int = 0
    validity: str = ""
    receipt: int = 0  # registered_delivery
    data_coding: int = 0
    text: bytes = b""
    options: Mapping[int, bytes] = {}


# --- a whole packet -------------------------------------------------------------------------------------------


def answer_to(request: Pdu, status: int = Status.OK, body: bytes = b"") -> Pdu:
    return Pdu(command=request.command | _ANSWER, sequence=request.sequence, status=status, body=body)


def answers(answer: Pdu, command: int) -> bool:
    return answer.command in (command | _ANSWER, Command.GENERIC_NACK)


def encode(pdu: Pdu) -> bytes:
    return _HEADER.pack(_HEADER.size + len(pdu.body), pdu.command, pdu.status, pdu.sequence) + pdu.body


def decode(data: bytes) -> Pdu:
    if len(data) < _HEADER.size:
        raise Malformed("shorter than a header")
    length, command, status, sequence = _HEADER.unpack_from(data)
    if length != len(data):
        raise Malformed("not as long as it says")
    return Pdu(command=command, sequence=sequence, status=status, body=data[_HEADER.size :])


async def read(stream: asyncio.StreamReader) -> Pdu:
    """The next one. Raise IncompleteReadError when the other side has hung up."""
    header = await stream.readexactly(_HEADER.size)
    length = _HEADER.unpack(header)[0]
    if not _HEADER.size <= length <= _LONGEST:
        raise Malformed("of a length that no packet has")
    return decode(header + await stream.readexactly(length - _HEADER.size))


# --- what is in it --------------------------------------------------------------------------------------------


def bind(system_id: str, password: str, system_type: str) -> bytes:
    texts = _text(system_id), _text(password), _text(system_type)
    return b"".join(texts) + bytes([VERSION, 0, 0]) + _text("")


def read_bind(body: bytes) -> tuple[str, str, str]:
    """system_id, password, system_type."""
    fields = _Fields(body)
    return fields.text(), fields.text(), fields.text()


def message_id(id: str) -> bytes:
    return _text(id)


def read_message_id(body: bytes) -> str:
    """Empty where there is none, as beside an error."""
    return _Fields(body).text() if body else ""


def short_message(message: ShortMessage) -> bytes:
    return b"".join(
        [
            _text(""),  # service_type
            _address(message.source),
            _address(message.destination),
            bytes([message.esm_class, 0, 0]),  # protocol_id, priority_flag
            _text(""),  # schedule_delivery_time
            _text(message.validity),
            bytes([message.receipt, 0, message.data_coding, 0]),  # replace_if_present, sm_default_msg_id
            bytes([len(message.text)]),
            message.text,
            *(_OPTION.pack(tag, len(value)) + value for tag, value in message.options.items()),
        ]
    )


def read_short_message(body: bytes) -> ShortMessage:
    fields = _Fields(body)
    fields.text()
    source, destination = fields.address(), fields.address()
    esm_class, _, _ = fields.take(3)
    fields.text()
    validity = fields.text()
    receipt, _, data_coding, _, length = fields.take(5)
    return ShortMessage(
        source=source,
        destination=destination,
        esm_class=esm_class,
        validity=validity,
        receipt=receipt,
        data_coding=data_coding,
        text=fields.take(length),
        options=dict(fields.options()),
    )


def _text(text: str) -> bytes:
    """Raise ValueError for one that can't be such a field."""
    if "\0" in text:
        raise ValueError("a text ends at its first NUL")
    return text.encode("latin-1") + b"\0"


def _address(address: Address) -> bytes:
    return bytes([address.ton, address.npi]) + _text(address.number)


class _Fields:
    """A body, from its beginning to its end."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def take(self, count: int) -> bytes:
        found = self._body[self._at : self._at + count]
        if len(found) < count:
            raise Malformed("a field is cut off")
        self._at += count
        return found

    def text(self) -> str:
        end = self._body.find(0, self._at)
        if end < 0:  # it was the last, and its NUL was left out
            end = len(self._body)
        found = self._body[self._at : end]
        self._at = end + 1
        return found.decode("latin-1")

    def address(self) -> Address:
        ton, npi = self.take(2)
        return Address(ton, npi, self.text())

    def options(self) -> Iterator[tuple[int, bytes]]:
        while self._at < len(self._body):
            tag, length = _OPTION.unpack(self.take(_OPTION.size))
            yield tag, self.take(length)
