"""The one form of XML signature that is written and accepted (design, section 6).

XMLDSig with bare Exclusive C14N, ECDSA on P-256 with SHA-256, one reference with one transform, and at most one
certificate. The bytes come from a template that is already canonical. A reader renders the same template from the
values it read and compares, so there is no algorithm to choose and nothing to wrap.
"""

import hashlib
import re
from base64 import b64decode, b64encode
from functools import lru_cache
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree

from containers.model import ContainerError
from containers.scanning import matched

DSIG = "http://www.w3.org/2000/09/xmldsig#"
"""XML Signature Syntax and Processing, W3C Recommendation."""

_XMLNS = f' xmlns:ds="{DSIG}"'
_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
_ECDSA = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
_DIGEST_PATH = f"{{{DSIG}}}SignedInfo/{{{DSIG}}}Reference/{{{DSIG}}}DigestValue"
_VALUE_PATH = f"{{{DSIG}}}SignatureValue"
_CERTIFICATE_PATH = f"{{{DSIG}}}KeyInfo/{{{DSIG}}}X509Data/{{{DSIG}}}X509Certificate"
_DIGEST_BYTES = hashlib.sha256().digest_size
_HALF = 32
SIGNATURE_BYTES = 2 * _HALF
"""Length of a raw signature: r and s, 32 bytes each, big-endian (RFC 4050, section 3.3; XMLDSig 1.1, section 6.4.3)."""

# SubjectPublicKeyInfo of P-256 up to the point (RFC 5480), and the length of an uncompressed point. A key in any other
# encoding is refused: a second encoding of one key would be a second serial.
_SPKI_HEAD = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
_POINT_BYTES = 65

_SCHEME = ec.ECDSA(hashes.SHA256())
_SIGNING_SCHEME = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
_CURVE = ec.SECP256R1()
REMEMBERED_KEYS = 512
"""Containers that come again bring the same key. Reading one, and its first use, takes a seventh of a verification."""


class SignatureParts(NamedTuple):
    """What varies in a signature: the digest, r and s, and the certificate (DER), None where there is none."""

    digest: bytes
    value: bytes
    certificate: bytes | None


def signed_info(reference: str, digest: bytes) -> bytes:
    """Return the canonical SignedInfo, the bytes that are signed, for the element whose Id is `reference`.

    `digest` is SHA-256 of the element's canonical bytes.
    """
    return f"<ds:SignedInfo{_XMLNS}>{_info_content(reference, digest)}</ds:SignedInfo>".encode()


def signature_element(reference: str, parts: SignatureParts) -> bytes:
    """Return the canonical `<ds:Signature>`."""
    key_info = ""
    if parts.certificate is not None:
        certificate = b64encode(parts.certificate).decode("ascii")
        key_info = f"{_KEY_INFO}{certificate}{_KEY_INFO_END}"
    return (
        f"<ds:Signature{_XMLNS}><ds:SignedInfo>{_info_content(reference, parts.digest)}</ds:SignedInfo>"
        f"<ds:SignatureValue>{b64encode(parts.value).decode('ascii')}</ds:SignatureValue>{key_info}</ds:Signature>"
    ).encode()


def read_signature(element: etree._Element, *, certified: bool) -> SignatureParts:
    """Return what varies in a `<ds:Signature>`. Its form is not judged here but by rendering it again.

    Raises ContainerError `SignatureWrong` when a part is missing or is no base64 of the right length.
    """
    return SignatureParts(
        digest=_bytes_at(element, _DIGEST_PATH, length=_DIGEST_BYTES),
        value=_bytes_at(element, _VALUE_PATH, length=SIGNATURE_BYTES),
        certificate=_bytes_at(element, _CERTIFICATE_PATH, length=None) if certified else None,
    )


