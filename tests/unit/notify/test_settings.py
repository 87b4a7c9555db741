from __future__ import annotations

import json

import pytest

from services.notify.provider.settings import read
from services.notify.settings import Settings
from shared.settings import load

GOOD = {
    "NOTIFY_DATABASE_URL": "postgresql://notify@127.0.0.1/notify",
    "NOTIFY_HTTP_PORT": "8003",
    "NOTIFY_IDENTITY_URL": "http://127.0.0.1:8001",
    "NOTIFY_CLIENT_SECRET": "secret",
    "NOTIFY_SEAL_KEY": "{}",
    "NOTIFY_ADDRESS_KEY": "AAAA",
    "NOTIFY_PROVIDERS": "[]",
}
SMTP = {
    "kind": "smtp",
    "name": "mail",
    "url": "smtp://127.0.0.1:2525?tls=none",
    "sender": "Acme <no-reply@acme.example>",
}
TWILIO = {"kind": "twilio", "name": "sms", "url": "http://AC1:secret@127.0.0.1:8090", "sender": "Staffgate"}


def test_settings() -> None:
    assert load(Settings, "notify", GOOD)


@pytest.mark.parametrize(
    "changed",
    [
        SMTP,
        SMTP | {"url": "smtps://user:p%40ss@mail.acme.example:465"},
        SMTP | {"url": "smtp://user:pw@mail.acme.example:587?tls=starttls"},
        SMTP | {"url": "smtp://[::1]:25?tls=none"},
        SMTP | {"sender": "no-reply@acme.example"},
        TWILIO | {"url": "https://AC1:secret@sms.acme.example/gateway"},
        TWILIO | {"countries": ["AU", "NZ"], "price": 45_000, "prices": {"NZ": 60_000}},
    ],
)
def test_good_providers(changed: dict[str, object]) -> None:
    assert read(json.dumps([changed]))


@pytest.mark.parametrize(
    "changed",
    [
        SMTP | {"url": "mail.acme.example"},
        SMTP | {"url": "smtp://mail.acme.example?tls=maybe"},
        SMTP | {"url": "smtp://user:pw@mail.acme.example:25?tls=none"},  # a password in clear
        SMTP | {"url": "smtps://mail.acme.example?tls=none"},
        SMTP | {"sender": "nobody"},
        SMTP | {"sender": "a@b.example\r\nBcc: c@d.example"},
        SMTP | {"name": "Mail server"},
        SMTP | {"kind": "pigeon"},
        SMTP | {"colour": "blue"},
        TWILIO | {"url": "https://sms.acme.example"},
        TWILIO | {"url": "http://AC1:secret@sms.acme.example"},  # a password in clear
        TWILIO | {"countries": ["Australia"]},
        TWILIO | {"price": -1},
    ],
)
def test_bad_providers(changed: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\$|Invalid"):
        read(json.dumps([changed]))


def test_two_of_one_name() -> None:
    with pytest.raises(ValueError, match="one name"):
        read(json.dumps([SMTP, TWILIO | {"name": "mail"}]))
