"""What shops prove themselves by: API keys, usernames with a secret, certificates, authorities."""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from licensing.vault import Vault
from storage import Storage
from storage.commands import FindIdentity
from storage.records import Credential, Identity, Shop

KEY_PREFIX = "od_"
API_KEY = "api-key"
USERNAME = "username"
CERTIFICATE = "certificate"
AUTHORITY = "authority"


@dataclass(frozen=True, kw_only=True, slots=True)
class UsernameSecret:
    """A username's shop and its secret, which proves nothing before it was compared."""

    shop: Shop
    credential: Credential
    secret: bytes = field(repr=False)


def new_key(random: Callable[[int], bytes]) -> str:
    """Give an API key of 256 random bits."""
    return KEY_PREFIX + urlsafe_b64encode(random(32)).decode().rstrip("=")


def fingerprint_text(der: bytes) -> str:
    """Give the SHA-256 fingerprint of a certificate as people compare it: 64 small hexadecimal digits."""
    return hashlib.sha256(der).hexdigest()


class Credentials:
    """Finds shops by their credentials."""

    def __init__(
        self, *, storage: Storage, vault: Vault, clock: Callable[[], datetime], random: Callable[[int], bytes]
    ) -> None:
        self._storage = storage
        self._vault = vault
        self._clock = clock
        self._random = random

    async def find_api_key(self, api_key: str, name: str | None = None) -> Identity | None:
        """Give whose API key this is, None unless it holds now; where a name is given, it must be that shop's."""
        found = await self._found(API_KEY, api_key)
        return found if found is not None and name in {None, found.shop.name} else None

    async def find_username(self, username: str) -> UsernameSecret | None:
        """Give the shop and the secret of a username, None unless it holds now. Raises VaultError."""
        found = await self._found(USERNAME, username)
        if found is None or found.credential.sealed is None:
            return None
        secret = self._vault.open(USERNAME, found.credential.sealed)
        return UsernameSecret(shop=found.shop, credential=found.credential, secret=secret)

    async def _found(self, kind: str, text: str) -> Identity | None:
        found = await self._storage.query(FindIdentity(lookup=self._vault.index(kind, text)))
        holds = found is not None and found.credential.kind == kind and found.credential.holds(self._clock())
        return found if holds else None
