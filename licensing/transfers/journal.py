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
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from containers import Context
from licensing.errors import JournalDamaged, JournalUnwritable
from storage.records import ContainerRow, Counter, StepRow

_SUM = 16
REMEMBERED = 100_000
"""Records that a process remembers to have appended."""
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
    """Appends records, durable when a method returns.

    A record that this process has appended is not appended again. Another process, or this one after a restart, may
    append it once more, which a replay takes no notice of: so nothing has to be remembered in the database, and a crash
    between the database and the journal is made good by the next answer that holds the same step.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._appended: OrderedDict[tuple[str, int, str], None] = OrderedDict()

    async def sent(self, row: ContainerRow | Context, steps: Sequence[StepRow], signed: Sequence[bytes]) -> None:
        """Append steps with the bytes that will be sent. Raises JournalUnwritable: then nothing may be sent."""
        await self._append(
            row,
            {
                f"{STEP} {step.counter}": _record(
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
            },
        )

    async def lost(self, row: ContainerRow) -> None:
        """Append that a container was declared lost. Raises JournalUnwritable."""
        at = "" if row.lost_at is None else row.lost_at.isoformat()
        await self._append(row, {f"{LOST} {at}": _record(LOST, row, lostAt=at, end=list(row.end))})

    async def rejoined(self, row: ContainerRow) -> None:
        """Append that a container's own listing became its confirmed state, and by which of its exports.

        Raises JournalUnwritable.
        """
        values = {
            "confirmed": list(row.confirmed),
            "confirmedState": _text(row.confirmed_state),
            "export": row.newest_export,
            "nonce": _text(row.newest_nonce),
        }
        await self._append(row, {f"{REJOINED} {row.confirmed}": _record(REJOINED, row, **values)})

    async def _append(self, row: ContainerRow | Context, records: Mapping[str, bytes]) -> None:
        keys = {name: (row.serial, row.firm_code, name) for name in records}
        fresh = {name: record for name, record in records.items() if keys[name] not in self._appended}
        if not fresh:
            return
        try:
            await asyncio.to_thread(append_durably, self._path, b"".join(fresh.values()))
        except OSError as error:
            raise JournalUnwritable(
                f"the journal cannot be written: {error.strerror}; nothing was sent, send the same request again"
            ) from error
        self._appended.update((keys[name], None) for name in fresh)
        while len(self._appended) > REMEMBERED:
            self._appended.popitem(last=False)


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
