"""A server that kills itself at a named step of one operation. The product knows nothing of it.

Run as a program, it imports the server once and then forks a server for each line of its input, so that a start costs
little. A line: {"settings": {...}, "operation": "CreateOrder", "kill_at": 7, "trace": "file"}. The server counts its
steps from the moment a request of that operation is taken, writes their names into the trace, and sends itself SIGKILL
at that number; with 0 it goes on until somebody kills it. With "only" it counts the steps of that name alone. Each end
is told by one line of output.
"""

import json
import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import asyncpg

import server.core
from containers import SoftwareBox
from server.dispatch import SoapExchange
from server.housekeeping import ForgettingMarks, Sealing
from server.http.connection import Connection
from server.keys.keeper import KeyKeeper
from server.listener import serve_until_told
from server.ozomm.running import ExtensionService
from server.process import run_loop
from server.security.guessing import GuessKeeper
from server.settings import Settings
from storage import Storage
from storage.postgres.connection import Opener as PostgresOpener
from storage.postgres.engine import PostgresStorage
from storage.postgres.statements import statements as postgres_statements
from storage.sqlite.connection import Opener
from storage.sqlite.engine import SqliteStorage
from storage.sqlite.statements import statements


class Steps:
    """Counts the steps of one request and ends the process at one of them."""

    def __init__(self, *, operation: str, kill_at: int, trace: int, only: str | None = None) -> None:
        self._element = f":{operation}".encode()
        self._kill_at = kill_at
        self._trace = trace
        self._only = only
        self._count = 0
        self._armed = False
        self._lock = threading.Lock()

    def arrived(self, body: bytes) -> None:
        """A request has arrived."""
        self._armed = self._armed or self._element in body
        self.reached("request taken")

    @property
    def armed(self) -> bool:
        return self._armed

    def reached(self, name: str) -> None:
        """A step is reached."""
        if not self._armed:
            return
        with self._lock:
            self._count += self._only in {None, name}
            os.write(self._trace, name.encode() + b"\n")
            if self._count == self._kill_at and self._only in {None, name}:
                os.kill(os.getpid(), signal.SIGKILL)


def step_statements(steps: Steps) -> None:
    """Put a step before each statement of a writing connection, and one after COMMIT, whichever database it is."""

    async def open_storage(location: Path | str, *, queue_limit: int, **_: Any) -> Storage:
        if "://" not in str(location):
            return await SqliteStorage.open(
                opener=Opener(path=Path(location), busy_seconds=5, factory=sqlite_connections(steps)),
                queue_limit=queue_limit,
                batch_limit=128,
                reader_count=1,
            )
        return await PostgresStorage.open(
            opener=PostgresOpener(location=str(location), connection_class=postgres_connections(steps)),
            queue_limit=queue_limit,
            batch_limit=128,
            reader_count=1,
        )

    server.core.open_storage = open_storage  # type: ignore[assignment]


def postgres_connections(steps: Steps) -> type[asyncpg.Connection]:
    """Connections that tell of each statement of a transaction that writes."""
    names = {statement.sql: name for name, statement in postgres_statements().items()} | {"COMMIT": "COMMIT"}

    class Stepping(asyncpg.Connection):
        writes = False

        async def execute(self, query: str, *args: Any, **options: Any) -> str:
            return str(await self._stepped(super().execute, query, *args, **options))

        async def fetch(self, query: str, *args: Any, **options: Any) -> Any:
            return await self._stepped(super().fetch, query, *args, **options)

        async def _stepped(self, method: Any, query: str, *args: Any, **options: Any) -> Any:
            if query.startswith("BEGIN"):
                self.writes = "READ ONLY" not in query
            if self.writes:
                name = "BEGIN" if query.startswith("BEGIN") else names.get(query, query)
                steps.reached(f"before {name}")
            result = await method(query, *args, **options)
            if query == "COMMIT" and self.writes:
                steps.reached("after COMMIT")
            return result

    return Stepping


def sqlite_connections(steps: Steps) -> type[sqlite3.Connection]:
    """Connections of which the writing one tells of each statement."""
    names = {sql: name for name, sql in statements().items()}

    class Stepping(sqlite3.Connection):
        writes = False

        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
            return self._stepped(super().execute, sql, *args)

        def executemany(self, sql: str, *args: Any) -> sqlite3.Cursor:
            return self._stepped(super().executemany, sql, *args)

        def _stepped(self, method: Any, sql: str, *args: Any) -> sqlite3.Cursor:
            if sql == "PRAGMA journal_mode = WAL":
                self.writes = True
            if self.writes:
                steps.reached(f"before {names.get(sql, sql)}")
            result: sqlite3.Cursor = method(sql, *args)
            if sql == "COMMIT":
                steps.reached("after COMMIT")
            return result

    return Stepping


def step_answers(steps: Steps) -> None:
    """Put steps where a request is taken and where its answer leaves."""
    run, write = SoapExchange.run, Connection._write

    def running(exchange: SoapExchange, body: bytes) -> Any:
        async def answered() -> Any:
            steps.arrived(body)
            answer = await run(exchange, body)
            steps.reached("answer made")
            return answer

        return answered()

    def writing(connection: Connection, data: bytes) -> None:
        if not steps.armed:
            write(connection, data)
            return
        half = len(data) // 2
        # Past the transport, so that this half is on its way, whatever becomes of the process.
        os.write(connection._transport.get_extra_info("socket").fileno(), data[:half])
        steps.reached("half of the answer sent")
        write(connection, data[half:])
        steps.reached("answer sent")

    SoapExchange.run = running  # type: ignore[method-assign]
    Connection._write = writing  # type: ignore[method-assign]


def leave_the_house_unkept() -> None:
    """Let nobody else commit: a step is one of the request's."""

    async def turn(_: object) -> None:
        return

    Sealing.turn = turn  # type: ignore[method-assign]
    ForgettingMarks.turn = turn  # type: ignore[method-assign]
    GuessKeeper.forget = turn  # type: ignore[method-assign]
    ExtensionService.turn = turn  # type: ignore[method-assign]
    KeyKeeper.turn = turn  # type: ignore[method-assign]


def serve(order: dict[str, Any]) -> None:
    """Be the server of one line."""
    trace = os.open(order["trace"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    steps = Steps(operation=order["operation"], kill_at=order["kill_at"], trace=trace, only=order.get("only"))
    step_statements(steps)
    step_answers(steps)
    leave_the_house_unkept()
    SoftwareBox.waits = order.get("device", False)
    run_loop(serve_until_told(Settings(**order["settings"])))


def main(lines: Iterable[str]) -> None:
    """Fork a server for each line, tell its process id, and wait for its end."""
    for line in lines:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                serve(json.loads(line))
                status = 0
            finally:
                os._exit(status)
        print(json.dumps({"started": child}), flush=True)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"ended": os.waitstatus_to_exitcode(status)}), flush=True)


if __name__ == "__main__":
    main(sys.stdin)
