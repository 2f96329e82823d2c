"""SQLite as a `storage.interface.Storage`: one writing thread that batches what waits, a few reading threads."""

import asyncio
import functools
import queue
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from storage.commands import ApplyTransfer, Command, PlaceOrder, Query
from storage.errors import StorageClosed
from storage.migrations import shipped_migrations
from storage.outcomes import Answered, Failed, Outcome
from storage.reads import plan_query
from storage.sqlite.changes import carry_out, check_write
from storage.sqlite.connection import Link, Opener, typed_error
from storage.sqlite.migrations import migrate
from storage.sqlite.orders import Placing
from storage.sqlite.running import run_plan
from storage.sqlite.transfers import Applying
from storage.sqlite.turns import Turn
from storage.sqlite.writer import Change, Writer
from storage.statements import sql_folder
from storage.waiting import WaitingLine

READ_TOGETHER = 16
"""Queries that one thread answers from one snapshot, those that are asked in one turn of the loop or wait for a thread:
each hand-over costs as much as a query."""


class SqliteStorage:
    """Belongs to the event loop that opened it. See `storage.interface.Storage` for what its methods promise."""

    def __init__(
        self,
        *,
        writer: Writer,
        writing: ThreadPoolExecutor,
        readers: "queue.SimpleQueue[Link]",
        reading: ThreadPoolExecutor,
        reader_count: int,
        queue_limit: int,
        batch_limit: int,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._writer = writer
        self._writing = writing
        self._readers = readers
        self._reading = reading
        self._changes = WaitingLine(run=self._write, limit=queue_limit, batch_limit=batch_limit, gathers=True)
        self._queries: WaitingLine[Query] = WaitingLine(
            run=self._answer,
            limit=queue_limit,
            batch_limit=READ_TOGETHER,
            lanes=reader_count,
            droppable=True,
            gathers=True,
        )
        self._closed = False

    @classmethod
    async def open(cls, *, opener: Opener, queue_limit: int, batch_limit: int, reader_count: int) -> "SqliteStorage":
        """Create the file where it is missing, migrate it and connect; raises errors of `storage.errors`."""
        writing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="storage-writer")
        reading = ThreadPoolExecutor(max_workers=reader_count, thread_name_prefix="storage-reader")
        try:
            writer, readers = await asyncio.get_running_loop().run_in_executor(writing, _connect, opener, reader_count)
        except BaseException:
            writing.shutdown(wait=False)
            reading.shutdown(wait=False)
            raise
        return cls(
            writer=writer,
            writing=writing,
            readers=readers,
            reading=reading,
            reader_count=reader_count,
            queue_limit=queue_limit,
            batch_limit=batch_limit,
        )

    async def execute(self, command: Command) -> Any:
        """Carry out one command whole or not at all; the answer is durable when it arrives."""
        if isinstance(command, PlaceOrder):
            return await self._submit(Placing(command=command))
        if isinstance(command, ApplyTransfer):
            return await self._submit(Applying(command=command))
        return await self._submit(functools.partial(_carry_out, command))

    async def ready(self) -> None:
        """Write something that changes nothing; raises when that is not possible."""
        await self._submit(check_write)

    async def query(self, query: Query) -> Any:
        """Answer one query from one consistent snapshot of what was committed."""
        self._refuse_closed()
        return await self._queries.submit(query)

    async def forget(self, *, thorough: bool) -> None:
        """Leave nothing in the files of what was erased from the tables."""
        self._refuse_closed()
        await self._loop.run_in_executor(self._writing, functools.partial(self._writer.forget, thorough=thorough))

    async def close(self) -> None:
        """Finish what waits, then let go of the database."""
        if self._closed:
            return
        self._closed = True
        await self._changes.idle()
        await self._queries.idle()
        await asyncio.to_thread(self._reading.shutdown)
        while not self._readers.empty():
            self._readers.get().close()
        # The last connection to close takes the log into the database, and the writer has a turn for that.
        await self._loop.run_in_executor(self._writing, self._writer.close)
        self._writing.shutdown()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise StorageClosed("the storage was closed; the process is stopping")

    async def _submit(self, change: Change) -> Any:
        self._refuse_closed()
        return await self._changes.submit(change)

    async def _write(self, changes: list[Change]) -> list[Outcome]:
        return await self._loop.run_in_executor(self._writing, self._writer.run, changes)

    async def _answer(self, queries: list[Query]) -> list[Outcome]:
        return await self._loop.run_in_executor(self._reading, self._read, queries)

    def _read(self, queries: list[Query]) -> list[Outcome]:
        """Answer from one snapshot, which is younger than each of the queries."""
        link = self._readers.get()
        try:
            db = link.connection()
            db.execute("BEGIN")
            return [_outcome(db, query) for query in queries]
        except sqlite3.Error as error:
            return [_failed(error) for _ in queries]
        finally:
            link.roll_back()
            self._readers.put(link)


def _outcome(db: sqlite3.Connection, query: Query) -> Outcome:
    try:
        return Answered(answer=run_plan(db, plan_query(query)))
    except sqlite3.Error as error:
        return _failed(error)
    except Exception as error:  # noqa: BLE001 - the rim: whatever a query raises belongs to its caller alone
        return Failed(error=error)


def _failed(error: sqlite3.Error) -> Failed:
    failure = typed_error(error)
    failure.__cause__ = error
    return Failed(error=failure)


def _carry_out(command: Command, db: sqlite3.Connection) -> object:
    return carry_out(db, command)


def _connect(opener: Opener, reader_count: int) -> "tuple[Writer, queue.SimpleQueue[Link]]":
    opener.create_file()
    turn = Turn(opener.path, seconds=opener.busy_seconds)
    writing = Link(connect=opener.writer)
    try:
        with turn.held():
            migrate(writing.connection(), shipped_migrations(sql_folder("sqlite/migrations")))
    except BaseException as error:
        writing.close()
        turn.close()
        if isinstance(error, sqlite3.Error):
            raise typed_error(error) from error
        raise
    readers: queue.SimpleQueue[Link] = queue.SimpleQueue()
    for _ in range(reader_count):
        readers.put(Link(connect=opener.reader))
    return Writer(link=writing, turn=turn), readers
