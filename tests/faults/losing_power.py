"""A disk that loses power, under the real statements of the storage.

The server speaks to SQLite through the standard library, whose connections cannot be given a file system of Python's.
So `PoweredOpener` hands the storage connections of `apsw` that behave like those of `sqlite3`; everything above them,
engine, writer, plans, migrations and SQL, is the product's own. What lies below is `Disk`, a VFS: files are written as
ever, and beside them it is kept what a real disk would be sure of, which is what was there at the last sync of a file.
Writes, truncations and removals that were not synced wait in a list. When the power goes, each of them has happened, or
not, or in part, by the seed: a disk may write what it was given in any order, and tears what is larger than a sector.

The image of the disk after that is written to another folder and opened by the product as it is. The process itself
lives on with a file system that only fails.
"""

import random
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from storage.sqlite.connection import Opener

SECTOR = 512
RAISED_BY_THE_DISK = {apsw.IOError: sqlite3.SQLITE_IOERR, apsw.CantOpenError: sqlite3.SQLITE_CANTOPEN}


@dataclass
class Content:
    """A file as the disk has it for sure, and what was done to it since its last sync, in order."""

    sure: bytes | None = None
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    """(offset, bytes), or (length, None) for a truncation; a removal is a truncation to -1."""

    def synced(self) -> None:
        image = bytearray(self.sure or b"")
        gone = False
        for offset, data in self.pending:
            gone = data is None and offset < 0
            _apply(image, offset, data)
        self.sure = None if gone else bytes(image)
        self.pending.clear()

    def after_loss(self, chance: random.Random) -> bytes | None:
        """What is found when the power is back. None: no such file."""
        if self.sure is None and chance.random() < 0.5:
            return None  # the folder forgot it
        image = bytearray(self.sure or b"")
        exists = True
        for offset, data in self.pending:
            if chance.random() < 0.5:
                continue
            exists = not (data is None and offset < 0)
            if data is None or chance.random() < 0.75:
                _apply(image, offset, data)
            else:
                for part in range(0, len(data), SECTOR):
                    if chance.random() < 0.5:
                        _apply(image, offset + part, data[part : part + SECTOR])
        return bytes(image) if exists else None