def scan_signature(text: str, place: int) -> tuple[SignatureParts, int]:
    """Return what varies in a signature that stands at a place in the canonical form, and where it ends.

    Its reference is not looked at: that, too, is judged by rendering it again. Raises ValueError for anything else.
    """
    match = matched(_SIGNATURE, text, place)
    digest, value, certificate = match.groups()
    parts = SignatureParts(
        digest=b64decode(digest),
        value=b64decode(value),
        certificate=None if certificate is None else b64decode(certificate),
    )
    if len(parts.digest) != _DIGEST_BYTES or len(parts.value) != SIGNATURE_BYTES:
        raise ValueError("a digest or a signature has another length")
    return parts, match.end()


def sign_raw(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    """Return r and s over `data`, 64 bytes. Deterministic (RFC 6979): the same data gives the same bytes."""
    signature = key.sign(data, _SIGNING_SCHEME)
    r, s = utils.decode_dss_signature(signature)
    return r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big")


def verify_raw(key: ec.EllipticCurvePublicKey, *, value: bytes, data: bytes) -> bool:
    """Return whether `value` (r and s, 64 bytes) is the key's signature over `data`."""
    r, s = int.from_bytes(value[:_HALF], "big"), int.from_bytes(value[_HALF:], "big")
    try:
        key.verify(utils.encode_dss_signature(r, s), data, _SCHEME)
    except InvalidSignature:
        return False
    return True


def public_key_der(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return a public key as SubjectPublicKeyInfo in DER, the point uncompressed: 91 bytes for P-256."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@lru_cache(maxsize=REMEMBERED_KEYS)
def public_key_of(der: bytes) -> ec.EllipticCurvePublicKey | None:
    """Return the P-256 key of a SubjectPublicKeyInfo in its one accepted encoding, None for anything else."""
    if len(der) != len(_SPKI_HEAD) + _POINT_BYTES or not der.startswith(_SPKI_HEAD):
        return None
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, der[len(_SPKI_HEAD) :])
    except ValueError:
        return None


_INFO_HEAD = (
    f'<ds:CanonicalizationMethod Algorithm="{_C14N}"></ds:CanonicalizationMethod>'
    f'<ds:SignatureMethod Algorithm="{_ECDSA}"></ds:SignatureMethod>'
    '<ds:Reference URI="#'
)
_INFO_REST = (
    f'"><ds:Transforms><ds:Transform Algorithm="{_C14N}"></ds:Transform></ds:Transforms>'
    f'<ds:DigestMethod Algorithm="{_SHA256}"></ds:DigestMethod>'
    "<ds:DigestValue>"
)
_INFO_END = "</ds:DigestValue></ds:Reference>"
_KEY_INFO = "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>"
_KEY_INFO_END = "</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
_SIGNATURE = re.compile(
    re.escape(f"<ds:Signature{_XMLNS}><ds:SignedInfo>{_INFO_HEAD}")
    + "[a-z0-9-]+"
    + re.escape(_INFO_REST)
    + "([A-Za-z0-9+/=]+)"
    + re.escape(f"{_INFO_END}</ds:SignedInfo><ds:SignatureValue>")
    + "([A-Za-z0-9+/=]+)</ds:SignatureValue>(?:"
    + re.escape(_KEY_INFO)
    + "([A-Za-z0-9+/=]+)"
    + re.escape(_KEY_INFO_END)
    + ")?</ds:Signature>"
)


def _info_content(reference: str, digest: bytes) -> str:
    return f"{_INFO_HEAD}{reference}{_INFO_REST}{b64encode(digest).decode('ascii')}{_INFO_END}"


def _bytes_at(element: etree._Element, path: str, *, length: int | None) -> bytes:
    found = element.find(path)
    try:
        value = b"" if found is None else b64decode(found.text or "", validate=True)
    except ValueError:
        value = b""
    if not value or length not in (None, len(value)):
        raise ContainerError(
            "SignatureWrong", "the signature is not of the one form that is accepted", line=element.sourceline
        )
    return value
