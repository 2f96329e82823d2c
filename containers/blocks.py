"""Protected, hidden and secret data of a licence: numbered fields in blocks (design, section 5).

A block is all the fields of one kind. That of protected data is plain; one of hidden or secret data is encrypted to the
container's public key: ephemeral P-256 ECDH, HKDF-SHA256 (RFC 5869) and AES-256-GCM. Listings, and so digests, hold
only the SHA-256 of a block; the block itself travels once, in the step that brings it.
"""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from containers.model import ContainerError

PROTECTED, HIDDEN, SECRET = "protected", "hidden", "secret"
KINDS = (PROTECTED, HIDDEN, SECRET)
MOST_FIELDS, MOST_FIELD_BYTES = 128, 256
LARGEST_BLOCK = 33_300
"""Bytes of the largest block, as `container.xsd` allows them."""

Fields = Mapping[int, bytes]
"""The bytes of each field by its number, 0 to 127; each 1 to 256 bytes."""

_POINT_BYTES = 65
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_NONCE = bytes(12)
_UNREADABLE = "the data cannot be read by this container; ask the vendor for a new update"


def pack_fields(fields: Fields) -> bytes:
    """Return fields as the plain text of a block: number (1 byte), length (2 bytes, big-endian), bytes; by number.

    Raises ContainerError `ValueWrong`.
    """
    for number, value in fields.items():
        if not 0 <= number < MOST_FIELDS or not 1 <= len(value) <= MOST_FIELD_BYTES:
            raise ContainerError(
                "ValueWrong",
                f"a field of data must have a number from 0 to {MOST_FIELDS - 1} and 1 to {MOST_FIELD_BYTES} bytes",
            )
    return b"".join(bytes((n,)) + len(fields[n]).to_bytes(2) + fields[n] for n in sorted(fields))


def unpack_fields(data: bytes) -> Fields:
    """Return the fields of a block's plain text. Raises ContainerError `DataUnreadable`."""
    found: dict[int, bytes] = {}
    place = 0
    while place < len(data):
        number, end = data[place], place + 3 + int.from_bytes(data[place + 1 : place + 3])
        found[number] = data[place + 3 : end]
        place = end
    # What was packed is the same when it is packed again, and nothing else is.
    try:
        right = place == len(data) and pack_fields(found) == data
    except ContainerError:
        right = False
    if not right:
        raise ContainerError("DataUnreadable", _UNREADABLE)
    return MappingProxyType(found)


def block_digest(block: bytes) -> bytes:
    """Return what a listing names a block by."""
    return hashlib.sha256(block).digest()


def encrypt_block(plain: bytes, *, kind: str, public_key: bytes, secret: bytes) -> bytes:
    """Return a block that only the container of `public_key` (SubjectPublicKeyInfo, DER) can read.

    `secret` is 32 bytes that nobody knows, other ones for every container, kind and text: the same make the same block
    again, so that a licence that has not changed needs no new step. Raises ContainerError `ValueWrong`.
    """
    recipient = load_der_public_key(public_key)
    if not isinstance(recipient, ec.EllipticCurvePublicKey) or not isinstance(recipient.curve, ec.SECP256R1):
        raise ContainerError("ValueWrong", "the container's key must be on P-256")
    ephemeral = ec.derive_private_key(int.from_bytes(secret) % (_ORDER - 1) + 1, ec.SECP256R1())
    point = _point(ephemeral.public_key())
    key = _key(ephemeral.exchange(ec.ECDH(), recipient), kind, point, recipient)
    return point + AESGCM(key).encrypt(_NONCE, plain, kind.encode())


def decrypt_block(block: bytes, *, kind: str, key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the plain text of a block by the container's key. Raises ContainerError `DataUnreadable`."""
    point = block[:_POINT_BYTES]
    try:
        ephemeral = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        shared = key.exchange(ec.ECDH(), ephemeral)
        return AESGCM(_key(shared, kind, point, key.public_key())).decrypt(_NONCE, block[_POINT_BYTES:], kind.encode())
    except (ValueError, InvalidTag):
        raise ContainerError("DataUnreadable", _UNREADABLE) from None


def _key(shared: bytes, kind: str, point: bytes, recipient: ec.EllipticCurvePublicKey) -> bytes:
    # One key for one block, so the nonce needs no value of its own.
    info = b"urn:opendepot:container:1 " + kind.encode() + b"\0" + point + _point(recipient)
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(shared)


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
