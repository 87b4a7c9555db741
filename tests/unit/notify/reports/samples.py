"""One of each, `{id}` where our name for the message stands."""

from __future__ import annotations

from uuid import UUID

from services.notify.channels.tokens import Tokens

TOKENS = Tokens(bytes(32))  # as with the key of the tests

POSTFIX_UNKNOWN = """\
Return-Path: <>
Date: Sun, 22 Nov 2026 09:00:03 +0000 (UTC)
From: MAILER-DAEMON@mx.acme.example (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: bounces@staffgate.example
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="4F1A2B3C.1795338003/mx.acme.example"
Message-Id: <20261122090003.4F1A2B3C@mx.acme.example>

This is a MIME-encapsulated message.

--4F1A2B3C.1795338003/mx.acme.example
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

<jane@acme.example>: host mail.acme.example[203.0.113.9] said: 550 5.1.1
    <jane@acme.example>: Recipient address rejected: User unknown in local
    recipient table (in reply to RCPT TO command)

--4F1A2B3C.1795338003/mx.acme.example
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.acme.example
X-Postfix-Queue-ID: 4F1A2B3C
X-Postfix-Sender: rfc822; bounces@staffgate.example
Arrival-Date: Sun, 22 Nov 2026 09:00:01 +0000 (UTC)

Final-Recipient: rfc822; jane@acme.example
Original-Recipient: rfc822;jane@acme.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; mail.acme.example
Diagnostic-Code: smtp; 550 5.1.1 <jane@acme.example>: Recipient address
    rejected: User unknown in local recipient table

--4F1A2B3C.1795338003/mx.acme.example
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

Return-Path: <bounces@staffgate.example>
From: Staffgate <no-reply@staffgate.example>
To: jane@acme.example
Subject: Your login code
Message-ID: <{id}@staffgate.example>

--4F1A2B3C.1795338003/mx.acme.example--
"""

EXIM_FULL = """\
From: Mail Delivery System <Mailer-Daemon@mail.rebels.example>
To: bounces@staffgate.example
References: <{id}@staffgate.example>
Content-Type: multipart/report; report-type=delivery-status; boundary=1795338003-eximdsn-804289383
MIME-Version: 1.0
Subject: Mail delivery failed: returning message to sender
Message-Id: <E1abc-000-Xy@mail.rebels.example>

--1795338003-eximdsn-804289383
Content-type: text/plain; charset=us-ascii

A message that you sent could not be delivered to one or more of its recipients.

--1795338003-eximdsn-804289383
Content-type: message/delivery-status

Reporting-MTA: dns; mail.rebels.example

Action: failed
Final-Recipient: rfc822;luke@rebels.example
Status: 5.0.0
Remote-MTA: dns; imap.rebels.example
Diagnostic-Code: smtp; 552 5.2.2 <luke@rebels.example> Quota exceeded (mailbox for user is full)

--1795338003-eximdsn-804289383
Content-type: message/rfc822

Return-path: <bounces@staffgate.example>
From: Staffgate <no-reply@staffgate.example>
To: luke@rebels.example
Message-ID: <{id}@staffgate.example>
Content-Type: multipart/alternative; boundary="==inner=="

--==inner==
Content-Type: text/plain

Hello Luke

--==inner==--

--1795338003-eximdsn-804289383--
"""

EXCHANGE_UNKNOWN = """\
From: <postmaster@rebels.example>
To: <bounces@staffgate.example>
Date: Sun, 22 Nov 2026 09:00:03 +0000
Content-Type: multipart/report; report-type=delivery-status;
 boundary="6b8f1c2e-0b1d-4a3c-9a55-1f2e3d4c5b6a"
Content-Language: en-AU
Message-ID: <8c0d7d54-1111-4222-8333-94445555aaaa@rebels.example>
Subject: Undeliverable: Activate your account

--6b8f1c2e-0b1d-4a3c-9a55-1f2e3d4c5b6a
Content-Type: multipart/alternative; differences=Content-Type;
 boundary="c3d4e5f6-inner"

--c3d4e5f6-inner
Content-Type: text/plain; charset="us-ascii"
Content-Transfer-Encoding: quoted-printable

Delivery has failed to these recipients or groups:

--c3d4e5f6-inner--

--6b8f1c2e-0b1d-4a3c-9a55-1f2e3d4c5b6a
Content-Type: message/delivery-status

Reporting-MTA: dns;SY4P282MB1.AUSP282.PROD.OUTLOOK.COM
Received-From-MTA: dns;mx.staffgate.example

Final-Recipient: rfc822;han@rebels.example
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup

--6b8f1c2e-0b1d-4a3c-9a55-1f2e3d4c5b6a
Content-Type: message/rfc822

Received: from mx.staffgate.example (203.0.113.9)
From: Staffgate <no-reply@staffgate.example>
To: <han@rebels.example>
Message-ID: <{id}@staffgate.example>
Subject: Activate your account

Hello Han

--6b8f1c2e-0b1d-4a3c-9a55-1f2e3d4c5b6a--
"""

DELAYED = POSTFIX_UNKNOWN.replace("Action: failed", "Action: delayed").replace("Status: 5.1.1", "Status: 4.4.1")
GIVEN_UP = POSTFIX_UNKNOWN.replace("Status: 5.1.1", "Status: 4.4.1").replace("550 5.1.1", "450 4.4.1")
ARRIVED = POSTFIX_UNKNOWN.replace("Action: failed", "Action: delivered (to mailbox)").replace("5.1.1", "2.1.5")
RELAYED = POSTFIX_UNKNOWN.replace("Action: failed", "Action: relayed").replace("5.1.1", "2.0.0")
UNWANTED = POSTFIX_UNKNOWN.replace("5.1.1", "5.7.1")
FOR_TWO = POSTFIX_UNKNOWN.replace(
    "Final-Recipient: rfc822; jane",
    "Final-Recipient: rfc822; chewie@acme.example\nAction: delivered\nStatus: 2.1.5\n\nFinal-Recipient: rfc822; jane",
)

COMPLAINT = """\
From: <feedback@mailbox.example>
Date: Sun, 22 Nov 2026 10:00:00 +0000
Subject: FW: Your login code
To: <bounces@staffgate.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report;
     boundary="part1_13d.2e68ed54_boundary"

--part1_13d.2e68ed54_boundary
Content-Type: text/plain; charset="US-ASCII"
Content-Transfer-Encoding: 7bit

This is an email abuse report for an email message received from IP 203.0.113.9.

--part1_13d.2e68ed54_boundary
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: SomeGenerator/1.0
Version: 1

--part1_13d.2e68ed54_boundary
Content-Type: message/rfc822
Content-Disposition: inline

From: <no-reply@staffgate.example>
Received: from mailserver.staffgate.example (203.0.113.9)
To: <jane@mailbox.example>
Subject: Your login code
Message-ID: <{id}@staffgate.example>

Spam Spam Spam

--part1_13d.2e68ed54_boundary--
"""

HOLIDAY = """\
From: Jane <jane@acme.example>
To: bounces@staffgate.example
Subject: Out of office
In-Reply-To: <{id}@staffgate.example>
Auto-Submitted: auto-replied
Content-Type: text/plain

I am back on Monday.
"""

EVERY = {
    name: text for name, text in globals().items() if name.isupper() and isinstance(text, str)
}  # fmt: skip


def about(id: UUID | str, sample: str, *, lines: str = "\r\n") -> bytes:
    """As it comes over SMTP. Of a delivery, or with what stands there instead of its name."""
    return sample.replace("{id}", id if isinstance(id, str) else TOKENS.name(id)).replace("\n", lines).encode()
