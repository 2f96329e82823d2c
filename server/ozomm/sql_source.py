"""A view of an ERP system's database: SQLite or PostgreSQL, read only, with places for what is asked."""

import asyncio
import contextlib
import importlib
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from licensing.extensions.questions import Question, Unanswered, Verdict
from server.errors import SettingsError
from server.ozomm.configuration import SqlSource
from server.ozomm.reading import verdict_of
from storage.postgres.statements import numbered

MOST_ROWS = 20

_FITTING: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("text", "varchar", "bpchar"), str),
    **dict.fromkeys(("int2", "int4", "int8", "numeric"), int),
    "timestamptz": datetime.fromisoformat,
    "timestamp": lambda text: datetime.fromisoformat(text).replace(tzinfo=None),
    "date": lambda text: datetime.fromisoformat(text).date(),
}
"""What makes a value fit a place, by the type that PostgreSQL gives the place; a time without a zone is in UTC."""


def values_for_sql(question: Question) -> Mapping[str, Any]:
    """Give what may be asked for; lists do not fit into a place of SQL."""
    return {name: value for name, value in question.values().items() if not isinstance(value, list)}


def fitting(value: Any, kind: str) -> Any:
    """Give a value as a column of a type takes it. Raises ValueError for one that the column could not hold."""
    return value if value is None or kind not in _FITTING else _FITTING[kind](value)


class SqliteView:
    """Asks an SQLite file, in threads of its own, as many as questions at once."""

    def __init__(self, source: SqlSource, *, folder: Path) -> None:
        self._source = source
        self._uri = f"{(folder / source.database).absolute().as_uri()}?mode=ro"
        self._threads = ThreadPoolExecutor(max_workers=source.at_once, thread_name_prefix="erp-view")

    async def ask(self, question: Question) -> Verdict:
        """Look for the customer. Raises Unanswered."""
        loop = asyncio.get_running_loop()
        try:
            rows = await loop.run_in_executor(self._threads, partial(self._rows, values_for_sql(question)))
        except sqlite3.Error as error:
            raise Unanswered(type(error).__name__) from error
        return verdict_of(rows, self._source)

    async def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _rows(self, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        with contextlib.closing(sqlite3.connect(self._uri, uri=True, timeout=self._source.seconds)) as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(self._source.query, values).fetchmany(MOST_ROWS)]


class PostgresView:
    """Asks a PostgreSQL database over connections of its own, as many as questions at once, read only."""

    def __init__(self, source: SqlSource) -> None:
        self._source = source
        self._statement = numbered(source.query)
        try:
            self._asyncpg = importlib.import_module("asyncpg")
        except ImportError:
            raise SettingsError("a view in PostgreSQL needs the extra: pip install 'opendepot[postgresql]'") from None
        self._pool: Any = None
        self._opening = asyncio.Lock()

    async def ask(self, question: Question) -> Verdict:
        """Look for the customer. Raises Unanswered."""
        values = values_for_sql(question)
        try:
            pool = await self._opened()
            async with pool.acquire() as connection, connection.transaction(readonly=True):
                prepared = await connection.prepare(self._statement.sql)
                types = [each.name for each in prepared.get_parameters()]
                places = [fitting(values[name], kind) for name, kind in zip(self._statement.names, types, strict=True)]
                rows = await prepared.fetch(*places)
        except (self._asyncpg.PostgresError, self._asyncpg.InterfaceError, OSError, ValueError) as error:
            raise Unanswered(type(error).__name__) from error
        return verdict_of([dict(row) for row in rows[:MOST_ROWS]], self._source)

    async def close(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            self._pool.terminate()

    async def _opened(self) -> Any:
        async with self._opening:
            if self._pool is None:
                self._pool = await self._asyncpg.create_pool(
                    self._source.database,
                    min_size=0,
                    max_size=self._source.at_once,
                    command_timeout=self._source.seconds,
                    server_settings={"application_name": "opendepot-ozomm"},
                )
            return self._pool


def view_of(source: SqlSource, *, folder: Path) -> SqliteView | PostgresView:
    """Give the view that a source names. Raises SettingsError for places that nothing is known for."""
    known = {
        *("extension_id", "ticket", "license_id", "item_number", "quantity", "expires_at"),
        *("customer_number", "customer_email", "language", "wished_days", "wished_quantity"),
    }
    unknown = sorted(set(numbered(source.query).names) - known)
    if unknown:
        raise SettingsError(f"ozomm_file: the query has places for {', '.join(unknown)}, which nobody knows")
    return PostgresView(source) if "://" in source.database else SqliteView(source, folder=folder)
