"""Ways to break a running PostgreSQL of the tests' own, and to have it back."""

import asyncio
import os
import signal
from contextlib import suppress

import asyncpg
from postgres_server import PostgresServer, run_apart

CLIENTS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'opendepot' AND datname = $1"
KINDS = ("terminate", "backend", "postmaster")
TRIES = 200


async def break_postgres(server: PostgresServer, database: str, kind: str) -> None:
    """Break it in one of `KINDS`, and see to it that it comes back.

    `terminate` ends the server's sessions in order. `backend` is kill -9 of one of them: PostgreSQL then ends all
    sessions and recovers. `postmaster` is kill -9 of the first process; the others see it die, and the test starts it.
    """
    await asyncio.to_thread(_break, server, database, kind)


def _break(server: PostgresServer, database: str, kind: str) -> None:
    if kind == "postmaster":
        server.stop(signal.SIGKILL)
        run_apart(started_again, server)
        return
    run_apart(_break_sessions, server, database, kind)


async def _break_sessions(server: PostgresServer, database: str, kind: str) -> None:
    for _ in range(TRIES):
        # It may still be recovering from the break before.
        with suppress(asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError, OSError):
            if await _broken_sessions(server, database, kind):
                return
        await asyncio.sleep(0.02)
    raise RuntimeError("there was no session to break")


async def _broken_sessions(server: PostgresServer, database: str, kind: str) -> int:
    connection = await asyncpg.connect(server.address("postgres"), timeout=10)
    try:
        pids = [row["pid"] for row in await connection.fetch(CLIENTS, database)]
        if kind == "terminate":
            await connection.fetch("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid", pids)
        elif pids:
            # They are children of the postmaster that this process started.
            os.kill(pids[0], signal.SIGKILL)
        return len(pids)
    finally:
        connection.terminate()


async def started_again(server: PostgresServer) -> None:
    """Start it as soon as the last process of the one before is gone."""
    for _ in range(TRIES):
        try:
            server.start()
        except RuntimeError:
            await asyncio.sleep(0.02)
        else:
            return
    raise RuntimeError("PostgreSQL does not start again")
