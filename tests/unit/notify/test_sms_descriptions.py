"""SMS providers as an operator describes them, and what is said at start about a description that can't be meant."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.channels.http import HttpProvider
from services.notify.channels.placeholders import filled, named
from services.notify.channels.pointer import found
from services.notify.channels.port import Told
from services.notify.channels.smpp.pdu import Address
from services.notify.channels.smpp.provider import SmppProvider
from services.notify.channels.twilio import TwilioProvider
from services.notify.provider.opening import provider
from services.notify.provider.settings import Settings, read
from tests.unit.notify.reports.samples import TOKENS

PUBLIC = "https://notify.acme.example/"
HTTP = {
    "kind": "http",
    "name": "sms",
    "url": "https://sms.acme.example/v1/messages",
    "headers": {"Authorization": "Bearer the-secret"},
    "json": {"to": ["{to}"], "content": {"text": "{text}", "type": "text"}, "ref": "{id}"},
}
SMPP = {"kind": "smpp", "name": "smsc", "host": "smsc.acme.example", "port": 3550, "system_id": "acme", "password": "s3cret", "sender": "Staffgate"}  # fmt: skip
TWILIO = {"kind": "twilio", "name": "sms", "url": "https://AC1:secret@sms.acme.example", "sender": "Staffgate"}
BY_FORM = {name: value for name, value in HTTP.items() if name != "json"} | {
    "form": {"to": "{digits}", "text": "{text}"}
}


async def tell(_told: Told) -> None: ...


def one(settings: dict[str, Any]) -> Settings:
    (read_back,) = read(json.dumps([settings]))
    return read_back


@pytest.mark.parametrize(
    "settings",
    [
        HTTP,
        BY_FORM,
        HTTP | {"url": "http://127.0.0.1:8080/send?version=2", "method": "PUT"},
        HTTP | {"accepted": {"statuses": [200], "at": "/messages/0/status", "values": ["0"]}, "reference_at": "/id"},
        HTTP | {"code_at": "/error/code", "permanent": ["21610"], "idempotency_header": "Idempotency-Key"},
        HTTP | {"json": {"text": "{from}: {text}", "to": "{to}"}, "sender": "+61 400 111 111"},
        SMPP,
        SMPP | {"host": "2001:db8::7", "tls": False, "system_type": "VMA", "window": 50, "source_ton": 0},
        SMPP | {"receipt_ids": "decimal", "permanent": [1025], "dead_numbers": ["001"], "long_messages": "payload"},
        TWILIO | {"sender": "MG0123456789abcdef0123456789ABCDEF", "idempotency_header": "Idempotency-Key"},
        TWILIO | {"sender": "12345"},
    ],
)
def test_good_descriptions(settings: dict[str, Any]) -> None:
    assert provider(one(settings), PUBLIC, tell, TOKENS).channel == "sms"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (HTTP | {"url": "http://sms.acme.example/"}, "url"),  # secrets in clear
        (HTTP | {"url": "https://user:pw@sms.acme.example/"}, "url"),
        (HTTP | {"url": "https://sms.acme.example/{to}"}, "url"),  # proxies write addresses down
        (HTTP | {"method": "GET"}, "method"),
        (HTTP | {"form": {"to": "{to}", "text": "{text}"}}, "either `json` or `form`"),
        (HTTP | {"json": None}, "either `json` or `form`"),
        (HTTP | {"json": {"to": "{to}"}}, r"lacks \{text\}"),
        (HTTP | {"json": {"text": "{text}"}}, r"lacks \{text\}"),
        (HTTP | {"json": {"to": "{to}", "text": "{txet}"}}, r"\{txet\}"),
        (HTTP | {"headers": {"X-Ref": "{identity}"}}, r"\{identity\}"),
        (HTTP | {"headers": {"X-Text": "{text}"}}, "header"),
        (HTTP | {"headers": {"Authorization": "Bearer x\r\nX-Evil: y"}}, "headers"),
        (HTTP | {"headers": {"Authorization": "Bearer x\n"}}, "headers"),
        (HTTP | {"headers": {"Content-Length": "3"}}, "header"),
        (HTTP | {"headers": {"No: name": "x"}}, "headers"),
        (HTTP | {"json": {"to": "{to}", "text": "{text}", "from": "{from}"}}, "sender"),
        (HTTP | {"accepted": {"statuses": []}}, "statuses"),
        (HTTP | {"accepted": {"statuses": [302]}}, "accepted"),
        (HTTP | {"accepted": {"at": "/status"}}, "values"),
        (HTTP | {"accepted": {"at": "messages.0.status", "values": ["0"]}}, "at"),
        (HTTP | {"permanent": ["21610"]}, "code_at"),
        (HTTP | {"sender": "A name that is too long"}, "sender"),
        (HTTP | {"colour": "blue"}, "colour"),
        (SMPP | {"port": 0}, "port"),
        (SMPP | {"host": "smpp://smsc.acme.example"}, "host"),
        (SMPP | {"system_id": "longer than 15 letters"}, "system_id"),
        (SMPP | {"password": ""} | {"system_id": ""}, "system_id"),
        (SMPP | {"window": 0}, "window"),
        (SMPP | {"source_ton": 256}, "source_ton"),
        (SMPP | {"receipt_ids": "octal"}, "receipt_ids"),
        (SMPP | {"sender": "MG0123456789abcdef0123456789abcdef"}, "sender"),
        (TWILIO | {"sender": "Staffgate\r\nX: y"}, "sender"),
        (TWILIO | {"sender": "no reply to this"}, "sender"),
    ],
)
def test_bad_descriptions_are_refused_by_name(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read(json.dumps([settings]))


# --- what providers are given ---------------------------------------------------------------------------------


def test_receipts_are_asked_for_where_they_can_be_believed() -> None:
    """Twilio signs with the account's token, a described provider with the secret that both have."""
    asking = HTTP | {"json": {"to": "{to}", "text": "{text}", "callback": "{receipts}"}}
    twilio, described = (
        provider(one(TWILIO), PUBLIC, tell, TOKENS),
        provider(one(asking | {"receipts_secret": "s"}), PUBLIC, tell, TOKENS),
    )
    assert isinstance(twilio, TwilioProvider)
    assert isinstance(described, HttpProvider)
    assert twilio._receipts == described._receipts == "https://notify.acme.example/v1/receipts/sms"
    nobody_asks = provider(one(TWILIO), "", tell, TOKENS)
    assert isinstance(nobody_asks, TwilioProvider)
    assert not nobody_asks._receipts
    for settings, public_url in ((asking, PUBLIC), (asking | {"receipts_secret": "s"}, "")):
        with pytest.raises(ValueError, match="receipts_secret"):
            provider(one(settings), public_url, tell, TOKENS)


