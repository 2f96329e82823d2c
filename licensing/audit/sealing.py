"""Appending to the chain what was written since: what is there and unsealed, not what comes after some id.

A row with a low id may be committed after one with a higher id, so ids say nothing of what is still to come. Every row
without a seal is taken, whatever its id, and its place in the chain is the order of taking.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from licensing.audit.chain import SALT_BYTES, SealingKey, details_digest, next_link, row_digest
from storage import Storage
from storage.audit import AuditEntry, AuditHead, AuditLink, Lease, LoadUnsealed, SealAudit, SealedRow
from storage.commands import Applied

ROWS_AT_ONCE = 500
"""A batch of so many holds up other writers for a few milliseconds, and no more."""

ROWS_ON_THE_LOOP = 50
LEASE = timedelta(seconds=10)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sealed:
    """What a turn of the sealer found and did.

    `unsealed` rows were there before it (100,000 at most are counted), the one with the lowest id from `oldest_at`;
    `sealed` of them are in the chain now. `took_over`: another sealer held the lease before.
    """

    sealed: int
    unsealed: int
    oldest_at: datetime | None
    took_over: bool

    @property
    def more(self) -> bool:
        """Whether there is more to do at once."""
        return 0 < self.sealed < self.unsealed


class Sealer:
    """One of those that may seal; `owner` tells it from the others on this database."""

    def __init__(
        self,
        *,
        storage: Storage,
        key: SealingKey,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        owner: str,
    ) -> None:
        self._storage = storage
        self._key = key
        self._clock = clock
        self._random = random
        self._owner = owner

    async def seal(self, *, most: int = ROWS_AT_ONCE) -> Sealed:
        """Seal up to `most` rows, unless another sealer has the lease. Nothing is written where nothing waits.

        Raises storage's errors; after StorageUnavailable the rows may be sealed, and the next turn finds out.
        """
        found = await self._storage.query(LoadUnsealed(limit=most))
        now = self._clock()
        oldest_at = found.entries[0].row.at if found.entries else None
        nothing = Sealed(sealed=0, unsealed=found.count, oldest_at=oldest_at, took_over=False)
        held = found.owned_until is not None and found.owned_until > now
        if not found.entries or (held and found.owner != self._owner):
            return nothing
        if len(found.entries) > ROWS_ON_THE_LOOP:
            rows = await asyncio.to_thread(self._chained, found.head, found.entries)
        else:
            rows = self._chained(found.head, found.entries)
        head = AuditHead(
            position=rows[-1].link.position, link=rows[-1].seal, sealed_at=now, public_key=b"", signature=b""
        )
        command = SealAudit(
            lease=Lease(owner=self._owner, now=now, until=now + LEASE),
            after=found.head.position,
            rows=rows,
            head=self._key.sign(head),
        )
        if await self._storage.execute(command) != Applied():
            return nothing
        return Sealed(
            sealed=len(rows),
            unsealed=found.count,
            oldest_at=oldest_at,
            took_over=found.owner not in {None, self._owner},
        )

    def _chained(self, head: AuditHead, entries: Sequence[AuditEntry]) -> tuple[SealedRow, ...]:
        rows = []
        link = head.link
        for position, entry in enumerate(entries, start=head.position + 1):
            salt = self._random(SALT_BYTES)
            details = details_digest(entry.row, salt)
            digest = row_digest(entry.row, details)
            link = next_link(link, position, digest)
            place = AuditLink(position=position, audit_id=entry.audit_id, details_digest=details, digest=digest)
            rows.append(SealedRow(link=place, salt=salt, seal=link, erased=entry.erased))
        return tuple(rows)
