"""SQLite as a `storage.interface.Storage`: one writing thread that batches what waits, a few reading threads."""

import asyncio
import functools
import queue
import sqlite3
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from storage.commands import Command, Query
from storage.errors import StorageBusy, StorageClosed
from storage.sqlite.changes import carry_out, check_write
from storage.sqlite.connection import Link, Opener, typed_error
from storage.sqlite.migrations import migrate, shipped_migrations
from storage.sqlite.reads import answer
from storage.sqlite.writer import Change, Failed, Outcome, Writer

_Waiting = tuple[Change, "asyncio.Future[Any]"]


class SqliteStorage:
    """Belongs to the event loop that opened it. See `storage.interface.Storage` for what its methods promise."""

    def __init__(
        self,
        *,
        writer: Writer,
        writing: ThreadPoolExecutor,
        readers: "queue.SimpleQueue[Link]",
        reading: ThreadPoolExecutor,
        queue_limit: int,
        batch_limit: int,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._writer = writer
        self._writing = writing
        self._readers = readers
        self._reading = reading
        self._queue_limit = queue_limit
        self._batch_limit = batch_limit
        self._waiting: deque[_Waiting] = deque()
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()

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
            queue_limit=queue_limit,
            batch_limit=batch_limit,
        )

    async def execute(self, command: Command) -> Any:
        """Carry out one command whole or not at all; the answer is durable when it arrives."""
        return await self._submit(functools.partial(_carry_out, command))

    async def ready(self) -> None:
        """Write something that changes nothing; raises when that is not possible."""
        await self._submit(check_write)

    async def query(self, query: Query) -> Any:
        """Answer one query from one consistent snapshot of what was committed."""
        self._refuse_closed()
        return await self._loop.run_in_executor(self._reading, self._read, query)

    async def close(self) -> None:
        """Finish what waits, then let go of the database."""
        if self._closed:
            return
        self._closed = True
        await self._idle.wait()
        await self._loop.run_in_executor(self._writing, self._writer.close)
        self._writing.shutdown()
        await asyncio.to_thread(self._reading.shutdown)
        while not self._readers.empty():
            self._readers.get().close()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise StorageClosed("the storage was closed; the process is stopping")

    async def _submit(self, change: Change) -> Any:
        self._refuse_closed()
        if len(self._waiting) >= self._queue_limit:
            raise StorageBusy("too many changes wait for the database; try again")
        future: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append((change, future))
        if self._idle.is_set():
            self._idle.clear()
            self._start_batch()
        return await future

    def _start_batch(self) -> None:
        size = min(len(self._waiting), self._batch_limit)
        batch = [self._waiting.popleft() for _ in range(size)]
        job = self._writing.submit(self._writer.run, [change for change, _ in batch])
        job.add_done_callback(
            lambda job: self._loop.call_soon_threadsafe(self._finish_batch, batch, job),
        )

    def _finish_batch(self, batch: list[_Waiting], job: "Future[list[Outcome]]") -> None:
        if self._waiting:
            self._start_batch()
        else:
            self._idle.set()
        for (_, future), outcome in zip(batch, job.result(), strict=True):
            if future.cancelled():
                continue
            if isinstance(outcome, Failed):
                future.set_exception(outcome.error)
            else:
                future.set_result(outcome.answer)

    def _read(self, query: Query) -> object:
        link = self._readers.get()
        try:
            db = link.connection()
            db.execute("BEGIN")
            return answer(db, query)
        except sqlite3.Error as error:
            raise typed_error(error) from error
        finally:
            link.roll_back()
            self._readers.put(link)


def _carry_out(command: Command, db: sqlite3.Connection) -> object:
    return carry_out(db, command)


def _connect(opener: Opener, reader_count: int) -> "tuple[Writer, queue.SimpleQueue[Link]]":
    opener.create_file()
    writing = Link(connect=opener.writer)
    try:
        migrate(writing.connection(), shipped_migrations())
    except BaseException as error:
        writing.close()
        if isinstance(error, sqlite3.Error):
            raise typed_error(error) from error
        raise
    readers: queue.SimpleQueue[Link] = queue.SimpleQueue()
    for _ in range(reader_count):
        readers.put(Link(connect=opener.reader))
    return Writer(link=writing), readers
