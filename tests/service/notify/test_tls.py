"""TLS is required, verified, and there is no way back to plain text."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.notify.channels.email import SmtpProvider
from services.notify.channels.port import Deferred, Outgoing
from tests.service.notify.conftest import Mailbox, smtp_server
from tests.unit.notify.reports.samples import TOKENS

MESSAGE = Outgoing(
    id=UUID("01990000-0000-7000-8000-000000000001"),
    to="jane@acme.example",
    subject="Hello",
    text="text",
    html="<p>text</p>",
    sent_at=datetime(2026, 11, 22, 9, 0, tzinfo=UTC),
)


class Certificate:
    """Self-signed, for the address that the tests connect to or for another."""

    def __init__(self, folder: Path, name: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(name))]), critical=False)
            .sign(key, hashes.SHA256())
        )
        self.path = folder / "server.pem"
        pem = serialization.Encoding.PEM
        private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        self.path.write_bytes(private + certificate.public_bytes(pem))

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path)
        return context

    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.path))


async def send(url: str, context: ssl.SSLContext | None = None) -> str:
    channel = SmtpProvider("mail", url, "Staffgate <no-reply@staffgate.example>", TOKENS, tls_context=context)
    async with channel.opened():
        return (await channel.send(MESSAGE)).answer


@pytest.mark.checklist("N09")
async def test_starttls_with_a_certificate_that_holds(tmp_path: Path) -> None:
    certificate, mailbox = Certificate(tmp_path, "127.0.0.1"), Mailbox()
    async with smtp_server(mailbox, tls_context=certificate.server(), require_starttls=True) as port:
        assert (await send(f"smtp://127.0.0.1:{port}", certificate.client())).startswith("250 ")
    assert len(mailbox.mails) == 1


@pytest.mark.checklist("N09")
async def test_a_login_goes_over_tls(tmp_path: Path) -> None:
    certificate, mailbox = Certificate(tmp_path, "127.0.0.1"), Mailbox()

    def check(_server: object, session: object, _envelope: object, _mechanism: str, data: LoginPassword) -> AuthResult:
        assert getattr(session, "ssl", None)
        return AuthResult(success=(data.login, data.password) == (b"us@er", b"p:w"), handled=False)

    tls = certificate.server()
    async with smtp_server(mailbox, tls_context=tls, authenticator=check, auth_required=True) as port:
        await send(f"smtp://us%40er:p%3Aw@127.0.0.1:{port}", certificate.client())
        with pytest.raises(Deferred, match="535"):  # not the message's fault
            await send(f"smtp://us%40er:wrong@127.0.0.1:{port}", certificate.client())
    assert len(mailbox.mails) == 1


@pytest.mark.checklist("N09")
@pytest.mark.parametrize("trusted", [True, False])
async def test_a_certificate_that_does_not_hold_ends_it(tmp_path: Path, trusted: bool) -> None:
    """Not signed by anybody we know; or known, and somebody else's."""
    certificate, mailbox = Certificate(tmp_path, "127.0.0.9" if trusted else "127.0.0.1"), Mailbox()
    async with smtp_server(mailbox, tls_context=certificate.server()) as port:
        with pytest.raises(Deferred, match="no connection"):
            await send(f"smtp://127.0.0.1:{port}", certificate.client() if trusted else None)
    assert not mailbox.tried


@pytest.mark.checklist("N09")
async def test_a_server_without_starttls_gets_nothing() -> None:
    """As somebody between us and the server would have it."""
    mailbox = Mailbox()
    async with smtp_server(mailbox) as port:
        with pytest.raises(Deferred, match="STARTTLS"):
            await send(f"smtp://127.0.0.1:{port}")
    assert not mailbox.tried


@pytest.mark.checklist("N09")
async def test_plain_text_has_to_be_asked_for() -> None:
    mailbox = Mailbox()
    async with smtp_server(mailbox) as port:
        await send(f"smtp://127.0.0.1:{port}?tls=none")
    assert len(mailbox.mails) == 1


async def test_a_server_that_went_away_is_reached_again_when_it_is_back() -> None:
    mailbox = Mailbox()
    async with smtp_server(mailbox) as port:
        channel = SmtpProvider("mail", f"smtp://127.0.0.1:{port}?tls=none", "no-reply@staffgate.example", TOKENS)
        await channel.send(MESSAGE)
    with pytest.raises(Deferred):
        await channel.send(MESSAGE)
    async with channel.opened(), smtp_server(mailbox, port=port):
        await channel.send(MESSAGE)
    assert len(mailbox.mails) == 2
