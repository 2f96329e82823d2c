"""Everything that must outlive the process, behind commands and queries as values (design, section 8)."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from storage.errors import LocationInvalid
from storage.interface import Storage
from storage.sqlite.connection import Opener
from storage.sqlite.engine import SqliteStorage

__all__ = ["Storage", "open_storage"]


async def open_storage(
    location: str | Path,
    *,
    queue_limit: int = 10_000,
    batch_limit: int = 128,
    reader_count: int = 4,
    busy_seconds: float = 5.0,
) -> Storage:
    """Open the database at a path or an address like `sqlite:///var/lib/opendepot/depot.db` and migrate it.

    The file is created, readable by its owner only, where it is missing; its folder must exist. The storage belongs
    to the running event loop.

    Args:
        location: the path, or the address with an absolute path.
        queue_limit: how many commands may wait for the writer before `StorageBusy` is raised.
        batch_limit: how many commands are committed together at most.
        reader_count: how many queries run at the same time.
        busy_seconds: how long a transaction waits for another process.

    Raises:
        LocationInvalid: the address names no database that can be opened.
        StorageUnavailable, StorageCorrupt, ForeignDatabase, SchemaTooNew, MigrationChanged: it cannot be used.
    """
    return await SqliteStorage.open(
        opener=Opener(path=_path(location), busy_seconds=busy_seconds),
        queue_limit=queue_limit,
        batch_limit=batch_limit,
        reader_count=reader_count,
    )


def _path(location: str | Path) -> Path:
    if isinstance(location, Path) or "://" not in location:
        return Path(location)
    address = urlsplit(location)
    if address.scheme != "sqlite" or address.netloc or address.query or len(address.path) < 2:
        raise LocationInvalid("name a file, or an address like sqlite:///var/lib/opendepot/depot.db")
    return Path(unquote(address.path))
