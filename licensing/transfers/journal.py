"""The journal: what containers were told, in a file on another disk than the database (transfer protocol, section 5).

A backup of the database is older than the database was. What was signed after it is in the hands of containers, and the
journal brings it back: each step before it is sent, each loss and each rejoining before it is answered. A record is one
line, a checksum and JSON; several processes append to one file. `licensing.replaying` reads it.
"""

import asyncio
import fcntl
import hashlib
import json
import os
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from containers import Context
from licensing.errors import JournalDamaged, JournalUnwritable
from storage.records import ContainerRow, Counter, StepRow

_SUM = 16
STEP, LOST, REJOINED = "Step", "Lost", "Rejoined"


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One record: what it is, which container and firm code, and its values."""

    kind: str
    serial: str
    firm_code: int
    public_key: bytes
    values: Mapping[str, Any]

    def octets(self, name: str) -> bytes:
        """Give a value that is bytes."""
        return b64decode(self.values[name])

    def counter(self, name: str) -> Counter:
        """Give a value that is a counter."""
        epoch, number = self.values[name]
        return epoch, number

    def moment(self, name: str) -> datetime:
        """Give a value that is a time."""
        return datetime.fromisoformat(self.values[name])


class Journal:
    """Appends records, durable when a method returns."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def sent(self, row: ContainerRow | Context, steps: Sequence[StepRow], signed: Sequence[bytes]) -> None:
        """Append steps with the bytes that will be sent. Raises JournalUnwritable: then nothing may be sent."""
        await self._append(
            [
                _record(
                    STEP,
                    row,
                    counter=list(step.counter),
                    fromCounter=list(step.from_counter),
                    stepKind=step.kind,
                    digestBefore=_text(step.digest_before),
                    digestAfter=_text(step.digest_after),
                    stateAfter=_text(step.state_after),
                    content=_text(step.content),
                    signed=_text(data),
                    issuedAt=step.issued_at.isoformat(),
                )
                for step, data in zip(steps, signed, strict=True)
            ]
        )

    async def lost(self, row: ContainerRow, *, at: datetime) -> None:
        """Append that a container was declared lost. Raises JournalUnwritable."""
        await self._append([_record(LOST, row, lostAt=at.isoformat(), end=list(row.end))])

    async def rejoined(self, row: ContainerRow) -> None:
        """Append that a container's own listing became its confirmed state. Raises JournalUnwritable."""
        values = {"confirmed": list(row.confirmed), "confirmedState": _text(row.confirmed_state)}
        await self._append([_record(REJOINED, row, **values)])

    async def _append(self, records: Sequence[bytes]) -> None:
        if records:
            try:
                await asyncio.to_thread(append_durably, self._path, b"".join(records))
            except OSError as error:
                raise JournalUnwritable(
                    f"the journal cannot be written: {error.strerror}; nothing was sent, send the same request again"
                ) from error


def append_durably(path: Path, data: bytes) -> None:
    """Append whole records and wait until they are on the disk. What a crash left of one is cut off first."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        end = _whole_end(descriptor)
        os.ftruncate(descriptor, end)
        os.lseek(descriptor, end, os.SEEK_SET)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_journal(path: Path) -> Iterator[Record]:
    """Give the records in order; a last line that a crash cut off is left out.

    Raises JournalDamaged, naming the line, OSError.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return
            checksum, _, text = line[:-1].partition(b" ")
            if checksum != _checksum(text):
                raise JournalDamaged(f"line {number} of {path} is damaged; take the lines before it, or another copy")
            found = json.loads(text)
            yield Record(
                kind=found.pop("kind"),
                serial=found.pop("serial"),
                firm_code=found.pop("firmCode"),
                public_key=b64decode(found.pop("publicKey")),
                values=found,
            )


def _whole_end(descriptor: int) -> int:
    """Give where the last whole line ends."""
    end = os.lseek(descriptor, 0, os.SEEK_END)
    while end:
        start = max(0, end - 4096)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _record(kind: str, row: ContainerRow | Context, **values: object) -> bytes:
    content = {
        "kind": kind,
        "serial": row.serial,
        "firmCode": row.firm_code,
        "publicKey": _text(row.public_key),
        **values,
    }
    text = json.dumps(content, ensure_ascii=False).encode()
    return _checksum(text) + b" " + text + b"\n"


def _checksum(text: bytes) -> bytes:
    return hashlib.sha256(text).hexdigest()[:_SUM].encode()


def _text(data: bytes) -> str:
    return b64encode(data).decode("ascii")
