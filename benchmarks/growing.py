"""Depots that hold so many orders: made by the server itself, multiplied by the database, copied, and loaded again.

A shop counts its order numbers up, and its transactionIds (UUID) come in no order: so does the load.
"""

import asyncio
import http.client
import secrets
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.checks import ORDER
from benchmarks.contestants import ROOT, module_of_ours
from benchmarks.load import Load, Request, send_load
from benchmarks.messages import CREATE_ORDER, ORDER_NUMBER, TRANSACTION_ID
from benchmarks.multiplying import multiply_postgres, multiply_sqlite
from benchmarks.ordering import KEY_FILE
from benchmarks.processes import SERVER_CORE, cpu_seconds, free_port, serving
from benchmarks.report import Refused

CONNECTIONS = 64
NUMBER = "SO-2026-000000000000000000000000"
_BODY = CREATE_ORDER.replace(ORDER_NUMBER, NUMBER.encode())
_UNSEALED = "SELECT count(*) FROM audit WHERE seal IS NULL"
_SEALING_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Depot:
    """A server's folder and its database, which holds so many orders; `database` is PostgreSQL's name of it."""

    folder: Path
    held: int
    postgres: Any = None
    database: str | None = None

    @property
    def location(self) -> str:
        """What `open_storage` opens."""
        if self.database is None:
            return str(self._file)
        return str(self.postgres.address(self.database))

    @property
    def bytes(self) -> int:
        """How large the database is."""
        if self.database is None:
            return self._file.stat().st_size
        return int(self._number("SELECT pg_database_size(current_database())"))

    @contextmanager
    def served(self) -> Iterator[tuple[int, int]]:
        """Run the server on it until the block ends; give its process id and its port."""
        arguments = ["--folder", str(self.folder)]
        if self.database is not None:
            arguments += ["--database", self.location]
        port = free_port()
        command = module_of_ours("ours", "benchmarks.ordering", *arguments).command(port)
        with serving(command, port=port, core=SERVER_CORE, directory=ROOT) as pid:
            yield pid, port

    def loaded(self, port: int, *, seconds: int) -> Load:
        """Send orders that nobody has sent before. Raises Refused when one of them fails."""
        load = send_load(self._request(), port=port, seconds=seconds, connections=CONNECTIONS)
        if load.failures:
            raise Refused(f"{load.failures} of {load.requests} orders failed, {self.held:,} were there before")
        return load

    def used(self, pid: int) -> tuple[float, float, int]:
        """Give the processor time of server and database, in seconds, and the bytes that were written.

        Those are what the server wrote to the disk, or PostgreSQL to its log.
        """
        if self.database is None:
            counted = dict(
                line.split(": ") for line in Path(f"/proc/{pid}/io").read_text(encoding="utf-8").splitlines()
            )
            return cpu_seconds(pid), 0.0, int(counted["write_bytes"])
        written = int(self._number("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"))
        return cpu_seconds(pid), cpu_seconds(self.postgres.process_id), written

    def begin(self) -> None:
        """Let the server make its database, take one order and seal what it tells of it."""
        with self.served() as (_, port):
            request = self._request()
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            try:
                connection.request("POST", request.path, request.body, dict(request.headers))
                answer = connection.getresponse()
                text = answer.read()
            finally:
                connection.close()
            if answer.status != 200:
                raise Refused(f"the order was answered with HTTP {answer.status}: {text[:500]!r}")
            until = time.monotonic() + _SEALING_SECONDS
            while self._number(_UNSEALED):
                if time.monotonic() > until:
                    raise Refused(f"what was written about an order was not sealed within {_SEALING_SECONDS:.0f} s")
                time.sleep(0.1)

    def multiply(self) -> None:
        """Let it hold as many orders as it says, each like the first."""
        if self.database is None:
            multiply_sqlite(self._file, self.held)
        else:
            asyncio.run(multiply_postgres(self.location, self.held))

    @contextmanager
    def copied(self, folder: Path) -> Iterator["Depot"]:
        """Give another one that holds the same, until the block ends."""
        shutil.copytree(self.folder, folder)
        database = None
        if self.database is not None:
            # Copying files, and dropping a database, make a checkpoint, after which others are slower for a while. So
            # it is copied through the log, and stays until the server goes.
            database = f"{self.database}_{secrets.token_hex(4)}"
            copying = f"CREATE DATABASE {database} TEMPLATE {self.database} STRATEGY WAL_LOG"
            self.postgres.run(copying, database="postgres")
        try:
            yield replace(self, folder=folder, database=database)
        finally:
            shutil.rmtree(folder)

    @property
    def _file(self) -> Path:
        return self.folder / "opendepot.sqlite3"

    def _number(self, sql: str) -> Any:
        if self.database is not None:
            ((number,),) = self.postgres.run(sql, database=self.database)
            return number
        connection = sqlite3.connect(self._file)
        try:
            ((number,),) = connection.execute(sql).fetchall()
        finally:
            connection.close()
        return number

    def _request(self) -> Request:
        key = (self.folder / KEY_FILE).read_text(encoding="ascii")
        headers = {**ORDER.headers, "Authorization": f"Bearer {key}"}
        return replace(ORDER, body=_BODY, number=NUMBER, scattered=TRANSACTION_ID.decode(), headers=headers)
