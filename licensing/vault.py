"""Keyed hashes to find things by, and sealed text: what of tickets, keys and people goes into the database.

Every purpose has keys of its own, derived by HKDF (RFC 5869), so that nothing sealed or hashed for one purpose can be
passed off as another's.
"""

import hashlib
import hmac
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from licensing.errors import VaultError

_FORMAT = b"\x01"
_NONCE_BYTES = 12


class Vault:
    """Hashes with the pepper and seals with the sealing key, each 32 bytes."""

    def __init__(self, *, pepper: bytes, sealing_key: bytes, random: Callable[[int], bytes]) -> None:
        if len(pepper) != 32 or len(sealing_key) != 32:
            raise ValueError("pepper and sealing key must have 32 bytes each")
        self._pepper = pepper
        self._sealing_key = sealing_key
        self._random = random
        self._ciphers: dict[str, AESGCM] = {}

    def index(self, purpose: str, text: str) -> bytes:
        """Give the keyed hash of a text, whatever characters it has: 32 bytes, to look it up by."""
        content = text.encode("utf-8", "surrogatepass")
        return hmac.digest(self._pepper, purpose.encode() + b"\0" + content, hashlib.sha256)

    def seal(self, purpose: str, plain: bytes) -> bytes:
        """Encrypt: format byte, nonce, AES-256-GCM."""
        nonce = self._random(_NONCE_BYTES)
        return _FORMAT + nonce + self._cipher(purpose).encrypt(nonce, plain, _FORMAT)

    def open(self, purpose: str, sealed: bytes) -> bytes:
        """Decrypt what `seal` made for the same purpose. Raises VaultError."""
        nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            return self._cipher(purpose).decrypt(nonce, ciphertext, sealed[:1])
        except (InvalidTag, ValueError):
            raise VaultError("a sealed value cannot be opened: it was sealed with another key, or changed") from None

    def fingerprint(self) -> bytes:
        """Give what tells these two keys from others, without telling them: 16 bytes."""
        return self.index("fingerprint", self._sealing_key.hex())[:16]

    def seed(self, purpose: str) -> bytes:
        """Give 32 secret bytes to make a key of another kind from, always the same ones for a purpose."""
        return self._derived(f"seed {purpose}")

    def _cipher(self, purpose: str) -> AESGCM:
        if purpose not in self._ciphers:
            self._ciphers[purpose] = AESGCM(self._derived(purpose))
        return self._ciphers[purpose]

    def _derived(self, purpose: str) -> bytes:
        key = HKDF(algorithm=SHA256(), length=32, salt=None, info=f"opendepot {purpose}".encode())
        return key.derive(self._sealing_key)
