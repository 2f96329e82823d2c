"""Messages that prove who wrote them: a header block Security with a UsernameToken, or with a signature by a key.

A signature covers the Body, a Timestamp and every other header block, by the one profile that this engine reads:
Exclusive C14N, SHA-256, RSA-SHA256 or ECDSA on P-256 (docs/reference/ws-security.md).
"""

import hashlib
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from lxml import etree

from soap.names import WSSE, WSU, Version
from soap.security_names import (
    BASE64,
    DSIG,
    ECDSA_SHA256,
    EXCLUSIVE,
    ID,
    PASSWORD_DIGEST,
    PASSWORD_TEXT,
    RSA_SHA256,
    SHA256,
    X509,
)

SigningKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
NONCE_BYTES = 16

_HALF = 32
_SIGNATURE = f"{{{DSIG}}}Signature"
_HEADER = {f"{{{version}}}Envelope": f"{{{version}}}Header" for version in Version}


class SigningKeyWrong(ValueError):
    """Certificate and key cannot be used. The message says why."""


class MessageSigner:
    """Signs messages with one key; its certificate goes with each of them."""

    def __init__(
        self, *, certificate_pem: bytes, key_pem: bytes, lifetime_seconds: float, clock: Callable[[], datetime]
    ) -> None:
        """Read certificate and key. Raises SigningKeyWrong."""
        self._lifetime = timedelta(seconds=lifetime_seconds)
        self._clock = clock
        try:
            certificate = x509.load_pem_x509_certificate(certificate_pem)
            key = load_pem_private_key(key_pem, None)
        except (ValueError, TypeError) as error:
            raise SigningKeyWrong(f"certificate and key must be PEM, the key not encrypted: {error}") from None
        if not isinstance(key, SigningKey) or key.public_key() != certificate.public_key():
            raise SigningKeyWrong("the key is not that of the certificate")
        if isinstance(key, ec.EllipticCurvePrivateKey) and not isinstance(key.curve, ec.SECP256R1):
            raise SigningKeyWrong("the key must be RSA or ECDSA on P-256")
        self._key: SigningKey = key
        self._token = b64encode(certificate.public_bytes(Encoding.DER)).decode()
        self._method = RSA_SHA256 if isinstance(key, rsa.RSAPrivateKey) else ECDSA_SHA256

    def sign(self, message: bytes) -> bytes:
        """Give a message that this side wrote, signed."""
        root = etree.fromstring(message)
        body, others, security = root[-1], _blocks(root), _security(root)
        token = etree.SubElement(security, f"{{{WSSE}}}BinarySecurityToken", ValueType=X509, EncodingType=BASE64)
        token.text = self._token
        token.set(ID, "token")
        timestamp = etree.SubElement(security, f"{{{WSU}}}Timestamp")
        now = self._clock()
        etree.SubElement(timestamp, f"{{{WSU}}}Created").text = moment(now)
        etree.SubElement(timestamp, f"{{{WSU}}}Expires").text = moment(now + self._lifetime)
        covered = {"body": body, "time": timestamp, **{f"block-{n}": block for n, block in enumerate(others)}}
        for identifier, element in covered.items():
            element.set(ID, identifier)
        self._add_signature(security, covered)
        return _written(root)

    def _add_signature(self, security: etree._Element, covered: dict[str, etree._Element]) -> None:
        signature = etree.SubElement(security, _SIGNATURE)
        info = _ds(signature, "SignedInfo")
        _ds(info, "CanonicalizationMethod", Algorithm=EXCLUSIVE)
        _ds(info, "SignatureMethod", Algorithm=self._method)
        for identifier, element in covered.items():
            reference = _ds(info, "Reference", URI=f"#{identifier}")
            _ds(_ds(reference, "Transforms"), "Transform", Algorithm=EXCLUSIVE)
            _ds(reference, "DigestMethod", Algorithm=SHA256)
            digest = hashlib.sha256(canonical(element)).digest()
            _ds(reference, "DigestValue").text = b64encode(digest).decode()
        _ds(signature, "SignatureValue").text = b64encode(self._made(canonical(info))).decode()
        key = etree.SubElement(_ds(signature, "KeyInfo"), f"{{{WSSE}}}SecurityTokenReference")
        etree.SubElement(key, f"{{{WSSE}}}Reference", URI="#token", ValueType=X509)

    def _made(self, data: bytes) -> bytes:
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        r, s = decode_dss_signature(self._key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big")


def with_password(message: bytes, *, username: str, secret: str) -> bytes:
    """Give a message with a UsernameToken that holds the secret itself: for TLS alone."""
    root = etree.fromstring(message)
    _add_password(_token(root, username), PASSWORD_TEXT, secret)
    return _written(root)


def with_digest(message: bytes, *, username: str, secret: str, nonce: bytes, now: datetime) -> bytes:
    """Give a message with a UsernameToken that proves the secret and does not hold it.

    The digest is SHA-1, as Username Token Profile 1.1.1, section 3.1, has it. `nonce`: NONCE_BYTES, new for every
    message.
    """
    root, created = etree.fromstring(message), moment(now)
    token = _token(root, username)
    digest = hashlib.sha1(nonce + created.encode() + secret.encode(), usedforsecurity=False).digest()
    _add_password(token, PASSWORD_DIGEST, b64encode(digest).decode())
    etree.SubElement(token, f"{{{WSSE}}}Nonce", EncodingType=BASE64).text = b64encode(nonce).decode()
    etree.SubElement(token, f"{{{WSU}}}Created").text = created
    return _written(root)


def canonical(element: etree._Element) -> bytes:
    """Give an element's bytes by Exclusive XML Canonicalization, without comments.

    Raises lxml's C14NError where the name of a namespace is no absolute URI (Canonical XML 1.0, section 1.3).
    """
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False)


def moment(value: datetime) -> str:
    """Give a time in UTC as WS-Security writes it, to the millisecond."""
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _blocks(root: etree._Element) -> list[etree._Element]:
    return list(root[0]) if root[0].tag == _HEADER[str(root.tag)] else []


def _security(root: etree._Element) -> etree._Element:
    """Add a header block Security, and the Header where there is none."""
    name = _HEADER[str(root.tag)]
    if root[0].tag != name:
        root.insert(0, etree.Element(name))
    return etree.SubElement(root[0], f"{{{WSSE}}}Security", nsmap={"wsse": WSSE, "wsu": WSU, "ds": DSIG})


def _token(root: etree._Element, username: str) -> etree._Element:
    token = etree.SubElement(_security(root), f"{{{WSSE}}}UsernameToken")
    etree.SubElement(token, f"{{{WSSE}}}Username").text = username
    return token


def _add_password(token: etree._Element, kind: str, text: str) -> None:
    etree.SubElement(token, f"{{{WSSE}}}Password", Type=kind).text = text


def _written(root: etree._Element) -> bytes:
    return etree.tostring(root, encoding="utf-8", xml_declaration=True)


def _ds(parent: etree._Element, name: str, **attributes: str) -> etree._Element:
    made = etree.SubElement(parent, f"{{{DSIG}}}{name}")
    for key, value in attributes.items():
        made.set(key, value)
    return made
