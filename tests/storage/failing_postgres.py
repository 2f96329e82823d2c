"""Connections of PostgreSQL that fail when a test says so."""

import asyncpg

from storage.postgres.connection import Opener
from storage.postgres.engine import PostgresStorage
from storage.postgres.transactions import Retries

SECRET = "a value of a row"


def sql_error(state: str) -> asyncpg.PostgresError:
    """What PostgreSQL would raise with this SQLSTATE."""
    return asyncpg.PostgresError.new({"S": "ERROR", "C": state, "M": SECRET, "D": f"Key (x)=({SECRET})"})


def failing_connections():
    """A class of connections that fail at every statement for which `due(sql)` gives an error.

    `after`: once the statement has run. `lost`: and the connection is gone. All statements are in `seen`.
    """

    class Failing(asyncpg.Connection):
        due = staticmethod(lambda _: None)
        after = False
        lost = False
        seen: list[str] = []  # noqa: RUF012 - one class for each test

        async def execute(self, query, *args, **options):
            return await self._guarded(super().execute, query, *args, **options)

        async def fetch(self, query, *args, **options):
            return await self._guarded(super().fetch, query, *args, **options)

        async def _guarded(self, method, sql, *args, **options):
            kind = type(self)
            kind.seen.append(sql)
            error = kind.due(sql)
            result = None
            if error is None or kind.after:
                result = await method(sql, *args, **options)
            if error is not None:
                if kind.lost:
                    self.terminate()
                raise error
            return result

    return Failing


async def open_failing(location, connections, *, batch_limit=100, queue_limit=100, reader_count=1, **options):
    """A storage on such connections, with one lane for orders, that never waits before it tries again."""
    options = {"retries": Retries(random=lambda: 0.0), "busy_seconds": 5, **options}
    opener = Opener(location=location, connection_class=connections, **options)
    return await PostgresStorage.open(
        opener=opener, queue_limit=queue_limit, batch_limit=batch_limit, reader_count=reader_count, order_lanes=1
    )
