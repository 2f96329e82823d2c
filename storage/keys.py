"""Which keys a database was made with, who has them at hand, and rows whose sealed values or hashes are renewed.

No key ever comes here: a key is an id of 8 hexadecimal digits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from storage.records import AuditRow

Value = str | int | bytes
"""A part of a row's key, or what is renewed."""


class KeyKind(StrEnum):
    """What a key does; the names of the files that systemd hands over."""

    SEALING_KEY = "sealing-key"
    PEPPER = "pepper"


class KeyState(StrEnum):
    """How far a key has come. One of each kind is active at a time."""

    ADDED = "added"
    """It is being handed out to all nodes; it opens, and nothing is made with it yet."""
    ACTIVE = "active"
    """It makes, and opens."""
    OPENS = "opens"
    """It only opens what was made with it."""
    RETIRED = "retired"
    """Nothing depends on it any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyRow:
    """A key as the database knows it. `finished_at`: since then nothing waits to be renewed for it."""

    key_id: str
    kind: KeyKind
    state: KeyState
    is_first: bool
    made_at: datetime
    active_at: datetime | None = None
    finished_at: datetime | None = None
    retired_at: datetime | None = None
    kept: bytes | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyHolder:
    """What a process has at hand: all ids, those it makes with, and the one its Firm Security Box was opened with."""

    process: str
    node: str
    holds: tuple[str, ...]
    sealing_key: str
    pepper: str
    box_key: str
    seen_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Renewable:
    """A column whose values are renewed, and the key columns of its table with what sorts before all of theirs.

    `remembered`: processes keep its values in memory, and must be told that they changed.
    """

    key: Mapping[str, Value]
    remembered: bool = False


RENEWABLE: Mapping[str, Renewable] = MappingProxyType(
    {
        "tickets": Renewable(key={"ticket_id": ""}),
        "customers": Renewable(key={"order_id": ""}),
        "answers": Renewable(key={"shop_id": "", "operation": "", "transaction_id": ""}),
        "usernames": Renewable(key={"credential_id": ""}, remembered=True),
        "users": Renewable(key={"serial": "", "firm_code": -1, "key": b""}),
        "messages": Renewable(key={"message_id": ""}),
        "extensions": Renewable(key={"extension_id": ""}),
        "consents": Renewable(key={"lookup": b""}),
        "items": Renewable(key={"item_number": ""}, remembered=True),
        "licenses": Renewable(key={"license_id": ""}),
        "previous": Renewable(key={"license_id": ""}),
        "kept": Renewable(key={"key_id": ""}),
        "credentials": Renewable(key={"credential_id": ""}, remembered=True),
        "administrators": Renewable(key={"name": ""}, remembered=True),
    }
)
"""What can be renewed, by name; each has a statement `renewable_NAME` and one `renew_NAME`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Renewed:
    """A row's key, the value that it has, and the one that it shall have."""

    key: tuple[Value, ...]
    old: Value
    new: Value


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A row's key and a value of it that another key than the newest made; `beside`: what a hash is made of."""

    key: tuple[Value, ...]
    value: Value
    beside: bytes | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AddKeys:
    """Let keys be known. Those that are known stay as they are. Answered True, or False when the last one was known."""

    keys: tuple[KeyRow, ...]
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class ActivateKey:
    """Let an added key make, and the one before it only open. Answered False when it is not one that was added."""

    key_id: str
    kind: KeyKind
    at: datetime
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class FinishKey:
    """Say that nothing waits to be renewed for the active key. Answered False when it is another one."""

    key_id: str
    at: datetime
    audit: AuditRow


@dataclass(frozen=True, kw_only=True, slots=True)
class RetireKey:
    """Say that nothing depends on a key that opens, or with `back` that something does after all.

    `fingerprint`: of the keys that are left. Answered False when the key's state does not allow it.
    """

    key_id: str
    at: datetime
    fingerprint: bytes
    audit: AuditRow
    kept: bytes | None = None
    back: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportKeys:
    """Say what a process has at hand, and forget those that have said nothing since `forget_before`. Answered True."""

    holder: KeyHolder
    forget_before: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Renew:
    """Put new values where the old ones still are. Answered with how many were written."""

    what: str
    rows: tuple[Renewed, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadKeys:
    """All keys of which the database knows and those who have said what they hold, as a `KeysView`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KeysView:
    """The answer to `LoadKeys`; no keys: there are only the first ones. Both are sorted, the keys by time."""

    keys: tuple[KeyRow, ...]
    holders: tuple[KeyHolder, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class WalkRenewable:
    """Up to `limit` rows after a key whose values do not begin with `head`, sorted by key."""

    what: str
    head: bytes
    after: tuple[Value, ...] | None
    limit: int


KeyCommand = AddKeys | ActivateKey | FinishKey | RetireKey | ReportKeys | Renew
KeyQuery = LoadKeys | WalkRenewable
