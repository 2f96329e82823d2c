"""Opening a PostgreSQL database."""

from dataclasses import dataclass, field
from typing import Any

import asyncpg

from storage.errors import LocationInvalid
from storage.postgres.errors import DRIVER_ERRORS, typed_error
from storage.postgres.running import fetch
from storage.postgres.statements import with_limits
from storage.postgres.transactions import Retries, Transactions

CONNECT_SECONDS = 10
MIGRATION_SECONDS = 600


@dataclass(frozen=True, kw_only=True, slots=True)
class Opener:
    """How connections to one database are made.

    `location` is an address like postgresql://user@host/database?sslmode=verify-full. `busy_seconds` is how long a
    statement waits for a row that another transaction holds, `statement_seconds` how long it may run at all.
    `statement_cache_size` is how many prepared statements a connection keeps; with 0 none outlives its statement, which
    a pooler needs that lends connections for single transactions (PgBouncer in transaction mode before 1.21, or
    without `max_prepared_statements`), and each statement is parsed anew. `connection_class` is another one where a
    test wants statements to fail.
    """

    location: str
    busy_seconds: float = 5.0
    statement_seconds: float = 30.0
    statement_cache_size: int = 256
    retries: Retries = field(default_factory=Retries)
    connection_class: type[Any] = asyncpg.Connection

    async def connect(self) -> Any:
        """One connection outside of a pool; raises errors of `storage.errors`."""
        try:
            return await asyncpg.connect(self.location, **self._arguments(), command_timeout=MIGRATION_SECONDS)
        except (*DRIVER_ERRORS, ValueError) as error:
            failure = _unopened(error)
        raise failure

    async def transactions(self, begin: str, *, size: int) -> Transactions:
        """A pool of at most so many connections, each made when it is first needed."""
        pool = await asyncpg.create_pool(
            self.location,
            **self._arguments(),
            # A least number would be restored in the background, with a traceback in the log for each try.
            min_size=0,
            max_size=size,
            command_timeout=self.statement_seconds + self.busy_seconds,
            reset=_keep,
        )
        return Transactions(pool=pool, begin=with_limits(begin, self.limits), retries=self.retries)

    @property
    def limits(self) -> dict[str, int]:
        """The limits that transactions set for themselves, by their places in the statements."""
        return {
            "busy_milliseconds": max(1, int(self.busy_seconds * 1000)),
            "statement_milliseconds": max(1, int(self.statement_seconds * 1000)),
            "migration_milliseconds": MIGRATION_SECONDS * 1000,
        }

    def _arguments(self) -> dict[str, Any]:
        return {
            "timeout": CONNECT_SECONDS,
            "statement_cache_size": self.statement_cache_size,
            "server_settings": {"application_name": "opendepot"},
            "connection_class": self.connection_class,
        }


async def check_encoding(connection: Any) -> None:
    """Refuse a database that cannot hold every text."""
    (row,) = await fetch(connection, "encoding")
    if row["encoding"] != "UTF8":
        raise LocationInvalid("the database is not in UTF8; create it with that encoding")


async def _keep(_: object) -> None:
    """Leave a connection as it is when it goes back: nothing was set for its session."""


def _unopened(error: Exception) -> Exception:
    if isinstance(error, ValueError):
        return LocationInvalid("the address is no PostgreSQL address like postgresql://user@host/database")
    return typed_error(error)
