"""The Firm Security Box: what signs for a vendor's firm codes (design, section 6)."""

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from cryptography.x509.oid import NameOID

from containers.canonical import firm_code as firm_code_text
from containers.canonical import whole_second
from containers.certificates import firm_code_uri
from containers.model import ContainerError
from containers.signatures import sign_raw

Random = Callable[[int], bytes]
"""A source of that many random bytes."""


class FirmSecurityBox(Protocol):
    """Signs for firm codes, and shows the certificate that a container checks the signature with.

    `waits`: signing waits for a device or another process, so that an event loop must not do it itself. Both methods
    may be called from several threads at once.
    """

    @property
    def waits(self) -> bool:
        """Whether signing waits for something outside this process."""
        ...

    def certificate(self, firm_code: int) -> bytes:
        """Return the certificate (DER) that binds the signing key to the firm code, always the same bytes."""
        ...

    def sign(self, firm_code: int, data: bytes) -> bytes:
        """Return the ECDSA signature (P-256, SHA-256) over `data`: r and s, 32 bytes each, big-endian."""
        ...


class SoftwareBox:
    """A Firm Security Box whose keys are in memory: a root that certifies, and one signing key for all firm codes.

    The certificate of a firm code is minted when it is asked for, and comes out the same in each process and each time:
    its signature is deterministic (RFC 6979), its serial number is a hash, and its dates are the root's.
    """

    waits = False

    def __init__(
        self, *, root_key: ec.EllipticCurvePrivateKey, root: x509.Certificate, key: ec.EllipticCurvePrivateKey
    ) -> None:
        self._root_key = root_key
        self._root = root
        self._key = key
        self._minted: dict[int, bytes] = {}

    @classmethod
    def create(cls, *, now: datetime, random: Random) -> "SoftwareBox":
        """Return a new box. Its root certificate is valid for 20 years, from the day before `now` (aware)."""
        root_key = ec.generate_private_key(ec.SECP256R1())
        root = _root_certificate(root_key, now=now, number=int.from_bytes(random(19), "big") | 1 << 150)
        return cls(root_key=root_key, root=root, key=ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def open(cls, sealed: bytes, *, sealing_key: bytes) -> "SoftwareBox":
        """Return the box that `seal` wrote.

        Raises ContainerError `BoxSealWrong` for another key (32 bytes) and for bytes that were changed.
        """
        content = json.loads(_unseal(sealed, sealing_key=sealing_key))
        return cls(
            root_key=_private_key(content["rootKey"]),
            root=x509.load_der_x509_certificate(b64decode(content["root"])),
            key=_private_key(content["key"]),
        )

    def seal(self, sealing_key: bytes, *, random: Random) -> bytes:
        """Return the box encrypted with the sealing key (32 bytes), to be kept in a file.

        Raises ContainerError `BoxSealWrong` for a key of another length.
        """
        content = {
            "rootKey": _private_text(self._root_key),
            "root": b64encode(self._root.public_bytes(Encoding.DER)).decode("ascii"),
            "key": _private_text(self._key),
        }
        return _seal(json.dumps(content).encode(), sealing_key=sealing_key, random=random)

    @property
    def root_certificate_pem(self) -> bytes:
        """The root certificate, the one thing that containers must have to trust this box."""
        return self._root.public_bytes(Encoding.PEM)

    def certificate(self, firm_code: int) -> bytes:
        """Return the certificate (DER) of a firm code.

        Raises ContainerError `ValueWrong` for what is no firm code.
        """
        minted = self._minted.get(firm_code)
        if minted is None:
            minted = self._minted[firm_code] = self._mint(firm_code)
        return minted

    def sign(self, firm_code: int, data: bytes) -> bytes:
        """Return r and s over `data`. Deterministic, and the same key for each firm code."""
        firm_code_text(firm_code)
        return sign_raw(self._key, data)

    def _mint(self, firm_code: int) -> bytes:
        code = firm_code_text(firm_code)
        root, public = self._root, self._key.public_key()
        name = f"OpenDepot firm code {code}"
        seed = hashlib.sha256(root.public_bytes(Encoding.DER) + b"firm code " + code.encode("ascii"))
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(root.subject)
            .public_key(public)
            # 152 bits with the highest set: positive, within the 20 octets of RFC 5280, and never zero.
            .serial_number(int.from_bytes(seed.digest()[:18], "big") | 1 << 150)
            .not_valid_before(root.not_valid_before_utc)
            .not_valid_after(root.not_valid_after_utc)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier(firm_code_uri(firm_code))]), critical=False
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._root_key.public_key()), critical=False
            )
            .sign(self._root_key, hashes.SHA256(), ecdsa_deterministic=True)
        )
        return certificate.public_bytes(Encoding.DER)


_YEARS = 20
_MAGIC = b"OpenDepot box 1\n"
_SALT_BYTES = 16
_NONCE_BYTES = 12
_KEY_BYTES = 32


def _root_certificate(key: ec.EllipticCurvePrivateKey, *, now: datetime, number: int) -> x509.Certificate:
    # The day before: another node's clock may run a little behind the one that makes the box.
    begin = whole_second(now) - timedelta(days=1)
    name = _name("OpenDepot vendor root")
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(number)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=366 * _YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _seal(content: bytes, *, sealing_key: bytes, random: Random) -> bytes:
    head = _MAGIC + random(_SALT_BYTES)
    nonce = random(_NONCE_BYTES)
    return head + nonce + _cipher(sealing_key, head=head).encrypt(nonce, content, head)


def _unseal(sealed: bytes, *, sealing_key: bytes) -> bytes:
    head, rest = sealed[: len(_MAGIC) + _SALT_BYTES], sealed[len(_MAGIC) + _SALT_BYTES :]
    try:
        return _cipher(sealing_key, head=head).decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], head)
    except (InvalidTag, ValueError):
        raise ContainerError(
            "BoxSealWrong", "the sealing key is not the box's, or the file was changed; use the key it was sealed with"
        ) from None


def _cipher(sealing_key: bytes, *, head: bytes) -> AESGCM:
    if len(sealing_key) != _KEY_BYTES:
        raise ContainerError("BoxSealWrong", f"the sealing key must be {_KEY_BYTES} bytes")
    derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=head[len(_MAGIC) :], info=b"opendepot box 1")
    return AESGCM(derived.derive(sealing_key))


def _private_text(key: ec.EllipticCurvePrivateKey) -> str:
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return b64encode(der).decode("ascii")


def _private_key(text: str) -> ec.EllipticCurvePrivateKey:
    key = load_der_private_key(b64decode(text), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ContainerError("BoxSealWrong", "the sealed box holds a key of another kind; it was not made by this tool")
    return key