def _apply(image: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        del image[max(offset, 0) :]
        return
    image.extend(bytes(max(0, offset - len(image))))
    image[offset : offset + len(data)] = data


class Disk(apsw.VFS):
    """A file system that loses power at its n-th write, sync, truncation or removal. One for each try; thread-safe."""

    def __init__(self, *, name: str, seed: int, lose_at: int, after: Path) -> None:
        super().__init__(name, "")
        self.name = name
        self.operations = 0
        self.lost = False
        self._lose_at = lose_at
        self._seed = seed
        self._after = after
        self._contents: dict[str, Content] = {}
        self._lock = threading.RLock()

    def holds(self, file: Path) -> None:
        """A file that was there, and durable, before."""
        self._contents[str(file)] = Content(sure=file.read_bytes())

    def xOpen(self, name: apsw.URIFilename | str | None, flags: list[int]) -> "File":  # noqa: N802 - apsw's name
        return File(self, name, flags)

    def xDelete(self, name: str, syncdir: bool) -> None:  # noqa: N802
        with self.operation():
            super().xDelete(name, syncdir)
            content = self.content(name)
            content.pending.append((-1, None))
            if syncdir:
                content.synced()

    def content(self, name: str) -> Content:
        return self._contents.setdefault(name, Content())

    def operation(self) -> "threading.RLock":
        """Enter one operation; raises when the power is gone, or goes now."""
        with self._lock:
            self.operations += 1
            if self.operations == self._lose_at:
                self._lose()
            if self.lost:
                raise apsw.IOError("the power is gone")
        return self._lock

    def lose(self) -> None:
        """Lose power now, if it is not lost."""
        with self._lock:
            if not self.lost:
                self._lose()

    def _lose(self) -> None:
        self.lost = True
        chance = random.Random(self._seed)
        self._after.mkdir(parents=True)
        for name, content in sorted(self._contents.items()):
            if name.endswith("-shm"):
                continue  # made anew by whoever opens the database first
            found = content.after_loss(chance)
            if found is not None:
                (self._after / Path(name).name).write_bytes(found)


class File(apsw.VFSFile):
    """A file on such a disk."""

    def __init__(self, disk: Disk, name: apsw.URIFilename | str | None, flags: list[int]) -> None:
        self._disk = disk
        self._name = name.filename() if isinstance(name, apsw.URIFilename) else name
        if disk.lost:
            raise apsw.CantOpenError("the power is gone")
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        with self._disk.operation():
            super().xWrite(data, offset)
            self._pending((offset, bytes(data)))

    def xTruncate(self, size: int) -> None:  # noqa: N802
        with self._disk.operation():
            super().xTruncate(size)
            self._pending((size, None))

    def xSync(self, flags: int) -> None:  # noqa: N802
        with self._disk.operation():
            super().xSync(flags)
            if self._name is not None:
                self._disk.content(self._name).synced()

    def _pending(self, change: tuple[int, bytes | None]) -> None:
        if self._name is not None:
            self._disk.content(self._name).pending.append(change)


@dataclass(frozen=True, kw_only=True)
class PoweredOpener(Opener):
    """Connections on a `Disk`. `synchronous` replaces what the product asks for, to see that the test can fail."""

    disk: Disk
    synchronous: str = "FULL"
    checkpoint_pages: int = 1000

    def create_file(self) -> None:
        """SQLite makes the file, on the disk that is watched."""

    def _connect(self) -> sqlite3.Connection:
        return _Connection(str(self.path), self)  # type: ignore[return-value]


class _Connection:
    """The part of `sqlite3.Connection` that the storage uses, on apsw."""

    def __init__(self, path: str, opener: PoweredOpener) -> None:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        with _translated():
            self._db = apsw.Connection(path, vfs=opener.disk.name, flags=flags, statementcachesize=256)
            self._db.set_busy_timeout(int(opener.busy_seconds * 1000))
        self._synchronous = opener.synchronous

    @property
    def in_transaction(self) -> bool:
        return self._db.in_transaction

    def execute(self, sql: str, parameters: Mapping[str, Any] | Sequence[Any] = ()) -> "_Cursor":
        if sql == "PRAGMA synchronous = FULL":
            sql = f"PRAGMA synchronous = {self._synchronous}"
        return self._run(sql, [parameters])

    def executemany(self, sql: str, parameters: Sequence[Mapping[str, Any]]) -> "_Cursor":
        return self._run(sql, parameters)

    def _run(self, sql: str, many: Sequence[Mapping[str, Any] | Sequence[Any]]) -> "_Cursor":
        rows: list[_Row] = []
        with _translated():
            before = self._db.total_changes()
            for parameters in many:
                cursor = self._db.execute(sql, parameters)
                names: list[str] = []
                for values in cursor:
                    names = names or [name for name, *_ in cursor.get_description()]
                    rows.append(_Row(names, values))
            return _Cursor(rows, self._db.total_changes() - before)

    def close(self) -> None:
        # SQLite tries to checkpoint and goes on without; apsw tells what the file system raised meanwhile.
        with suppress(apsw.Error):
            self._db.close()


class _Row:
    """A row by name and by place, like `sqlite3.Row`."""

    def __init__(self, names: list[str], values: tuple[Any, ...]) -> None:
        self._names = names
        self._values = values

    def __getitem__(self, key: int | str) -> Any:
        return self._values[key if isinstance(key, int) else self._names.index(key)]

    def keys(self) -> list[str]:
        return self._names

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class _Cursor:
    """All rows of a statement that has run."""

    def __init__(self, rows: list[_Row], rowcount: int) -> None:
        self._rows = iter(rows)
        self.rowcount = rowcount

    def fetchone(self) -> _Row | None:
        return next(self._rows, None)

    def fetchall(self) -> list[_Row]:
        return list(self._rows)

    def __iter__(self) -> Iterator[_Row]:
        return self._rows


class _translated:  # noqa: N801 - reads as what it does
    """Errors of apsw as those of sqlite3 that the storage knows."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, apsw.Error):
            kind = sqlite3.IntegrityError if isinstance(error, apsw.ConstraintError) else sqlite3.OperationalError
            same = kind(str(error))
            told = getattr(error, "extendedresult", 0)  # not set on what the disk itself raised
            same.sqlite_errorcode = told or RAISED_BY_THE_DISK.get(type(error), sqlite3.SQLITE_ERROR)
            same.sqlite_errorname = type(error).__name__
            raise same from error
