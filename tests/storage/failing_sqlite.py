"""Connections of SQLite that fail when a test says so."""

import asyncio
import sqlite3

from storage.sqlite.connection import Opener
from storage.sqlite.engine import SqliteStorage


def failing_connections(code=sqlite3.SQLITE_IOERR):
    """A class of connections that fail at every statement for which `due(sql)` says so; `after`: once it has run."""

    class Failing(sqlite3.Connection):
        due = staticmethod(lambda _: False)
        after = False

        def _guarded(self, method, sql, *args):
            kind = type(self)
            due = kind.due(sql)
            result = None if due and not kind.after else method(sql, *args)
            if due:
                error = sqlite3.OperationalError("injected")
                error.sqlite_errorcode = code
                error.sqlite_errorname = "INJECTED"
                raise error
            return result

        def execute(self, sql, *args):
            return self._guarded(super().execute, sql, *args)

        def executemany(self, sql, *args):
            return self._guarded(super().executemany, sql, *args)

    return Failing


async def open_failing(path, connections, *, batch_limit=100):
    """A storage on such connections."""
    opener = Opener(path=path, busy_seconds=1, factory=connections)
    return await SqliteStorage.open(opener=opener, queue_limit=100, batch_limit=batch_limit, reader_count=1)


async def run_batch(storage, commands):
    """The outcomes of commands that are asked for together, in the second transaction."""
    await storage.ready()
    return await asyncio.gather(*map(storage.execute, commands), return_exceptions=True)


class FromTheNth:
    """Says which statements fail, counted from the second transaction on: the n-th, or the n-th and all behind it."""

    def __init__(self, number, *, lasting):
        self._number = number
        self._lasting = lasting
        self._transactions = self._statements = 0
        self.struck = []

    def __call__(self, sql):
        self._transactions += sql.startswith("BEGIN IMMEDIATE")
        if self._transactions < 2:
            return False
        self._statements += 1
        due = self._statements == self._number or (self._lasting and self._statements > self._number)
        if due:
            self.struck.append(sql)
        return due
