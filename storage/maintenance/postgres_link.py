"""A `storage.maintenance.links.Link` to a PostgreSQL database."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from storage.maintenance.links import CHUNK, Dialect
from storage.postgres.connection import Opener
from storage.postgres.errors import DRIVER_ERRORS, typed_error

Result = TypeVar("Result")


class PostgresLink:
    """One connection. No statement has a time limit, since some read whole tables."""

    dialect: Dialect = "postgres"

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    @classmethod
    async def open(cls, location: str) -> "PostgresLink":
        """Connect to a database that exists."""
        return cls(await Opener(location=location, statement_cache_size=0).connect())

    async def fetch(self, sql: str, *values: Any) -> list[Sequence[Any]]:
        """All rows of a statement."""
        return list(await _run(self.connection.fetch(sql, *values, timeout=None)))

    async def stream(self, sql: str, *values: Any) -> AsyncGenerator[list[Sequence[Any]], None]:
        """The rows of a statement, chunk by chunk."""
        cursor = await _run(self.connection.cursor(sql, *values))
        while chunk := await _run(cursor.fetch(CHUNK, timeout=None)):
            yield list(chunk)

    async def execute(self, sql: str, *values: Any) -> None:
        """Run one statement."""
        await _run(self.connection.execute(sql, *values, timeout=None))

    async def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Add rows to a table, by COPY."""
        await _run(self.connection.copy_records_to_table(table, records=rows, columns=columns, timeout=None))

    async def script(self, sql: str) -> None:
        """Run several statements."""
        await _run(self.connection.execute(sql, timeout=None))

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[None]:
        """Read one state of the database."""
        async with self._between("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "ROLLBACK"):
            yield

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Write whole or not at all."""
        async with self._between("BEGIN; SET LOCAL synchronous_commit = on", "COMMIT"):
            yield

    @asynccontextmanager
    async def rehearsal(self) -> AsyncIterator[None]:
        """Write, and take it back."""
        async with self._between("BEGIN", "ROLLBACK"):
            yield

    async def close(self) -> None:
        """Let go of the connection."""
        self.connection.terminate()

    @asynccontextmanager
    async def _between(self, begin: str, end: str) -> AsyncIterator[None]:
        await self.execute(begin)
        ending = "ROLLBACK"
        try:
            yield
            ending = end
        finally:
            if not self.connection.is_closed():
                await self.execute(ending)


async def _run(work: Awaitable[Result]) -> Result:
    try:
        return await work
    except DRIVER_ERRORS as error:
        failure = typed_error(error)
    raise failure
