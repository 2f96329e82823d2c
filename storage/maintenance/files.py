"""Files that must be whole or not there: written beside their place, made durable, then put there."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from storage.maintenance.errors import MaintenanceError

PIECE = 1 << 20
Progress = Callable[[str, int, int], None]
"""Called with what is done now, how much of it is done, and how much there is."""


def no_progress(_what: str, _done: int, _total: int) -> None:
    """Tell nobody."""


def new_private_file(path: Path) -> None:
    """Make an empty file for its owner only. Raises MaintenanceError where it exists or cannot be made."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise MaintenanceError(f"{path} exists; name another file, or take it away first") from None
    except OSError as error:
        raise MaintenanceError(f"cannot write {path}: {error.strerror}") from None


def put_in_place(draft: Path, path: Path) -> None:
    """Make a draft durable and give it its name, replacing what has the name."""
    make_durable(draft)
    draft.replace(path)
    make_durable(path.parent)


def make_durable(path: Path) -> None:
    """Wait until the disk holds a file's bytes, or a folder's names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, content: bytes) -> None:
    """Write a small file for its owner only, whole or not at all."""
    draft = path.with_name(path.name + ".draft")
    draft.unlink(missing_ok=True)
    new_private_file(draft)
    draft.write_bytes(content)
    put_in_place(draft, path)


def sha256_of(path: Path, progress: Progress = no_progress) -> str:
    """The SHA-256 of a file in hexadecimal."""
    digest, size, done = hashlib.sha256(), path.stat().st_size, 0
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
            done += len(piece)
            progress(f"checksum of {path.name}", done, size)
    return digest.hexdigest()
