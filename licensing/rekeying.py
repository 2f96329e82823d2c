"""Renewing what older keys have sealed or hashed, a page of rows at a time, while others go on reading and writing.

What is renewed is found by its beginning, which says which key made it: so it may stop anywhere and go on later, and
nothing says how far it has come but the rows themselves. A row that somebody else has changed meanwhile is left alone;
the next pass finds it if it needs to.
"""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from licensing.credentials import CERTIFICATE, fingerprint_text
from licensing.data import data_heads, open_data, with_data_renewed
from licensing.errors import VaultError
from licensing.vault import Vault
from storage import Storage
from storage.keys import Found, KeyKind, Renew, Renewed, Value, WalkRenewable

ROWS_AT_ONCE = 200
MOST_PASSES = 10
NAMED = 5
"""So many rows that no key opens are named."""

SEALED: Mapping[str, str] = {
    "tickets": "ticket",
    "customers": "customer",
    "answers": "answer",
    "usernames": "username",
    "users": "user",
    "messages": "outbox",
    "extensions": "extension",
    "consents": "mail address",
    "kept": "kept",
}
"""The purposes of sealed columns, by their names in `storage.keys.RENEWABLE`."""

TEXTS = ("items", "licenses", "previous")
"""Columns that hold JSON with sealed values in it."""

OF_KIND: Mapping[KeyKind, tuple[str, ...]] = {
    KeyKind.SEALING_KEY: (*SEALED, *TEXTS),
    KeyKind.PEPPER: ("credentials",),
}
"""What can be renewed at once. The hashes of API keys and usernames wait until somebody comes with them."""

Progress = Callable[[str, int], None]
"""Called with what is renewed now, and how many rows of it were."""


@dataclass(kw_only=True, slots=True)
class Renewal:
    """What came of it: how many rows were renewed, and those that could not be, the first of them by name."""

    renewed: int = 0
    unopened: int = 0
    named: list[str] = field(default_factory=list)

    def note_unopened(self, what: str, key: tuple[Value, ...]) -> None:
        """Count a row that no key opens."""
        self.unopened += 1
        if len(self.named) < NAMED:
            self.named.append(row_name(what, key))


def row_name(what: str, key: tuple[Value, ...]) -> str:
    """Give a row as it is named to people."""
    return f"{what} {'/'.join(part.hex() if isinstance(part, bytes) else str(part) for part in key)}"


class Rekeying:
    """Renews rows for the keys that the vault makes with now."""

    def __init__(self, *, storage: Storage, vault: Vault) -> None:
        self._storage = storage
        self._vault = vault

    async def renew(self, kind: KeyKind, *, progress: Progress = lambda _what, _count: None) -> Renewal:
        """Renew everything, pass after pass, until a pass finds nothing more to do."""
        total = Renewal()
        for _ in range(MOST_PASSES):
            one = Renewal()
            for what in OF_KIND[kind]:
                await self._renew(what, one, progress)
            total.renewed += one.renewed
            total.unopened, total.named = one.unopened, one.named
            if one.renewed == 0:
                break
        return total

    async def _renew(self, what: str, total: Renewal, progress: Progress) -> None:
        done = 0
        async for page in self._pages(what):
            rows = []
            for row in page:
                try:
                    new = renewed_value(what, row, self._vault)
                except VaultError:
                    total.note_unopened(what, row.key)
                    continue
                if new != row.value:
                    rows.append(Renewed(key=row.key, old=row.value, new=new))
            if rows:
                done += await self._storage.execute(Renew(what=what, rows=tuple(rows)))
                progress(what, done)
        total.renewed += done

    async def _pages(self, what: str) -> AsyncIterator[tuple[Found, ...]]:
        pepper = self._vault.pepper
        head = self._vault.seal_head if what in SEALED or what in TEXTS else pepper.key_id
        after: tuple[Value, ...] | None = None
        while True:
            page = await self._storage.query(WalkRenewable(what=what, head=head, after=after, limit=ROWS_AT_ONCE))
            if not page:
                return
            yield page
            after = page[-1].key


def renewed_value(what: str, row: Found, vault: Vault) -> Value:
    """Give the value that a row shall have. Raises VaultError when no key opens the one it has."""
    if what in SEALED:
        return vault.seal(SEALED[what], vault.open(SEALED[what], _bytes(row.value)))
    if what in TEXTS:
        return _with_options(what, str(row.value), lambda options: with_data_renewed(options, vault=vault))
    if not vault.is_older(_bytes(row.value)):
        return row.value
    return vault.index(CERTIFICATE, fingerprint_text(row.beside or b""))


def open_value(what: str, row: Found, vault: Vault) -> None:
    """Open everything sealed in a row. Raises VaultError."""
    if what in SEALED:
        vault.open(SEALED[what], _bytes(row.value))
    elif what in TEXTS:
        open_data(_options(what, str(row.value)), vault=vault)


def text_heads(what: str, text: str) -> tuple[bytes, ...]:
    """Say which keys have sealed what is in a text."""
    return data_heads(_options(what, text))


def _options(what: str, text: str) -> str:
    return str(json.loads(text)["options"]) if what == "previous" else text


def _with_options(what: str, text: str, change: Callable[[str], str]) -> str:
    if what != "previous":
        return change(text)
    before = json.loads(text)
    options = change(before["options"])
    return text if options == before["options"] else json.dumps({**before, "options": options}, sort_keys=True)


def _bytes(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError("the column holds no bytes")
    return value
