"""Finding by keyed hashes of several peppers, and renewing a hash when what it is of has come by."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from licensing.vault import Vault
from storage import Storage
from storage.errors import StorageError
from storage.keys import Renew, Renewed

FoundT = TypeVar("FoundT")


class Lookups:
    """Finds what a text stands for, whichever pepper its hash was made with.

    `on_renewed` is called with what was renewed (`credentials`, `administrators`), and with the error if it could not
    be: then it is tried again at the next use, and whoever came by does not notice.
    """

    def __init__(self, *, storage: Storage, vault: Vault) -> None:
        self._storage = storage
        self._vault = vault
        self.on_renewed: Callable[[str, StorageError | None], None] = lambda _what, _error: None

    async def find(
        self, purpose: str, text: str, query: Callable[[bytes], Awaitable[FoundT | None]]
    ) -> tuple[FoundT, bytes] | None:
        """Give what `query` finds by one of the hashes of a text, and that hash; None when there is none."""
        for lookup in self._vault.candidates(purpose, text):
            found = await query(lookup)
            if found is not None:
                return found, lookup
        return None

    async def is_taken(self, purpose: str, text: str, query: Callable[[bytes], Awaitable[object | None]]) -> bool:
        """Whether a text is found by a hash of an older pepper, so that the newest one's would be a second."""
        newest = self._vault.index(purpose, text)
        for lookup in self._vault.candidates(purpose, text):
            if lookup != newest and await query(lookup) is not None:
                return True
        return False

    async def renew(self, what: str, key: str, *, purpose: str, text: str, found: bytes) -> None:
        """Put the hash of the pepper in use in the place of an older one's."""
        if not self._vault.is_older(found):
            return
        newest = self._vault.index(purpose, text)
        try:
            await self._storage.execute(Renew(what=what, rows=(Renewed(key=(key,), old=found, new=newest),)))
        except StorageError as error:
            self.on_renewed(what, error)
        else:
            self.on_renewed(what, None)
