"""Keyed hashes to find things by, and sealed text: what of tickets, keys and people goes into the database.

Every purpose has keys of its own, derived by HKDF (RFC 5869), so that nothing sealed or hashed for one purpose can be
passed off as another's.

There may be several peppers and several sealing keys (`licensing.keyring`): one of each makes, all of them find and
open. What the first one makes bears no id:

    sealed by the first key   01, nonce, AES-256-GCM; the 01 is authenticated
    sealed by a later one     02, key id, nonce, AES-256-GCM; the 02 and the key id are authenticated
    hash of the first pepper  HMAC-SHA-256, 32 bytes
    hash of a later one       key id, HMAC-SHA-256
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from licensing.errors import VaultError
from licensing.keyring import ID_BYTES, Key, KeyRing

_UNNAMED = b"\x01"
_NAMED = b"\x02"
_NONCE_BYTES = 12
HASH_BYTES = 32
NAMED_BYTES = len(_NAMED) + ID_BYTES
"""So long is the beginning of a sealed value that says which key sealed it."""

ROTATED = frozenset({"api-key", "admin-key", "username", "certificate"})
"""The purposes whose hashes are made with the newest pepper.

All others are made with the first one for ever: they decide that a request acts once, or are of random texts that
nobody can guess, and a hash that changed under a request that is repeated would let it act twice.
"""

KEPT = ("reason", "seed audit")
"""The purposes whose derived keys outlive their sealing key: what they sealed and signed stands in the audit chain,
which never changes."""


class Vault:
    """Hashes with peppers and seals with sealing keys; a single key is 32 bytes.

    Until `use` says otherwise, the oldest key of each ring makes.
    """

    def __init__(
        self, *, pepper: bytes | KeyRing, sealing_key: bytes | KeyRing, random: Callable[[int], bytes]
    ) -> None:
        self._random = random
        self._ciphers: dict[tuple[bytes, str], AESGCM] = {}
        self._hashers: dict[tuple[bytes, str], hmac.HMAC] = {}
        self._kept: dict[tuple[bytes, str], bytes] = {}
        self._first_sealing = b""
        self.take_up(pepper=_ring(pepper), sealing_key=_ring(sealing_key))
        self._pepper, self._sealing = self.peppers.keys[0], self.sealing_keys.keys[0]

    def take_up(self, *, pepper: KeyRing, sealing_key: KeyRing) -> None:
        """Have other keys at hand; what makes stays what it is, where it is still there.

        Raises ValueError without the first pepper, which is never taken away.
        """
        first = pepper.first
        if first is None:
            raise ValueError("the first pepper is missing")
        self.peppers, self.sealing_keys, self._first_pepper = pepper, sealing_key, first
        self._hashers.clear()

    def use(self, *, pepper: bytes, sealing_key: bytes) -> None:
        """Make with the keys of these ids from now on. Raises KeyError for one that is not at hand."""
        found, sealing = self.peppers.find(pepper), self.sealing_keys.find(sealing_key)
        if found is None or sealing is None:
            raise KeyError("no such key is at hand")
        self._pepper, self._sealing = found, sealing

    def keep(self, key_id: bytes, derived: Mapping[str, bytes], *, first: bool) -> None:
        """Open with derived keys of a sealing key that is gone; `first`: it left no id."""
        self._kept.update({(key_id, purpose): key for purpose, key in derived.items()})
        if first:
            self._first_sealing = key_id

    def derived_to_keep(self, key_id: bytes) -> dict[str, bytes]:
        """Give the derived keys that must outlive a sealing key. Raises KeyError when it is not at hand."""
        key = self.sealing_keys.find(key_id)
        if key is None:
            raise KeyError("no such key is at hand")
        return {purpose: _derived(key, purpose) for purpose in KEPT}

    @property
    def pepper(self) -> Key:
        """Give the pepper that makes hashes now."""
        return self._pepper

    @property
    def sealing_key(self) -> Key:
        """Give the key that seals now."""
        return self._sealing

    @property
    def seal_head(self) -> bytes:
        """Give what a value sealed now begins with."""
        return _head(self._sealing)

    def index(self, purpose: str, text: str) -> bytes:
        """Give the keyed hash of a text, whatever characters it has, to look it up by."""
        return self._hash(self._pepper if purpose in ROTATED else self._first_pepper, purpose, text)

    def candidates(self, purpose: str, text: str) -> tuple[bytes, ...]:
        """Give all hashes that a text may be found by, the oldest pepper's first.

        Whoever looks for them one after the other must keep this order: a hash is renewed towards the newest pepper, so
        it cannot slip by.
        """
        if purpose not in ROTATED:
            return (self.index(purpose, text),)
        return tuple([self._hash(key, purpose, text) for key in self.peppers.keys])

    def is_older(self, found: bytes) -> bool:
        """Whether a hash was made with an older pepper than the one in use.

        One of a newer pepper, of which this process has not heard yet that it is in use, is not older.
        """
        keys = self.peppers.keys
        if self._pepper is keys[0]:
            return False
        ids = [b"" if key.first else key.key_id for key in keys]
        made_with = pepper_of(found)
        return made_with in ids and ids.index(made_with) < keys.index(self._pepper)

    def seal(self, purpose: str, plain: bytes) -> bytes:
        """Encrypt with the key in use."""
        key = self._sealing  # read once: another thread may seal while the key in use changes
        head, nonce = _head(key), self._random(_NONCE_BYTES)
        return head + nonce + self._made(key, purpose).encrypt(nonce, plain, head)

    def open(self, purpose: str, sealed: bytes) -> bytes:
        """Decrypt what `seal` made for the same purpose, with whichever key. Raises VaultError."""
        head = head_of(sealed)
        key_id = head[1:] if head[:1] == _NAMED else self._unnamed_id()
        cipher = self._cipher(key_id, purpose)
        if cipher is None:
            raise VaultError(
                f"a sealed value cannot be opened: the key {key_id.hex() or 'that was the first one'} is not at hand; "
                "`opendepot keys check` tells more"
            )
        start = len(head)
        nonce, ciphertext = sealed[start : start + _NONCE_BYTES], sealed[start + _NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, ciphertext, head)
        except (InvalidTag, ValueError):
            raise VaultError("a sealed value cannot be opened: it was sealed with another key, or changed") from None

    def fingerprint(self) -> bytes:
        """Give what tells these keys from others, without telling them: 16 bytes, of the oldest ones."""
        return self._fingerprint(self.sealing_keys.keys[0])

    def fingerprints(self) -> frozenset[bytes]:
        """Give the fingerprint that each sealing key had, or will have, as the oldest one."""
        return frozenset(self._fingerprint(key) for key in self.sealing_keys)

    def has_fingerprint(self, text: str | None) -> bool:
        """Whether a fingerprint, in hexadecimal, is that of one of these keys."""
        return text in {found.hex() for found in self.fingerprints()}

    def fingerprint_without(self, key_id: bytes) -> bytes:
        """Give the fingerprint that stands once a sealing key is gone. Raises KeyRingInvalid for the only one."""
        return self._fingerprint(self.sealing_keys.without(key_id).keys[0])

    def seed(self, purpose: str) -> bytes:
        """Give 32 secret bytes to make a key of another kind from: the same ones while the sealing key is in use."""
        return _derived(self._sealing, f"seed {purpose}")

    def seeds(self, purpose: str) -> tuple[bytes, ...]:
        """Give the seeds of all sealing keys, those that are gone included."""
        name = f"seed {purpose}"
        kept = [key for (_, kept_for), key in self._kept.items() if kept_for == name]
        return (*(_derived(key, name) for key in self.sealing_keys), *kept)

    def _unnamed_id(self) -> bytes:
        first = self.sealing_keys.first
        return self._first_sealing if first is None else first.key_id

    def _fingerprint(self, sealing_key: Key) -> bytes:
        return self._hash(self._first_pepper, "fingerprint", sealing_key.material.hex())[:16]

    def _cipher(self, key_id: bytes, purpose: str) -> AESGCM | None:
        key = self.sealing_keys.find(key_id)
        if key is not None:
            return self._made(key, purpose)
        derived = self._kept.get((key_id, purpose))
        return None if derived is None else AESGCM(derived)

    def _hash(self, key: Key, purpose: str, text: str) -> bytes:
        kept = self._hashers.get((key.key_id, purpose))
        if kept is None:
            kept = self._hashers[key.key_id, purpose] = hmac.new(key.material, purpose.encode() + b"\0", hashlib.sha256)
        # Going on from what key and purpose have come to takes half as long as `hmac.digest`, which lets go of the
        # interpreter's lock besides, so that another thread takes it.
        hashing = kept.copy()
        hashing.update(text.encode("utf-8", "surrogatepass"))
        found = hashing.digest()
        return found if key.first else key.key_id + found

    def _made(self, key: Key, purpose: str) -> AESGCM:
        found = self._ciphers.get((key.key_id, purpose))
        if found is None:
            found = self._ciphers[key.key_id, purpose] = AESGCM(_derived(key, purpose))
        return found


def head_of(sealed: bytes) -> bytes:
    """Give the beginning of a sealed value that says which key sealed it."""
    return sealed[:NAMED_BYTES] if sealed[:1] == _NAMED else sealed[:1]


def pepper_of(found: bytes) -> bytes:
    """Give the id of the pepper that a hash was made with; empty for the first one."""
    return found[: len(found) - HASH_BYTES]


def _ring(keys: bytes | KeyRing) -> KeyRing:
    return keys if isinstance(keys, KeyRing) else KeyRing.of(keys)


def _head(key: Key) -> bytes:
    return _UNNAMED if key.first else _NAMED + key.key_id


def _derived(key: Key, purpose: str) -> bytes:
    expanded = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"opendepot {purpose}".encode())
    return expanded.derive(key.material)
