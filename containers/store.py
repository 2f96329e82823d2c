"""One file that is replaced whole or not at all, and one process at a time that replaces it (design, section 6).

POSIX only: the lock is flock(2), and the folder is synced after the rename.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from containers.model import ContainerError

_OWNER_ONLY = 0o600


class Store:
    """The file that `path` leads to, beside `<path>.lock` and, while it is written, `<path>.new`."""

    def __init__(self, path: Path) -> None:
        # One file is one container, whichever link leads to it and wherever the process goes: a rename would replace
        # the link, two names would have two locks, and then one number would be exported twice.
        self._path = path.resolve()
        self._lock = self._path.with_name(self._path.name + ".lock")
        self._new = self._path.with_name(self._path.name + ".new")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock, waiting for it. It goes when the process does, however that ends."""
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _OWNER_ONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def exists(self) -> bool:
        """Return whether the file is there."""
        return self._path.exists()

    def read(self) -> bytes:
        """Return the file's bytes: those of one write, whole, with or without the lock.

        Raises ContainerError `ContainerMissing` if there is no file.
        """
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            raise ContainerError("ContainerMissing", "there is no container at this path; create one") from None

    def write(self, data: bytes) -> None:
        """Replace the file, under the lock. When this returns the new bytes are durable; before, the old ones stand.

        Raises ContainerError `ContainerLinked` when the file has another name; OSError when the disk refuses: then
        either the old bytes stand or the new ones.
        """
        self._refuse_second_name()
        # What a killed process left is of unknown length and may be linked elsewhere.
        self._new.unlink(missing_ok=True)
        descriptor = os.open(self._new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _OWNER_ONLY)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._new.rename(self._path)
        self._sync_folder()

    def _refuse_second_name(self) -> None:
        # The rename would give the new bytes to one name and leave the old ones under the other: two copies.
        if self._path.exists() and self._path.stat().st_nlink > 1:
            raise ContainerError(
                "ContainerLinked", "the container's file has a second name (a hard link); remove that one"
            )

    def _sync_folder(self) -> None:
        # The rename is durable only when the folder is.
        descriptor = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
