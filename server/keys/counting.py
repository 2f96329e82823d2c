"""How many rows depend on which key, and which rows no key opens. Reads only, and needs no server."""

import json
import re
from base64 import b64decode
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from licensing.errors import VaultError
from licensing.keyring import KeyRing
from licensing.rekeying import SEALED, TEXTS, Renewal, open_value, text_heads
from licensing.vault import Vault
from storage.key_plans import holder_of, key_of
from storage.keys import RENEWABLE, Found, KeyKind, KeysView, Value
from storage.maintenance.links import CHUNK, Link, place
from storage.maintenance.schema import check_statements
from storage.statements import load_statements, sql_folder

_PLACE = re.compile(r"(?<!:):([a-z_]+)\b")
_NAMED = b"\x02"
FOR_EVER = frozenset({"tickets", "customers", "answers", "transfers", "extensions", "consents", "suppressions"})
"""Hashes that are of the first pepper for ever (`licensing.vault.ROTATED` has the others)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dependents:
    """How many rows of each place depend on a key."""

    places: Mapping[str, int]

    @property
    def rows(self) -> int:
        """Give how many rows there are in all."""
        return sum(self.places.values())

    def told(self) -> str:
        """Give the places as a text."""
        return ", ".join(f"{count} {place}" for place, count in sorted(self.places.items())) or "none"


Counts = Mapping[tuple[KeyKind, str], Dependents]
"""By kind and id; the id is empty for what bears none, which the first key made."""


async def load_view(link: Link) -> KeysView:
    """Read what the database knows of keys."""
    statements = check_statements(link.dialect)
    keys = [_named(_KEY_COLUMNS, row) for row in await link.fetch(statements["key_states"])]
    holders = [_named(_HOLDER_COLUMNS, row) for row in await link.fetch(statements["key_holders"])]
    return KeysView(keys=tuple(map(key_of, keys)), holders=tuple(map(holder_of, holders)))


async def count_dependents(link: Link) -> Counts:
    """Count the rows that depend on each key, in one state of the database."""
    statements = check_statements(link.dialect)
    counted: dict[tuple[KeyKind, str], Counter[str]] = {}

    def add(kind: KeyKind, key_id: bytes, where: str, count: int) -> None:
        counted.setdefault((kind, key_id.hex()), Counter())[where] += count

    async with link.snapshot():
        sql, values = _placed(link, statements["rows_by_sealing_key"], {"named": _NAMED})
        for where, head, count in await link.fetch(sql, *values):
            add(KeyKind.SEALING_KEY, head[1:], where, count)
        for where, head, count in await link.fetch(statements["rows_by_pepper"]):
            add(KeyKind.PEPPER, head, where, count)
        for what in TEXTS:
            async for row in walk(link, what, head=b""):
                for head in set(text_heads(what, str(row.value))):
                    add(KeyKind.SEALING_KEY, head[1:], what, 1)
    return {key: Dependents(places=dict(places)) for key, places in counted.items()}


def dependents_of(counts: Counts, ring: KeyRing, kind: KeyKind, key_id: str) -> Dependents:
    """Give what depends on a key: what bears its id, and what bears none if it was the first."""
    first = ring.first
    found = Counter(counts[kind, key_id].places) if (kind, key_id) in counts else Counter()
    if first is not None and first.name == key_id and (kind, "") in counts:
        found.update(counts[kind, ""].places)
    return Dependents(places=dict(found))


async def find_unopened(link: Link, vault: Vault) -> Renewal:
    """Open every sealed value with the keys at hand; those that no key opens."""
    found = Renewal()
    for what in (*SEALED, *TEXTS):
        async with link.snapshot():
            async for row in walk(link, what, head=b""):
                try:
                    open_value(what, row, vault)
                except VaultError:
                    found.note_unopened(what, row.key)
    async with link.snapshot(), aclosing(link.stream(check_statements(link.dialect)["reasons_sealed"])) as chunks:
        async for chunk in chunks:
            for audit_id, details in chunk:
                try:
                    vault.open("reason", b64decode(json.loads(details)["reason_sealed"]))
                except VaultError:
                    found.note_unopened("audit", (audit_id,))
    return found


async def walk(link: Link, what: str, *, head: bytes) -> AsyncIterator[Found]:
    """Give the rows of something renewable whose values do not begin with `head`. Inside of `snapshot`."""
    renewable = RENEWABLE[what]
    statement = load_statements((sql_folder("common"),))[f"renewable_{what}"]
    after: Sequence[Value] = tuple(renewable.key.values())
    while True:
        values = {f"after_{name}": value for name, value in zip(renewable.key, after, strict=True)}
        sql, places = _placed(link, statement, {**values, "head": head, "limit": CHUNK})
        rows = await link.fetch(sql, *places)
        for row in rows:
            yield Found(key=tuple(row[: len(renewable.key)]), value=row[-2], beside=row[-1])
        if len(rows) < CHUNK:
            return
        after = tuple(rows[-1][: len(renewable.key)])


_KEY_COLUMNS = (
    "key_id", "kind", "state", "is_first", "made_at", "active_at", "finished_at", "retired_at", "kept"
)  # fmt: skip
_HOLDER_COLUMNS = ("process", "node", "holds", "sealing_key", "pepper", "box_key", "seen_at")


def _named(columns: Sequence[str], row: Sequence[object]) -> dict[str, object]:
    return dict(zip(columns, row, strict=True))


def _placed(link: Link, sql: str, values: Mapping[str, Value]) -> tuple[str, list[Value]]:
    """Give a statement with numbered places, and the values that go there."""
    names = list(dict.fromkeys(_PLACE.findall(sql)))
    return _PLACE.sub(lambda found: place(link, names.index(found[1]) + 1), sql), [values[name] for name in names]
