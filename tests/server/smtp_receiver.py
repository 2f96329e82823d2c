"""An SMTP server on a real socket of the loopback, with STARTTLS or TLS from the start, and login."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "depot", "correct horse"


def made_certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """An own certificate for 127.0.0.1: the file for clients, the context for the server."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "smtp.pem", folder / "smtp-key.pem"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return public, context


@dataclass(frozen=True)
class Arrived:
    """A mail that was taken, with its envelope."""

    sender: str
    recipients: list[str]
    content: bytes
    secure: bool
    user: str | None

    @property
    def message(self) -> EmailMessage:
        message = message_from_bytes(self.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        return message


@dataclass
class SmtpReceiver:
    """What arrived; `rcpt` and `data` decide the answers, and may wait. A mail that gets no 2xx counts as `refused`."""

    port: int = 0
    arrived: list[Arrived] = field(default_factory=list)
    refused: int = 0
    rcpt: Callable[[str], Any] = lambda _: "250 2.1.5 ok"
    data: Callable[[Arrived], Any] = lambda _: "250 2.0.0 taken"
    came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def handle_RCPT(  # noqa: N802  the library's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, _: Any
    ) -> str:
        answer = self.rcpt(address)
        answer = await answer if asyncio.iscoroutine(answer) else answer
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return str(answer)

    async def handle_DATA(  # noqa: N802  as above
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.original_content, bytes)
        user = session.auth_data
        mail = Arrived(
            sender=envelope.mail_from or "",
            recipients=list(envelope.rcpt_tos),
            content=envelope.original_content,
            secure=session.ssl is not None,
            user=user.login.decode() if isinstance(user, LoginPassword) else None,
        )
        self.arrived.append(mail)
        async with self.came:
            self.came.notify_all()
        answer = self.data(mail)
        answer = await answer if asyncio.iscoroutine(answer) else answer
        self.refused += not answer.startswith("2")
        return str(answer)

    async def count(self, number: int, seconds: float = 20) -> None:
        """Wait until so many have arrived."""
        async with asyncio.timeout(seconds), self.came:
            await self.came.wait_for(lambda: len(self.arrived) >= number)


def _authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    good = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=good, auth_data=data if good else None, handled=False)


@asynccontextmanager
async def smtp_started(
    receiver: SmtpReceiver, *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[SmtpReceiver]:
    """Listen on a free port of the loopback until the block ends."""
    loop = asyncio.get_running_loop()

    def protocol() -> SMTP:
        return SMTP(
            receiver,
            hostname="localhost",
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=_authenticate,
            auth_require_tls=tls is None,
            loop=loop,
        )

    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
