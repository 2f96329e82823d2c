"""The computing, for the one form that `reading` lets through.

Bare Exclusive C14N by libxml2, SHA-256 and the registered key: a general verifier, which has a form to find out first,
takes five to ten times as long. The tests ask such a one (signxml, xmlsec1) about the same messages.
"""

import hashlib
import hmac
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from lxml import etree

from server.security.wssecurity.keys import PublicKey, RegisteredSecret
from server.security.wssecurity.names import ECDSA_SHA256, RSA_SHA256
from server.security.wssecurity.reading import Signature, Username
from soap.signing import canonical

_HALF = 32
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order of P-256's group (SEC 2, section 2.4.2)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedParts:
    """What a signature was verified over: the elements whose bytes were digested."""

    elements: tuple[etree._Element, ...]

    def cover(self, element: etree._Element) -> bool:
        """Whether an element, as it stands in the message, was signed."""
        return any(each is element for each in self.elements)


def verify_signature(signature: Signature, key: PublicKey) -> SignedParts | None:
    """Give what is signed, or None when the key has not signed it.

    SignedInfo comes first: before that is known to be from a registered key, no other element is canonicalised.
    """
    elements = []
    try:
        if not _signed(signature, key):
            return None
        for element, digest in signature.covered:
            if not hmac.compare_digest(hashlib.sha256(canonical(element)).digest(), digest):
                return None
            elements.append(element)
    except etree.C14NError:
        # The name of a namespace is no absolute URI: what has no canonical form, nobody has signed.
        return None
    return SignedParts(elements=tuple(elements))


def _signed(signature: Signature, key: PublicKey) -> bool:
    value = signature.value
    try:
        if isinstance(key, rsa.RSAPublicKey):
            if signature.method != RSA_SHA256 or len(value) != (key.key_size + 7) // 8:
                return False
            key.verify(value, canonical(signature.info), padding.PKCS1v15(), hashes.SHA256())
            return True
        if signature.method != ECDSA_SHA256 or len(value) != 2 * _HALF:
            return False
        r, s = int.from_bytes(value[:_HALF]), int.from_bytes(value[_HALF:])
        key.verify(encode_dss_signature(r, s), canonical(signature.info), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def signature_identity(signature: Signature) -> bytes:
    """Give what is the same for all forms that one signature can be given without its key.

    Whoever has seen an ECDSA signature (r, s) can write (r, order - s), which is as valid.
    """
    if signature.method == RSA_SHA256:
        return signature.value
    s = int.from_bytes(signature.value[_HALF:])
    return signature.value[:_HALF] + min(s, _ORDER - s).to_bytes(_HALF)


_NOBODY = RegisteredSecret(credential_id="", owner="", secret=bytes(32))


def verify_username(username: Username, registered: RegisteredSecret | None) -> bool:
    """Whether a password fits. The work is the same where nobody has that name."""
    secret = (registered or _NOBODY).secret
    if isinstance(username.password, str):
        given = hashlib.sha256(username.password.encode()).digest()
        expected = hashlib.sha256(secret).digest()
    else:
        given = username.password
        made_of = (username.nonce or b"") + (username.created_text or "").encode() + secret
        expected = hashlib.sha1(made_of, usedforsecurity=True).digest()  # noqa: S324  Username Token Profile, 3.1
    return hmac.compare_digest(given, expected) and registered is not None
