"""Keys with ids: one of a ring makes hashes or seals, all of them find and open what was made before.

An id is made of the key itself, so that a wrong key cannot stand under a right id. The first key of a ring leaves no id
in what it makes: that is what was made before there were rings.

A ring is a file of 32 bytes, which is the first key alone, or a text:

    opendepot-keys-1
    9f86d081 first 2026-11-24T19:10:00+00:00 <base64 of 32 bytes>
    1b4f0e98 later 2027-03-01T08:00:00+00:00 <base64 of 32 bytes>
"""

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

KEY_BYTES = 32
ID_BYTES = 4
_FORMAT = "opendepot-keys-1"
_FIRST = "first"
_LATER = "later"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class KeyRingInvalid(ValueError):
    """What was read is no ring of keys; the message names the line, never what stands in it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """One key of 32 bytes. `made_at` is 1970 for one that was made before keys had ids."""

    key_id: bytes
    material: bytes = field(repr=False)
    made_at: datetime = _EPOCH
    first: bool = False

    @property
    def name(self) -> str:
        """Give the id as people see it: 8 hexadecimal digits."""
        return self.key_id.hex()


def make_key(material: bytes, *, made_at: datetime = _EPOCH, first: bool = False) -> Key:
    """Give a key of these 32 bytes. Raises KeyRingInvalid for another length."""
    if len(material) != KEY_BYTES:
        raise KeyRingInvalid(f"a key has exactly {KEY_BYTES} bytes")
    key_id = hmac.digest(material, b"opendepot key id", hashlib.sha256)[:ID_BYTES]
    return Key(key_id=key_id, material=material, made_at=made_at, first=first)


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyRing:
    """Keys in the order in which they were made; at least one, no id twice."""

    keys: tuple[Key, ...]

    def __post_init__(self) -> None:
        if not self.keys:
            raise KeyRingInvalid("there is no key in it")
        if len({key.key_id for key in self.keys}) != len(self.keys):
            raise KeyRingInvalid("a key stands in it twice")
        if sum(key.first for key in self.keys) > 1:
            raise KeyRingInvalid("two keys are said to be the first")

    def __iter__(self) -> Iterator[Key]:
        return iter(self.keys)

    @classmethod
    def of(cls, material: bytes) -> "KeyRing":
        """Give the ring of one key, the first one. Raises KeyRingInvalid."""
        return cls(keys=(make_key(material, first=True),))

    @property
    def names(self) -> tuple[str, ...]:
        """Give the ids."""
        return tuple(key.name for key in self.keys)

    @property
    def first(self) -> Key | None:
        """Give the key that leaves no id; None once it was taken away."""
        return next((key for key in self.keys if key.first), None)

    def find(self, key_id: bytes) -> Key | None:
        """Give the key of an id, or None."""
        return next((key for key in self.keys if key.key_id == key_id), None)

    def with_new(self, *, random: Callable[[int], bytes], now: datetime) -> "KeyRing":
        """Give this ring with one more key at its end."""
        while True:
            key = make_key(random(KEY_BYTES), made_at=now)
            if self.find(key.key_id) is None:
                return KeyRing(keys=(*self.keys, key))

    def without(self, key_id: bytes) -> "KeyRing":
        """Give this ring without a key. Raises KeyRingInvalid when none would be left."""
        return KeyRing(keys=tuple(key for key in self.keys if key.key_id != key_id))


def parse_ring(content: bytes) -> KeyRing:
    """Read the content of a file of keys. Raises KeyRingInvalid."""
    if len(content) == KEY_BYTES:
        return KeyRing.of(content)
    try:
        head, *lines = content.decode("ascii").splitlines()
    except ValueError:
        raise KeyRingInvalid(f"must hold exactly {KEY_BYTES} bytes, or keys as `opendepot keys` writes them") from None
    if head != _FORMAT:
        raise KeyRingInvalid(f"must hold exactly {KEY_BYTES} bytes, or begin with the line {_FORMAT}")
    return KeyRing(keys=tuple(_parsed(line, number) for number, line in enumerate(lines, start=2)))


def render_ring(ring: KeyRing) -> bytes:
    """Write what `parse_ring` reads."""
    lines = [
        f"{key.name} {_FIRST if key.first else _LATER} {key.made_at.astimezone(UTC).isoformat()} "
        f"{b64encode(key.material).decode('ascii')}"
        for key in ring
    ]
    return "\n".join([_FORMAT, *lines, ""]).encode("ascii")


def _parsed(line: str, number: int) -> Key:
    try:
        name, place, made_at, text = line.split(" ")
        key = make_key(b64decode(text, validate=True), made_at=datetime.fromisoformat(made_at), first=place == _FIRST)
    except ValueError:
        raise KeyRingInvalid(f"line {number} is no key") from None
    if place not in {_FIRST, _LATER} or key.made_at.tzinfo is None:
        raise KeyRingInvalid(f"line {number} is no key")
    if key.name != name:
        raise KeyRingInvalid(f"line {number}: the key is not the one of its id; the file was changed")
    return key
