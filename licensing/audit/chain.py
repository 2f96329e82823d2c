"""Digests, links and heads of the audit chain (docs/decisions/0010-audit-seal.md).

    details digest = SHA-256(salt, details)
    digest         = SHA-256("row", time, actor, action, subject, details digest)
    link           = SHA-256("link", link before, position, digest); the link before position 1 is 32 zero bytes
    signature      = Ed25519("head", position, link, time of sealing)

Each value goes in with its length before it, so that no two rows have the same bytes. The salt lets the details be
erased: with the salt gone, nobody can find out by trying what the digest was made of, and the link still holds.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from licensing.errors import AuditHeadInvalid
from storage.audit import AuditHead
from storage.records import AuditRow

ERASE = "ErasePersonalData"
"""The action of the rows that say whose details were erased."""

FIRST_LINK = bytes(32)
SALT_BYTES = 16

_HEAD_FORMAT = "opendepot-audit-head-1"


def details_digest(row: AuditRow, salt: bytes) -> bytes:
    """Give the salted digest of a row's details, as the text that is stored."""
    return _digest(b"details", salt, row.details.encode())


def row_digest(row: AuditRow, details: bytes) -> bytes:
    """Give the digest of a row from the digest of its details."""
    return _digest(b"row", _time(row.at), row.actor.encode(), row.action.encode(), row.subject.encode(), details)


def next_link(before: bytes, position: int, digest: bytes) -> bytes:
    """Give the link at a position from the link before it."""
    return _digest(b"link", before, str(position).encode(), digest)


class SealingKey:
    """Signs heads with an Ed25519 key (RFC 8032) made of a seed of 32 bytes, or of the seed that holds at the time."""

    def __init__(self, seed: bytes | Callable[[], bytes]) -> None:
        self._seed = seed

    @property
    def public_key(self) -> bytes:
        """The raw public key, 32 bytes."""
        return self._key().public_key().public_bytes_raw()

    def sign(self, head: AuditHead) -> AuditHead:
        """Give the head with this key and its signature."""
        key = self._key()
        keyed = replace(head, public_key=key.public_key().public_bytes_raw())
        return replace(keyed, signature=key.sign(_signed_bytes(keyed)))

    def _key(self) -> Ed25519PrivateKey:
        seed = self._seed if isinstance(self._seed, bytes) else self._seed()
        return Ed25519PrivateKey.from_private_bytes(seed)


def is_signed(head: AuditHead) -> bool:
    """Whether a head bears a signature of the key that it names."""
    try:
        Ed25519PublicKey.from_public_bytes(head.public_key).verify(head.signature, _signed_bytes(head))
    except (InvalidSignature, ValueError):
        return False
    return True


def render_head(head: AuditHead) -> str:
    """Give a head as a JSON text to keep elsewhere."""
    values = {
        "format": _HEAD_FORMAT,
        "position": head.position,
        "link": head.link.hex(),
        "sealed_at": head.sealed_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "public_key": b64encode(head.public_key).decode(),
        "signature": b64encode(head.signature).decode(),
    }
    return json.dumps(values, indent=2)


def read_head(text: str) -> AuditHead:
    """Read what `render_head` wrote. Raises AuditHeadInvalid when it is something else, or its signature is wrong."""
    try:
        values = json.loads(text)
        if values["format"] != _HEAD_FORMAT:
            raise AuditHeadInvalid(f"the file is no head of this version; its format is not {_HEAD_FORMAT}")
        head = AuditHead(
            position=int(values["position"]),
            link=bytes.fromhex(values["link"]),
            sealed_at=datetime.fromisoformat(values["sealed_at"]).astimezone(UTC),
            public_key=b64decode(values["public_key"], validate=True),
            signature=b64decode(values["signature"], validate=True),
        )
    except (ValueError, KeyError, TypeError):
        raise AuditHeadInvalid("the file is no head that `opendepot audit head` wrote") from None
    if head.position and not is_signed(head):
        raise AuditHeadInvalid("the head's signature does not fit; the file was changed")
    return head


def _signed_bytes(head: AuditHead) -> bytes:
    return _digest(b"head", str(head.position).encode(), head.link, _time(head.sealed_at))


def _time(value: datetime) -> bytes:
    return value.astimezone(UTC).isoformat(timespec="microseconds").encode()


def _digest(*parts: bytes) -> bytes:
    found = sha256()
    for part in parts:
        found.update(len(part).to_bytes(8))
        found.update(part)
    return found.digest()
