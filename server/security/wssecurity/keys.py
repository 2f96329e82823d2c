"""What is registered, and how the check asks for it. Nothing but these keys and secrets proves anything."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from server.security.wssecurity.references import KeyName

LEAST_RSA_BITS = 2048
MOST_RSA_BITS = 8192
"""An RSA key beyond it costs more to use than anybody needs."""

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisteredCertificate:
    """A certificate that somebody may sign with. `owner` is who that is, `credential_id` what was registered."""

    credential_id: str
    owner: str
    certificate: x509.Certificate
    key: PublicKey
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisteredSecret:
    """A machine's username and secret."""

    credential_id: str
    owner: str
    secret: bytes = field(repr=False)


class RegisteredKeys(Protocol):
    """The store of what is registered and not revoked, for one kind of caller."""

    def certificates(self, name: KeyName) -> Sequence[RegisteredCertificate]:
        """Give the certificates of a name, none or few. Their own dates are not looked at."""
        ...

    async def secret(self, username: str) -> RegisteredSecret | None:
        """Give the secret of a username."""
        ...


def registered(certificate: x509.Certificate, *, credential_id: str, owner: str) -> RegisteredCertificate:
    """Make a certificate ready for use. Raises ValueError, its text for people, for one that must not be used."""
    return RegisteredCertificate(
        credential_id=credential_id,
        owner=owner,
        certificate=certificate,
        key=usable_key(certificate),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )


def usable_key(certificate: x509.Certificate) -> PublicKey:
    """Give a certificate's key. Raises ValueError, its text for people, for a weak or unknown one."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and LEAST_RSA_BITS <= key.key_size <= MOST_RSA_BITS:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    raise ValueError(f"its key must be RSA of {LEAST_RSA_BITS} to {MOST_RSA_BITS} bits or ECDSA on P-256")
