"""What proves to a service who is calling. Another kind is any object with a method `applied`."""

import secrets
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, Self

from soap.client import Request
from soap.signing import NONCE_BYTES, MessageSigner, with_digest, with_password


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Credential(Protocol):
    """Puts a proof of identity into a request. Asked again for every attempt, so that a nonce is never sent twice."""

    def applied(self, request: Request) -> Request:
        """Give the request with the proof in it."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ApiKey:
    """An API key as `Authorization: Bearer` (RFC 6750)."""

    key: str = field(repr=False)

    def applied(self, request: Request) -> Request:
        """Add the Authorization field."""
        return replace(request, headers={**request.headers, "Authorization": f"Bearer {self.key}"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Basic:
    """A shop's name and its API key as HTTP Basic (RFC 7617)."""

    name: str
    key: str = field(repr=False)

    def applied(self, request: Request) -> Request:
        """Add the Authorization field."""
        told = b64encode(f"{self.name}:{self.key}".encode()).decode("ascii")
        return replace(request, headers={**request.headers, "Authorization": f"Basic {told}"})


@dataclass(frozen=True, kw_only=True, slots=True)
class UsernameToken:
    """A username and its secret, as `opendepot shop add-username` gives them, by WS-Security.

    As a digest, which proves the secret and does not hold it; with `digest=False` the secret itself is sent, which the
    server takes over TLS alone. The clock must not be wrong by more than the server forgives (a minute).
    """

    username: str
    secret: str = field(repr=False)
    digest: bool = True
    clock: Callable[[], datetime] = _utc_now
    random: Callable[[int], bytes] = secrets.token_bytes

    def applied(self, request: Request) -> Request:
        """Add the header block."""
        if not self.digest:
            return replace(request, body=with_password(request.body, username=self.username, secret=self.secret))
        nonce, now = self.random(NONCE_BYTES), self.clock()
        body = with_digest(request.body, username=self.username, secret=self.secret, nonce=nonce, now=now)
        return replace(request, body=body)


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """A signature over every message by an X.509 key, as `opendepot shop add-certificate` registers it."""

    signer: MessageSigner = field(repr=False)

    @classmethod
    def read(
        cls,
        certificate: Path,
        key: Path,
        *,
        lifetime_seconds: float = 300,
        clock: Callable[[], datetime] = _utc_now,
    ) -> Self:
        """Read PEM files: an RSA key, or one on P-256, not encrypted.

        A message is taken until `lifetime_seconds` after it was signed. Raises OSError, `soap.signing.SigningKeyWrong`.
        """
        return cls(
            signer=MessageSigner(
                certificate_pem=certificate.read_bytes(),
                key_pem=key.read_bytes(),
                lifetime_seconds=lifetime_seconds,
                clock=clock,
            )
        )

    def applied(self, request: Request) -> Request:
        """Sign the message."""
        return replace(request, body=self.signer.sign(request.body))


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvelopeHook:
    """A place for what else shall stand in a message: `secured` takes the envelope and gives the one to send."""

    secured: Callable[[bytes], bytes] = field(repr=False)

    def applied(self, request: Request) -> Request:
        """Send what the hook made of the envelope."""
        return replace(request, body=self.secured(request.body))
