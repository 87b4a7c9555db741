"""The operator's list of endpoints."""

from __future__ import annotations

import json

import pytest

from services.notify.webhook.endpoints import read, wanting
from shared.bus.topology import NOTIFY_WEBHOOKS

ONE: dict[str, object] = {
    "name": "sms-inbox",
    "url": "https://inbox.acme.example/hooks",
    "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    "events": ["identity.staff.suspended.v1", "identity.staff.deleted.v1"],
}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"url": "https://inbox.acme.example:8443/hooks?for=staffgate"},
        {"url": "https://[2001:db8::1]/"},
        {"url": "http://localhost:8090/hooks"},
        {"url": "http://127.0.0.1:8090"},
        {"url": "http://[::1]:8090/"},
        {"secrets": [SECRET, "whsec_c2VjcmV0IG9mIHRoaXJ0eS10d28gYnl0ZXMgbG9uZyE="]},
        {"events": ["*"]},
        {"events": list(NOTIFY_WEBHOOKS.types)},
    ],
)
def test_good_ones(changed: dict[str, object]) -> None:
    assert read(json.dumps([ONE | changed]))


def test_there_need_not_be_any() -> None:
    assert read("") == read("[]") == []


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "SMS inbox"},
        {"url": "http://inbox.acme.example/hooks"},  # in clear
        {"url": "http://localhost.acme.example/"},
        {"url": "http://127.0.0.1@acme.example/"},
        {"url": "https://user:password@inbox.acme.example/"},
        {"url": "https://inbox.acme.example/ hooks"},
        {"url": "https://inbox.acme.example/#part"},
        {"url": "ftp://inbox.acme.example/"},
        {"secrets": []},
        {"secrets": ["secret"]},
        {"secrets": ["whsec_c2hvcnQ="]},
        {"events": []},
        {"events": ["identity.code.issued.v1"]},  # sealed to notify: nobody's business
        {"events": ["identity.staff.*"]},
        {"colour": "blue"},
    ],
)
def test_bad_ones_are_said_at_the_start(changed: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(json.dumps([ONE | changed]))


@pytest.mark.checklist("N10")
@pytest.mark.parametrize("secret", ["whsec_canary", "canary" * 5, "whsec_" + "canary+/" * 20])
def test_what_is_said_of_a_bad_secret_is_not_the_secret(secret: str) -> None:
    with pytest.raises(ValueError, match="sms-inbox") as fault:
        read(json.dumps([ONE | {"secrets": [secret]}]))
    assert "canary" not in str(fault.value)


@pytest.mark.parametrize("text", ["{}", "nonsense", '[{"name": "sms-inbox"}]'])
def test_what_is_no_such_list(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(text)


def test_who_sent_a_delivery_is_told_by_its_name_alone() -> None:
    with pytest.raises(ValueError, match="one name"):
        read(json.dumps([ONE, ONE]))
    with pytest.raises(ValueError, match="one name"):
        read(json.dumps([ONE]), taken=["mail", "sms-inbox"])


def test_each_hears_what_it_wants() -> None:
    everything = ONE | {"name": "archive", "events": ["*"]}
    endpoints = read(json.dumps([ONE, everything]))
    assert wanting(endpoints, "identity.staff.deleted.v1") == ["sms-inbox", "archive"]
    assert wanting(endpoints, "identity.staff.added.v1") == ["archive"]
