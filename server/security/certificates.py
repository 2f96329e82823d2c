"""The certificates of shops: which shop one is of, whether it came by TLS, from a proxy, or signed a message.

A shop registers a certificate itself (pinned by its SHA-256 fingerprint), or the authority that certifies it alone. The
key is always taken from here, never from what a caller sent beside it.
"""

import binascii
import hashlib
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from server.security.proofs import Proof, ProofKind
from storage.records import Credential, Shop

MOST_REMEMBERED = 10_000
LONGEST_HEADER = 16 * 1024


class CertificateUnreadable(ValueError):
    """Bytes or a header that hold no certificate. The message says what was expected."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Registered:
    """A certificate that a shop has registered, or one that a shop's authority has issued."""

    certificate: x509.Certificate
    credential: Credential
    shop: Shop

    def holds(self, now: datetime) -> bool:
        """Whether the certificate and its registration hold at a time."""
        return self.credential.holds(now) and _valid_at(self.certificate, now)


class CertificateStore:
    """All that hold, as one immutable state. `find` may be asked from one event loop."""

    def __init__(self, registered: Iterable[Registered] = ()) -> None:
        pinned: dict[bytes, Registered] = {}
        authorities: list[Registered] = []
        for one in registered:
            if one.credential.kind == "authority":
                authorities.append(one)
            else:
                pinned[fingerprint(one.certificate.public_bytes(Encoding.DER))] = one
        self.pinned: Mapping[bytes, Registered] = pinned
        self.authorities = tuple(authorities)
        self._issued: dict[bytes, Registered | None] = {}

    def find(self, der: bytes) -> Registered | None:
        """Give what a certificate is registered as, itself or by its issuer, whether it holds now or not."""
        mark = fingerprint(der)
        pinned = self.pinned.get(mark)
        if pinned is not None or not self.authorities:
            return pinned
        if mark not in self._issued:
            if len(self._issued) >= MOST_REMEMBERED:
                self._issued.clear()
            self._issued[mark] = self._by_issuer(der)
        return self._issued[mark]

    def prove(self, der: bytes, *, now: datetime) -> Proof | None:
        """Give what a certificate of a TLS connection proves, None for one that is foreign or does not hold now."""
        found = self.find(der)
        if found is None or not found.holds(now):
            return None
        return Proof(kind=ProofKind.CERTIFICATE, shop=found.shop, credential_id=found.credential.credential_id)

    def anchors(self) -> tuple[bytes, ...]:
        """Give what a TLS listener must take as certified (DER), so that the handshake lets these clients in."""
        found = (*self.pinned.values(), *self.authorities)
        return tuple(one.certificate.public_bytes(Encoding.DER) for one in found)

    def _by_issuer(self, der: bytes) -> Registered | None:
        try:
            certificate = read_der(der)
        except CertificateUnreadable:
            return None
        for authority in self.authorities:
            if _issued_by(certificate, authority.certificate) and _for_clients(certificate):
                return Registered(certificate=certificate, credential=authority.credential, shop=authority.shop)
        return None


def store_of(credentials: Iterable[Credential], shops: Iterable[Shop]) -> CertificateStore:
    """Make the store of what the database holds."""
    by_id = {shop.shop_id: shop for shop in shops if shop.active}
    return CertificateStore(
        Registered(certificate=read_der(one.material), credential=one, shop=by_id[one.shop_id])
        for one in credentials
        if one.material is not None and one.shop_id in by_id
    )


def fingerprint(der: bytes) -> bytes:
    """Give the SHA-256 fingerprint of a certificate."""
    return hashlib.sha256(der).digest()


def read_der(der: bytes) -> x509.Certificate:
    """Read a certificate. Raises CertificateUnreadable."""
    try:
        return x509.load_der_x509_certificate(der)
    except ValueError:
        raise CertificateUnreadable("this is no X.509 certificate in DER") from None


def read_pem(pem: bytes) -> x509.Certificate:
    """Read the first certificate of a PEM text. Raises CertificateUnreadable."""
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise CertificateUnreadable("this is no X.509 certificate in PEM; it begins with -----BEGIN") from None


def read_forwarded(header: str) -> bytes:
    """Give the certificate (DER) that a proxy has written into a header, in one of three forms.

    `:...:` with Base64 of DER (RFC 9440, section 2.2), PEM with percent signs (nginx), Base64 of DER (HAProxy). Raises
    CertificateUnreadable.
    """
    text = header.strip()
    if len(text) > LONGEST_HEADER:
        raise CertificateUnreadable("the header of the proxy is too long for one certificate")
    if "BEGIN" in text:
        return read_pem(unquote_to_bytes(text)).public_bytes(Encoding.DER)
    try:
        der = b64decode(text[1:-1] if len(text) > 1 and text[0] == text[-1] == ":" else text, validate=True)
    except binascii.Error:
        raise CertificateUnreadable("the header of the proxy is neither Base64 nor PEM with percent signs") from None
    return read_der(der).public_bytes(Encoding.DER)


def _valid_at(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _for_clients(certificate: x509.Certificate) -> bool:
    """Whether a certificate may prove a client: it certifies nobody, and where it names uses, this is one."""
    try:
        extensions = certificate.extensions
        if extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
    except x509.ExtensionNotFound:
        pass  # without the extension a certificate is no authority (RFC 5280, section 4.2.1.9)
    except ValueError:
        return False
    try:
        uses = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return ExtendedKeyUsageOID.CLIENT_AUTH in uses
