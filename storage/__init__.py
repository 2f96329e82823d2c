"""Everything that must outlive the process, behind commands and queries as values (design, section 8)."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from storage.errors import LocationInvalid
from storage.interface import Storage
from storage.sqlite.connection import Opener
from storage.sqlite.engine import SqliteStorage

__all__ = ["Storage", "open_storage"]

POSTGRES_SCHEMES = ("postgresql", "postgres")


async def open_storage(
    location: str | Path,
    *,
    queue_limit: int = 10_000,
    batch_limit: int = 128,
    reader_count: int = 4,
    busy_seconds: float = 5.0,
    statement_cache_size: int = 256,
) -> Storage:
    """Open a database and migrate it. The storage belongs to the running event loop.

    A file is created, readable by its owner only, where it is missing; its folder must exist. A PostgreSQL database
    must exist, in UTF8, and its user must be allowed to create tables.

    Args:
        location: a path, or an address: `sqlite:///var/lib/opendepot/depot.db` with an absolute path, or
            `postgresql://user@host/database?sslmode=verify-full`.
        queue_limit: how many commands may wait for the writer before `StorageBusy` is raised.
        batch_limit: how many commands are committed together at most.
        reader_count: how many queries run at the same time.
        busy_seconds: how long a transaction waits for another process or node.
        statement_cache_size: how many prepared statements a connection keeps; PostgreSQL behind a pooler that lends
            connections for single transactions may need 0.

    Raises:
        LocationInvalid: the address names no database that can be opened.
        StorageUnavailable, StorageCorrupt, ForeignDatabase, SchemaTooNew, MigrationChanged: it cannot be used.
    """
    if str(location).partition("://")[0] in POSTGRES_SCHEMES:
        return await _open_postgres(
            str(location),
            queue_limit=queue_limit,
            batch_limit=batch_limit,
            reader_count=reader_count,
            busy_seconds=busy_seconds,
            statement_cache_size=statement_cache_size,
        )
    return await SqliteStorage.open(
        opener=Opener(path=sqlite_path(location), busy_seconds=busy_seconds),
        queue_limit=queue_limit,
        batch_limit=batch_limit,
        reader_count=reader_count,
    )


async def _open_postgres(
    location: str,
    *,
    queue_limit: int,
    batch_limit: int,
    reader_count: int,
    busy_seconds: float,
    statement_cache_size: int,
) -> Storage:
    try:
        # Whoever keeps one file need not install, nor load, a driver for something else.
        from storage.postgres.connection import Opener as PostgresOpener  # noqa: PLC0415
        from storage.postgres.engine import PostgresStorage  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise LocationInvalid(
            "a PostgreSQL address needs the package asyncpg; install opendepot[postgresql]"
        ) from error
    return await PostgresStorage.open(
        opener=PostgresOpener(location=location, busy_seconds=busy_seconds, statement_cache_size=statement_cache_size),
        queue_limit=queue_limit,
        batch_limit=batch_limit,
        reader_count=reader_count,
    )


def sqlite_path(location: str | Path) -> Path:
    """The file that a path or a `sqlite:///` address names; LocationInvalid for any other address."""
    if isinstance(location, Path) or "://" not in location:
        return Path(location)
    address = urlsplit(location)
    if address.scheme != "sqlite" or address.netloc or address.query or len(address.path) < 2:
        raise LocationInvalid(
            "name a file, or an address like sqlite:///var/lib/opendepot/depot.db or postgresql://user@host/database"
        )
    return Path(unquote(address.path))
