"""The audit as values: what a sealer reads and writes, and what whoever checks the chain reads.

What the digests and links are made of belongs to `licensing.audit`.
"""

from dataclasses import dataclass
from datetime import datetime

from storage.records import AuditRow

AuditId = int | str
"""The key of an audit row in its own database. It is no part of the chain: another database may count otherwise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEntry:
    """An audit row as it stands.

    `salt` and `seal` (the link of the chain at this row) are None until it is sealed. `erased`: its details are gone,
    and with them the salt of a row that was sealed before.
    """

    audit_id: AuditId
    row: AuditRow
    salt: bytes | None
    seal: bytes | None
    erased: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditLink:
    """One position of the chain (from 1, without gaps) and what was sealed there."""

    position: int
    audit_id: AuditId
    details_digest: bytes
    digest: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditHead:
    """How far the chain goes: its newest position, the link there, and a signature over both and the time.

    Position 0, before anything was sealed, has neither key nor signature.
    """

    position: int
    link: bytes
    sealed_at: datetime
    public_key: bytes
    signature: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Lease:
    """Who does a work that one process at a time does, and until when it keeps others from it.

    It can be taken when nobody has it, when it has expired at `now`, or by the owner again.
    """

    owner: str
    now: datetime
    until: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class SealedRow:
    """An audit row that is to be sealed: its place in the chain, and what the row itself gets."""

    link: AuditLink
    salt: bytes
    seal: bytes
    erased: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class SealAudit:
    """Append rows to the chain and replace its head, or nothing.

    Written only if the lease can be taken, the head still stands at position `after`, and none of the rows was sealed
    or erased meanwhile; otherwise answered `Moved`.
    """

    lease: Lease
    after: int
    rows: tuple[SealedRow, ...]
    head: AuditHead


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadUnsealed:
    """What a sealer needs: up to `limit` unsealed rows, in the order of their ids."""

    limit: int


@dataclass(frozen=True, kw_only=True, slots=True)
class UnsealedAudit:
    """The answer to `LoadUnsealed`. `count` stops at 100,000; `owner` is None where no lease was ever taken."""

    head: AuditHead
    entries: tuple[AuditEntry, ...]
    count: int
    owner: str | None
    owned_until: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadAuditHead:
    """The `AuditHead`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WalkAudit:
    """Up to `limit` positions of the chain after one, in order, each with the row that is there now, or None."""

    after: int
    limit: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FindUnchained:
    """The ids of up to `limit` rows that bear a seal but stand nowhere in the chain."""

    limit: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ListAudit:
    """Up to `limit` rows, the newest first; only those about a subject or of an action where one is given."""

    limit: int
    subject: str | None = None
    action: str | None = None


AuditQuery = LoadUnsealed | LoadAuditHead | WalkAudit | FindUnchained | ListAudit
