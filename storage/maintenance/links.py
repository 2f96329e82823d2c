"""One connection to a database for an operator's work: rows in chunks, so that no table need fit into memory."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Literal, Protocol

from storage import POSTGRES_SCHEMES, sqlite_path
from storage.errors import LocationInvalid

CHUNK = 1000
"""How many rows are in memory at a time."""

Dialect = Literal["sqlite", "postgres"]


class Link(Protocol):
    """A connection that is used by one task at a time. All methods raise errors of `storage.errors`."""

    dialect: Dialect

    async def fetch(self, sql: str, *values: Any) -> list[Sequence[Any]]:
        """All rows of a statement; for those that have few."""
        ...

    def stream(self, sql: str, *values: Any) -> AsyncGenerator[list[Sequence[Any]], None]:
        """The rows of a statement, chunk by chunk. Inside of `snapshot` or `transaction` only."""
        ...

    async def execute(self, sql: str, *values: Any) -> None:
        """Run one statement."""
        ...

    async def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Add rows to a table. Inside of `transaction` only."""
        ...

    async def script(self, sql: str) -> None:
        """Run several statements without values, inside of `transaction`."""
        ...

    def snapshot(self) -> AbstractAsyncContextManager[None]:
        """While it is open, everything is read from the same state of the database, and nothing can be written."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """What is written inside is written whole, and durable when it closes; or not at all, when it raises."""
        ...

    def rehearsal(self) -> AbstractAsyncContextManager[None]:
        """What is written inside is taken back when it closes."""
        ...

    async def close(self) -> None:
        """Let go of the database."""
        ...


def place(link: Link, number: int) -> str:
    """The place of the value with this number, from 1, in a statement."""
    return f"?{number}" if link.dialect == "sqlite" else f"${number}"


def is_postgres(location: str | Path) -> bool:
    """Whether a location names a PostgreSQL database and not a file."""
    return str(location).partition("://")[0] in POSTGRES_SCHEMES


async def open_link(location: str | Path, *, immutable: bool = False) -> Link:
    """Connect to a database that exists, without making or migrating anything.

    `immutable`: a file that nobody writes, such as a backup; nothing is put beside it.

    Raises LocationInvalid where there is none, and StorageUnavailable, StorageCorrupt.
    """
    if is_postgres(location):
        try:
            # Whoever keeps one file need not install, nor load, a driver for something else.
            from storage.maintenance.postgres_link import PostgresLink  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise LocationInvalid(
                "a PostgreSQL address needs the package asyncpg; install opendepot[postgresql]"
            ) from error
        return await PostgresLink.open(str(location))
    from storage.maintenance.sqlite_link import SqliteLink  # noqa: PLC0415 - beside its sister

    return await SqliteLink.open(sqlite_path(location), immutable=immutable)
