"""Whole transactions on pooled connections: run again after a collision, and never again once COMMIT was sent.

Nothing is set for a session, only for a transaction, so that a pooler which lends a connection for one transaction at
a time may stand in between. There is no advisory lock and no LISTEN.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from secrets import SystemRandom
from typing import Any

import asyncpg

from storage.errors import StorageError
from storage.outcomes import Answered, Failed, Outcome, Withdrawn
from storage.postgres.errors import COLLISIONS, DRIVER_ERRORS, outcome_unknown, typed_error
from storage.postgres.running import Connection

Body = Callable[[Connection], Awaitable[object]]
"""The statements of a transaction; it may be run several times, and only the last run counts."""

COMMIT = "COMMIT"
ROLLBACK = "ROLLBACK"
CLOSE_SECONDS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Retries:
    """How often a transaction that collided is run, and how long is waited before: a random part of a rising limit.

    `random` gives numbers from 0 to 1: nodes that collided must not come back in step.
    """

    tries: int = 8
    first_seconds: float = 0.01
    most_seconds: float = 0.5
    random: Callable[[], float] = SystemRandom().random

    def pause(self, failures: int) -> float:
        """Seconds to wait after this many failures."""
        return self.random() * min(self.most_seconds, self.first_seconds * 2.0**failures)


class Transactions:
    """Runs bodies as transactions on the connections of one pool; answers with outcomes and raises nothing."""

    def __init__(self, *, pool: "asyncpg.Pool[asyncpg.Record]", begin: str, retries: Retries) -> None:
        self._pool = pool
        self._begin = begin
        self._retries = retries

    async def write(self, body: Body) -> Outcome:
        """Carry out a body and make it durable, whole or not at all."""
        return await self._repeat(lambda connection: _write(connection, self._begin, body))

    async def read(self, body: Body, *, whole: bool) -> Outcome:
        """Carry out a body that reads one snapshot; `whole`: it is a single statement, which is one by itself."""
        begin = None if whole else self._begin
        return await self._repeat(lambda connection: _read(connection, begin, body))

    async def close(self) -> None:
        """Close the connections, which nobody uses any more."""
        try:
            await asyncio.wait_for(self._pool.close(), CLOSE_SECONDS)
        except DRIVER_ERRORS:
            self._pool.terminate()

    async def _repeat(self, run: "Callable[[_Pooled], Awaitable[_Attempt]]") -> Outcome:
        for failures in range(1, self._retries.tries):
            attempt = await self._attempt(run)
            if not attempt.again:
                return attempt.outcome
            await asyncio.sleep(self._retries.pause(failures))
        return (await self._attempt(run)).outcome

    async def _attempt(self, run: "Callable[[_Pooled], Awaitable[_Attempt]]") -> "_Attempt":
        try:
            connection = await self._pool.acquire()
        except DRIVER_ERRORS as error:
            return _Attempt(outcome=Failed(error=typed_error(error)), again=False)
        try:
            attempt = await run(connection)
            await _leave(connection)
        finally:
            try:
                await self._pool.release(connection)
            except DRIVER_ERRORS:
                _throw_away(connection)
        return attempt


_Pooled = Any
"""A connection of the pool: what `Connection` promises, and the state of its transaction."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Attempt:
    outcome: Outcome
    again: bool


async def _write(connection: _Pooled, begin: str, body: Body) -> _Attempt:
    begun = committing = False
    try:
        await connection.execute(begin)
        begun = True
        answer = await body(connection)
        committing = True
        tag, warned = await _commit(connection)
    except Withdrawn as withdrawn:
        return _Attempt(outcome=Answered(answer=withdrawn.answer), again=False)
    except DRIVER_ERRORS as error:
        collided = _state(error) in COLLISIONS
        if committing and not collided and not _state(error).startswith("23"):
            return _Attempt(outcome=Failed(error=outcome_unknown(error)), again=False)
        # A pooled connection that had died before it was used has done nothing; the next one may live.
        again = collided or (not begun and _closed(connection))
        return _Attempt(outcome=Failed(error=typed_error(error)), again=again)
    except Exception as error:  # noqa: BLE001 - the rim: whatever a body raises belongs to its caller alone
        return _Attempt(outcome=Failed(error=error), again=False)
    if tag == COMMIT and not warned:
        return _Attempt(outcome=Answered(answer=answer), again=False)
    refused = StorageError("the database took the transaction back at COMMIT; nothing was written")
    return _Attempt(outcome=Failed(error=outcome_unknown(warned[0]) if tag == COMMIT else refused), again=False)


async def _commit(connection: _Pooled) -> tuple[str, list[Any]]:
    """The tag that COMMIT is answered with, and the warnings beside it.

    Somebody who ends the wait for a synchronous standby makes PostgreSQL answer as if all was well, with a warning: the
    transaction is on this server alone (its manual, "Planning for High Availability").
    """
    warned: list[Any] = []

    def note(_: object, message: Any) -> None:
        if message.severity_en == "WARNING":
            warned.append(message)

    connection.add_log_listener(note)
    try:
        return await connection.execute(COMMIT), warned
    finally:
        # The pool may have taken back a connection that it saw die.
        with suppress(asyncpg.InterfaceError):
            connection.remove_log_listener(note)


async def _read(connection: _Pooled, begin: str | None, body: Body) -> _Attempt:
    try:
        if begin is not None:
            await connection.execute(begin)
        answer = await body(connection)
        if begin is not None:
            await connection.execute(COMMIT)
    except DRIVER_ERRORS as error:
        again = _state(error) in COLLISIONS or _closed(connection)
        return _Attempt(outcome=Failed(error=typed_error(error)), again=again)
    except Exception as error:  # noqa: BLE001 - the rim, as above
        return _Attempt(outcome=Failed(error=error), again=False)
    return _Attempt(outcome=Answered(answer=answer), again=False)


def _state(error: Exception) -> str:
    return getattr(error, "sqlstate", None) or ""


async def _leave(connection: _Pooled) -> None:
    """Leave no transaction open. A connection that cannot promise that is thrown away, which ends it as well."""
    try:
        if not _closed(connection) and connection.is_in_transaction():
            await connection.execute(ROLLBACK)
    except DRIVER_ERRORS:
        _throw_away(connection)


def _closed(connection: _Pooled) -> bool:
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:  # the pool has taken back one that it saw die
        return True


def _throw_away(connection: _Pooled) -> None:
    if not _closed(connection):
        connection.terminate()
