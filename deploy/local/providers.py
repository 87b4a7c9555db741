"""Who sends for notify where there is no Internet: the mailbox, as an SMTP server and as an SMS gateway."""

from __future__ import annotations

import json

from deploy.local.keys import Keys

# SMS go nowhere unless somebody says where to. Here all of them end in the mailbox, and the same few people log in all day.
_COUNTRIES = ["AU", "DE", "ES", "FR", "GB", "NZ", "TW", "US"]
_WIDE = ("number_per_hour", "number_per_day", "prefix_per_hour", "ip_per_hour", "person_per_hour", "person_per_day")
LIMITS = json.dumps({"countries": _COUNTRIES} | dict.fromkeys(_WIDE, 100_000))


def mailbox(keys: Keys, smtp: str, http: str) -> str:
    """As notify's setting wants it. `smtp` and `http` are where the mailbox listens, host and port."""
    sid, token = keys.sms_account()
    sender = "Staffgate <no-reply@staffgate.localhost>"
    return json.dumps(
        [
            {"kind": "smtp", "name": "mailbox", "url": f"smtp://{smtp}?tls=none", "sender": sender},
            {"kind": "twilio", "name": "mailbox-sms", "url": f"http://{sid}:{token}@{http}", "sender": "Staffgate"},
        ]
    )
