"""Turns of the processes that write one database file.

SQLite up to 3.51.2 (but not 3.44.6 and 3.50.7) has a race: when one connection takes the log into the database while
another commits and starts the log anew, what was committed may be skipped later on, and is lost (sqlite.org/wal.html,
"The WAL reset bug"). Any commit may take the log in, after it let go of SQLite's own lock. So whoever writes holds a
lock of ours from before BEGIN until COMMIT has returned, and no two connections of ours are at it at the same time. The
lock is the operating system's: it ends with its process.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from storage.errors import StorageBusy, StorageUnavailable

OWNER_ONLY = 0o600
PAUSE_SECONDS = 0.001


class Turn:
    """The right to write to a database, through an empty file beside it."""

    def __init__(self, database: Path, *, seconds: float) -> None:
        """Raises StorageUnavailable when the file cannot be made. `seconds`: how long a turn is waited for."""
        self._seconds = seconds
        # Never the database itself: closing any descriptor of it would drop SQLite's own locks.
        real = database.resolve()  # by whatever name it was opened, the turn is the same
        path = real.with_name(f"{real.name}-turn")
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
        except OSError as error:
            raise StorageUnavailable(f"the file {path.name} cannot be made: {error.strerror}") from error

    @contextmanager
    def held(self) -> Iterator[None]:
        """Wait for the turn and keep it for the block. Raises StorageBusy when others keep it for too long."""
        end = time.monotonic() + self._seconds
        while not self._taken():
            if time.monotonic() >= end:
                raise StorageBusy("another process writes to the database; try again")
            time.sleep(PAUSE_SECONDS)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)
