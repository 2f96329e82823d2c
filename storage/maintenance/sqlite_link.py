"""A `storage.maintenance.links.Link` to a SQLite file."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from storage.errors import LocationInvalid
from storage.maintenance.links import CHUNK, Dialect
from storage.sqlite.connection import typed_error

Result = TypeVar("Result")
BUSY_SECONDS = 10.0


class SqliteLink:
    """Statements run in threads, one at a time, so that the event loop stays free."""

    dialect: Dialect = "sqlite"

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    @classmethod
    async def open(cls, path: Path, *, immutable: bool = False) -> "SqliteLink":
        """Connect to a file that exists."""
        return cls(await _run(lambda: _connect(path, immutable=immutable)))

    async def fetch(self, sql: str, *values: Any) -> list[Sequence[Any]]:
        """All rows of a statement."""
        return await _run(lambda: self.connection.execute(sql, values).fetchall())

    async def stream(self, sql: str, *values: Any) -> AsyncGenerator[list[Sequence[Any]], None]:
        """The rows of a statement, chunk by chunk."""
        cursor = await _run(lambda: self.connection.execute(sql, values))
        while chunk := await _run(lambda: cursor.fetchmany(CHUNK)):
            yield chunk

    async def execute(self, sql: str, *values: Any) -> None:
        """Run one statement."""
        await _run(lambda: self.connection.execute(sql, values))

    async def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Add rows to a table. References among them are looked at when the transaction ends."""
        places = ", ".join("?" * len(columns))
        sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608 - declared names
        await self.execute("PRAGMA defer_foreign_keys = ON")
        await _run(lambda: self.connection.executemany(sql, rows))

    async def script(self, sql: str) -> None:
        """Run several statements."""
        await _run(lambda: self.connection.executescript(sql))

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[None]:
        """Read one state of the database."""
        await self.execute("BEGIN")
        try:
            await self.fetch("SELECT count(*) FROM sqlite_schema")  # the first read takes the snapshot
            yield
        finally:
            await _run(self._roll_back)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Write whole or not at all."""
        await self.execute("BEGIN IMMEDIATE")
        try:
            yield
            await self.execute("COMMIT")
        finally:
            await _run(self._roll_back)

    @asynccontextmanager
    async def rehearsal(self) -> AsyncIterator[None]:
        """Write, and take it back."""
        await self.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            await _run(self._roll_back)

    async def close(self) -> None:
        """Let go of the file."""
        await _run(self.connection.close)

    def _roll_back(self) -> None:
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")


async def _run(work: Callable[[], Result]) -> Result:
    try:
        return await asyncio.to_thread(work)
    except sqlite3.Error as error:
        raise typed_error(error) from error


def _connect(path: Path, *, immutable: bool) -> sqlite3.Connection:
    if not path.is_file():
        raise LocationInvalid(f"there is no database {path}; `opendepot init DIR` makes one")
    mode = "mode=ro&immutable=1" if immutable else "mode=rw"
    connection = sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?{mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("SELECT count(*) FROM sqlite_schema")
    except sqlite3.Error:
        connection.close()
        raise
    return connection
