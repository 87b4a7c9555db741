from __future__ import annotations

import pytest

from services.notify.app import Settings
from shared.settings import BadSettings, load

GOOD = {
    "NOTIFY_DATABASE_URL": "postgresql://notify@127.0.0.1/notify",
    "NOTIFY_HTTP_PORT": "8003",
    "NOTIFY_IDENTITY_URL": "http://127.0.0.1:8001",
    "NOTIFY_CLIENT_SECRET": "secret",
    "NOTIFY_SEAL_KEY": "{}",
    "NOTIFY_SMTP_URL": "smtp://127.0.0.1:2525?tls=none",
    "NOTIFY_MAIL_FROM": "Staffgate <no-reply@acme.example>",
    "NOTIFY_SMS_URL": "http://AC1:secret@127.0.0.1:8090",
    "NOTIFY_SMS_FROM": "Staffgate",
}


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"NOTIFY_SMTP_URL": "smtps://user:p%40ss@mail.acme.example:465"},
        {"NOTIFY_SMTP_URL": "smtp://user:pw@mail.acme.example:587?tls=starttls"},
        {"NOTIFY_SMTP_URL": "smtp://[::1]:25?tls=none"},
        {"NOTIFY_MAIL_FROM": "no-reply@acme.example"},
        {"NOTIFY_SMS_URL": "https://AC1:secret@sms.acme.example/gateway"},
    ],
)
def test_good_settings(changed: dict[str, str]) -> None:
    assert load(Settings, "notify", GOOD | changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"NOTIFY_SMTP_URL": "mail.acme.example"},
        {"NOTIFY_SMTP_URL": "smtp://mail.acme.example?tls=maybe"},
        {"NOTIFY_SMTP_URL": "smtp://user:pw@mail.acme.example:25?tls=none"},  # a password in clear
        {"NOTIFY_SMTP_URL": "smtps://mail.acme.example?tls=none"},
        {"NOTIFY_MAIL_FROM": "nobody"},
        {"NOTIFY_MAIL_FROM": "a@b.example\r\nBcc: c@d.example"},
        {"NOTIFY_SMS_URL": "https://sms.acme.example"},
    ],
)
def test_bad_settings_are_named(changed: dict[str, str]) -> None:
    with pytest.raises(BadSettings, match=next(iter(changed))):
        load(Settings, "notify", GOOD | changed)
