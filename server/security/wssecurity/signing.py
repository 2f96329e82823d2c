"""Answers and faults signed by the server's own key: the Body, a Timestamp and every other header block.

A client that verifies what it gets finds the certificate in a BinarySecurityToken, and must know it beforehand: a key
that comes with a message proves nothing of it.
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

from server.security.wssecurity.answers import SignAnswers
from server.security.wssecurity.keys import usable_key
from server.security.wssecurity.names import (
    BASE64,
    DSIG,
    ECDSA_SHA256,
    EXCLUSIVE,
    ID,
    RSA_SHA256,
    SHA256,
    X509,
)
from server.security.wssecurity.verifying import canonical
from soap import Version
from soap.names import WSSE, WSU

_HALF = 32
_SIGNATURE = f"{{{DSIG}}}Signature"
_HEADER = {f"{{{version}}}Envelope": f"{{{version}}}Header" for version in Version}


class SigningKeyWrong(ValueError):
    """Certificate and key cannot be used. The message says why."""


class AnswerSigner:
    """Signs messages with one key."""

    def __init__(
        self,
        *,
        certificate_pem: bytes,
        key_pem: bytes,
        which: SignAnswers,
        lifetime_seconds: float,
        clock: Callable[[], datetime],
    ) -> None:
        """Read certificate and key. Raises SigningKeyWrong."""
        self.which = which
        self._lifetime = timedelta(seconds=lifetime_seconds)
        self._clock = clock
        try:
            certificate = x509.load_pem_x509_certificate(certificate_pem)
            public = usable_key(certificate)
            key = load_pem_private_key(key_pem, None)
        except (ValueError, TypeError) as error:
            raise SigningKeyWrong(f"certificate and key must be PEM, the key not encrypted: {error}") from None
        if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) or key.public_key() != public:
            raise SigningKeyWrong("the key is not that of the certificate")
        self._key = key
        self._token = b64encode(certificate.public_bytes(Encoding.DER)).decode()
        self._method = RSA_SHA256 if isinstance(key, rsa.RSAPrivateKey) else ECDSA_SHA256

    def wanted(self, security: etree._Element | None) -> bool:
        """Whether the answer to a message with this Security header block is signed."""
        return self.which is SignAnswers.ALL or (security is not None and security.find(_SIGNATURE) is not None)

    def sign(self, message: bytes) -> bytes:
        """Give a message that this server wrote, signed."""
        root = etree.fromstring(message)
        name = _HEADER[str(root.tag)]
        body = root[-1]
        header = root[0] if root[0].tag == name else etree.Element(name)
        root.insert(0, header)
        others = list(header)
        namespaces = {"wsse": WSSE, "wsu": WSU, "ds": DSIG}
        security = etree.SubElement(header, f"{{{WSSE}}}Security", nsmap=namespaces)
        token = etree.SubElement(security, f"{{{WSSE}}}BinarySecurityToken", ValueType=X509, EncodingType=BASE64)
        token.text = self._token
        token.set(ID, "token")
        timestamp = etree.SubElement(security, f"{{{WSU}}}Timestamp")
        now = self._clock()
        etree.SubElement(timestamp, f"{{{WSU}}}Created").text = _moment(now)
        etree.SubElement(timestamp, f"{{{WSU}}}Expires").text = _moment(now + self._lifetime)
        covered = {"body": body, "time": timestamp, **{f"block-{n}": block for n, block in enumerate(others)}}
        for identifier, element in covered.items():
            element.set(ID, identifier)
        self._add_signature(security, covered)
        return etree.tostring(root, encoding="utf-8", xml_declaration=True)

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


def _ds(parent: etree._Element, name: str, **attributes: str) -> etree._Element:
    made = etree.SubElement(parent, f"{{{DSIG}}}{name}")
    for key, value in attributes.items():
        made.set(key, value)
    return made


def _moment(value: datetime) -> str:
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