@pytest.mark.parametrize(
    ("changed", "address"),
    [
        ({"sender": "Staffgate"}, Address(5, 0, "Staffgate")),
        ({"sender": "+61 400 111 111"}, Address(1, 1, "61400111111")),
        ({"sender": "12345"}, Address(3, 0, "12345")),
        ({"sender": "61400111111", "source_ton": 2, "source_npi": 8}, Address(2, 8, "61400111111")),
    ],
)
def test_who_a_message_is_from(changed: dict[str, Any], address: Address) -> None:
    opened = provider(one(SMPP | changed), PUBLIC, tell, TOKENS)
    assert isinstance(opened, SmppProvider)
    assert opened._source == address


# --- placeholders and pointers --------------------------------------------------------------------------------


def test_what_was_filled_in_is_not_looked_at_again() -> None:
    template = {"a": ["{text}", 7, None, True], "{text}": "{to} says {text}"}
    assert sorted(named(template)) == ["text", "text", "to"]
    assert filled(template, {"text": 'x", "to": "{to}', "to": "+61"}) == {
        "a": ['x", "to": "{to}', 7, None, True],
        "{text}": '+61 says x", "to": "{to}',
    }


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=9,
)


@given(DOCUMENTS, st.text(st.sampled_from("{}textoidfr\"'"), max_size=30))
def test_filling_in_changes_texts_only(document: object, text: str) -> None:
    template = {"open": document, "text": "{text}"}
    if set(named(template)) - {"text", "to", "id"}:
        return
    result = filled(template, {"text": text, "to": "to", "id": "id"})
    assert result["text"] == text
    assert type(result["open"]) is type(document)


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/messages/0/status", "0"),
        ("/messages/1/status", None),
        ("/messages/00/status", None),
        ("/messages/-1", None),
        ("/messages/٠/status", None),
        ("/messages/0", None),
        ("/ok", "true"),
        ("/a~1b", "slash"),
        ("/m~0n", "tilde"),
        ("/empty", None),
        ("/nothing", None),
        ("/half", None),
        ("/ok/further", None),
    ],
)
def test_one_value_of_a_document(pointer: str, value: str | None) -> None:
    document = {
        "messages": [{"status": 0}], "ok": True, "a/b": "slash", "m~n": "tilde", "empty": "", "nothing": None, "half": 0.5,
    }  # fmt: skip
    assert found(document, pointer) == value


@given(DOCUMENTS, st.text(st.sampled_from("/~01ab-"), max_size=12))
def test_no_document_is_more_than_nothing_found(document: object, pointer: str) -> None:
    value = found(document, pointer)
    assert value is None or value
