"""Opening a database file, and SQLite's errors in the words of `storage.errors`."""

import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from storage.errors import (
    ConstraintRefused,
    StorageBusy,
    StorageCorrupt,
    StorageError,
    StorageUnavailable,
)

OWNER_ONLY = 0o600

_BY_PRIMARY_CODE: dict[int, tuple[type[StorageError], str]] = {
    sqlite3.SQLITE_BUSY: (StorageBusy, "another process holds the database; try again"),
    sqlite3.SQLITE_LOCKED: (StorageBusy, "the database is locked; try again"),
    sqlite3.SQLITE_FULL: (StorageUnavailable, "the disk is full; make room and try again"),
    sqlite3.SQLITE_IOERR: (StorageUnavailable, "reading or writing the database failed; check the disk"),
    sqlite3.SQLITE_CANTOPEN: (StorageUnavailable, "the database cannot be opened; check the folder and its rights"),
    sqlite3.SQLITE_READONLY: (
        StorageUnavailable,
        "the database cannot be written; check the rights of file and folder",
    ),
    sqlite3.SQLITE_PERM: (StorageUnavailable, "the database cannot be used; check the rights of file and folder"),
    sqlite3.SQLITE_NOMEM: (StorageUnavailable, "there is not enough memory for the database"),
    sqlite3.SQLITE_CORRUPT: (StorageCorrupt, "the database is damaged; restore a backup"),
    sqlite3.SQLITE_NOTADB: (StorageCorrupt, "the file is no SQLite database; name another file"),
    sqlite3.SQLITE_CONSTRAINT: (ConstraintRefused, "a rule of the schema refused the change"),
}


def typed_error(error: sqlite3.Error) -> StorageError:
    """The error of `storage.errors` that stands for an error of SQLite."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if isinstance(code, int) else -1
    kind, message = _BY_PRIMARY_CODE.get(primary, (StorageError, "the database refused a statement"))
    name = getattr(error, "sqlite_errorname", None) or type(error).__name__
    return kind(f"{message} ({name})")


CACHE_KIBIBYTES = 8 * 1024
"""A batch of orders fits, so that no page goes to the log before its transaction has ended. What is missing comes from
the system's own cache: with a million orders there, one more took as long with 16, 24 and 64 MiB, and a little more
with 2. All that passes, such as the files of a streamed answer, fills this to the brim, in every process; so it is what
a server grows by."""

CHECKPOINT_PAGES = 8_000
"""32 MiB: a page that changed often meanwhile goes to its place once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Opener:
    """How connections to one database file are made.

    `busy_seconds` is how long a statement waits for another process; `checkpoint_pages` is how many pages wait in the
    WAL before they go to their places; `factory` is the class of the connections, another one where a test wants
    statements to fail.
    """

    path: Path
    busy_seconds: float
    checkpoint_pages: int = CHECKPOINT_PAGES
    factory: type[sqlite3.Connection] = sqlite3.Connection

    def create_file(self) -> None:
        """Make the file for its owner only, unless it exists. SQLite gives -wal and -shm beside it the same mode."""
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY)
        except FileExistsError:
            return
        except OSError as error:
            raise StorageUnavailable(f"the database file cannot be created: {error.strerror}") from error
        os.close(descriptor)

    def writer(self) -> sqlite3.Connection:
        """A connection that may write; what it commits is on the disk."""
        connection = self._connect()
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {self.checkpoint_pages}")
        # What is deleted or overwritten is zeroed in the file, so that erased data is gone from it.
        connection.execute("PRAGMA secure_delete = ON")
        return connection

    def reader(self) -> sqlite3.Connection:
        """A connection that cannot write."""
        connection = self._connect()
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            timeout=self.busy_seconds,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
            factory=self.factory,
        )
        connection.row_factory = sqlite3.Row
        return connection


class Link:
    """A connection that is opened when it is first needed, and again when the one before could not roll back."""

    def __init__(self, *, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._connection: sqlite3.Connection | None = None

    def connection(self) -> sqlite3.Connection:
        """The connection; raises `sqlite3.Error` where it cannot be opened."""
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def roll_back(self) -> None:
        """End whatever transaction is open."""
        try:
            if self._connection is not None and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            # A connection that cannot roll back is done for. Closing it rolls back; the next use opens another.
            self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
