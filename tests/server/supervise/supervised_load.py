"""Orders without end from three kinds of clients, and the precise fate of each request.

`wrk` keeps its connections alive, the SDK opens one for each order, and sockets that are driven by hand do both: of
those the system tells what has reached the server.
"""

import asyncio
import contextlib
import json
import re
import shutil
import signal
import socket
import sqlite3
import struct
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import httptools
import pytest
from lxml import etree
from supervised import ITEM, Depot, until

from opendepot import FaultReceived, SalesClient, ServiceUnreachable
from soap import Version
from soap.messages import sales

KEPT_ALIVE = 16
ONE_EACH = 4
SDK_CLIENTS = 2
WRK_CONNECTIONS = 4

IDLE_SECONDS = 0.5
"""After so long a silence a server that drains may close a connection while the next request is on its way to it."""

_BYTES_ACKED = struct.Struct("120x Q")
"""`tcpi_bytes_acked` in `struct tcp_info`; the opening of the connection counts as one."""


class Answer:
    """One HTTP answer as it comes in."""

    def __init__(self) -> None:
        self.whole = False
        self.kept_alive = False
        self.body = b""
        self.received = 0
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        self.received += len(data)
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.whole = True
        self.kept_alive = self._parser.should_keep_alive()

    @property
    def status(self) -> int:
        return int(self._parser.get_status_code())


@dataclass(frozen=True)
class Cut:
    """An exchange that ended without a whole answer."""

    transaction_id: str
    port: int
    received: int
    document: bool
    error: str


@dataclass
class Tally:
    """What became of the requests."""

    sent: int = 0
    answered: int = 0
    said_close: int = 0
    closed_idle: int = 0
    refused: int = 0
    connections: int = 0
    other_statuses: Counter[int] = field(default_factory=Counter)
    unreceived: list[Cut] = field(default_factory=list)
    crossed: list[Cut] = field(default_factory=list)
    cut: list[Cut] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    running: dict[int, str] = field(default_factory=dict)
    """The exchanges that are under way: port and transactionId."""

    def __str__(self) -> str:
        return (
            f"{self.sent} sent on {self.connections} connections, {self.answered} answered "
            f"({self.said_close} with Connection: close, other statuses {dict(self.other_statuses)}), "
            f"{self.closed_idle} connections closed when idle, {self.refused} refused, "
            f"{len(self.unreceived)} never received, {len(self.crossed)} crossed an idle close, "
            f"{len(self.cut)} received and not answered"
        )

    def failures(self) -> list[str]:
        """What a client may call a failure of the server."""
        return [f"other status {status}: {count} times" for status, count in self.other_statuses.items()] + [
            f"no whole answer: {cut}" for cut in self.cut
        ]


async def shopping(depot: Depot, port: int, name: str, tally: Tally, stop: asyncio.Event, *, keep: bool) -> None:
    """Order, one request at a time, until told to stop or until nobody listens."""
    loop, number = asyncio.get_running_loop(), 0
    while not stop.is_set():
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
            connection.setblocking(False)
            try:
                await loop.sock_connect(connection, ("127.0.0.1", port))
            except ConnectionError:
                tally.refused += 1
                return
            tally.connections += 1
            given, since, alive = 0, time.monotonic(), True
            while alive and not stop.is_set():
                if _closed(connection):
                    tally.closed_idle += 1
                    break
                number += 1
                transaction_id = f"{name}-{number}"
                request = depot.order(transaction_id, close=not keep)
                given += len(request)
                silent, tally.sent = time.monotonic() - since, tally.sent + 1
                alive = await _exchanged(connection, request, transaction_id, tally, given=given, silent=silent)
                since = time.monotonic()


def _closed(connection: socket.socket) -> bool:
    """Whether the server has closed a connection that is silent."""
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


async def _exchanged(
    connection: socket.socket, request: bytes, transaction_id: str, tally: Tally, *, given: int, silent: float
) -> bool:
    """Send a request and count what becomes of it; False when the connection is at its end."""
    loop, answer, error = asyncio.get_running_loop(), Answer(), "closed"
    port = connection.getsockname()[1]
    tally.running[port] = transaction_id
    try:
        await loop.sock_sendall(connection, request)
        while not answer.whole and (data := await loop.sock_recv(connection, 65536)):
            answer.feed(data)
    except ConnectionError as lost:
        error = type(lost).__name__
    finally:
        del tally.running[port]
    if answer.whole:
        tally.answered += 1
        if answer.status == 200:
            tally.acknowledged.append(transaction_id)
        else:
            tally.other_statuses[answer.status] += 1
        tally.said_close += not answer.kept_alive
        return answer.kept_alive
    cut = Cut(transaction_id, port, answer.received, _is_document(answer.body), error)
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    reached = _BYTES_ACKED.unpack_from(info)[0] - 1
    if not answer.received and reached < given:
        tally.unreceived.append(cut)
    elif not answer.received and silent >= IDLE_SECONDS:
        tally.crossed.append(cut)
    else:
        tally.cut.append(cut)
    return False


def _is_document(text: bytes) -> bool:
    try:
        etree.fromstring(text)
    except etree.XMLSyntaxError:
        return False
    return True


async def repeated(depot: Depot, port: int, transaction_id: str) -> bytes:
    """Order on a connection of its own: the body of the answer, which must be 200."""
    loop, answer = asyncio.get_running_loop(), Answer()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
        connection.setblocking(False)
        await loop.sock_connect(connection, ("127.0.0.1", port))
        await loop.sock_sendall(connection, depot.order(transaction_id, close=True))
        while not answer.whole and (data := await loop.sock_recv(connection, 65536)):
            answer.feed(data)
    assert answer.whole
    assert answer.status == 200
    return answer.body


_UNSENT = "Can not write request body"
"""What aiohttp says when a connection is closed before the request is out."""


@dataclass
class SdkTally:
    """What became of the calls of the SDK, each on a connection of its own."""

    answered: int = 0
    refused: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    unsent: int = 0
    lost: list[str] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        counts = f"{self.answered} answered, {self.refused} refused, {self.unsent} unsent"
        return f"{counts}, faults {dict(self.faults)}, {len(self.lost)} lost"

    def failures(self) -> list[str]:
        return [f"SDK fault {code}: {count} times" for code, count in self.faults.items()] + [
            f"SDK: {error}" for error in self.lost
        ]


async def calling(depot: Depot, url: str, name: str, tally: SdkTally, stop: asyncio.Event) -> None:
    """Order with the SDK until told to stop or until nobody listens."""
    number = 0
    while not stop.is_set():
        number += 1
        transaction_id = f"{name}-{number}"
        line = sales.OrderLine(item_number=ITEM, quantity=1)
        request = sales.CreateOrderRequest(transaction_id=transaction_id, order_line=(line,))
        try:
            async with SalesClient(url, api_key=depot.api_key, attempts=1) as shop:
                await shop.create_order(request)
        except FaultReceived as fault:
            tally.faults[fault.code] += 1
        except ServiceUnreachable as error:
            if isinstance(error.__cause__, aiohttp.ClientConnectorError):
                tally.refused += 1
                return
            tally.unsure.append(transaction_id)
            if _UNSENT in str(error.__cause__):
                # The connection was silent for too long in a server that ends, so that it was closed meanwhile.
                tally.unsent += 1
            else:
                tally.lost.append(str(error))
        else:
            tally.answered += 1
            tally.acknowledged.append(transaction_id)


class Wrk:
    """The load generator."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.summary: dict[str, int] = {}

    @classmethod
    async def started(cls, depot: Depot, url: str, prefix: str) -> "Wrk":
        if shutil.which("wrk") is None:
            pytest.fail("wrk is missing; scripts/system-packages installs it")
        script = Path(__file__).with_name("supervised_orders.lua")
        options = ["-t1", f"-c{WRK_CONNECTIONS}", "-d600s", "--timeout", "60s", "-s", str(script), url, "--"]
        headers = [f"Content-Type: {Version.SOAP11.content_type}", f"Authorization: Bearer {depot.api_key}"]
        body = depot.order_body("@").decode()
        return cls(
            await asyncio.create_subprocess_exec(
                "wrk", *options, prefix, body, *headers, stdout=asyncio.subprocess.PIPE
            )
        )

    async def end(self) -> None:
        """Let it sum up."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGINT)
        output, _ = await self._process.communicate()
        found = re.search(rb"^summary: (\{.*\})$", output, re.MULTILINE)
        assert found is not None, output.decode()
        self.summary = json.loads(found[1])

    def failures(self) -> list[str]:
        return [f"wrk {kind}: {count}" for kind, count in self.summary.items() if kind != "answered" and count]


class Load:
    """All clients together, from entering until `finished`."""

    def __init__(self, depot: Depot, url: str, *, name: str = "load") -> None:
        self.tally = Tally()
        self.sdk = SdkTally()
        self.wrk: Wrk | None = None
        self._depot, self._url, self._name = depot, url, name
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[Any]] = []

    async def __aenter__(self) -> "Load":
        port, stop = int(self._url.rpartition(":")[2]), self._stop
        self.wrk = await Wrk.started(self._depot, self._url, f"{self._name}-wrk-")
        work = [
            shopping(self._depot, port, f"{self._name}-{number}", self.tally, stop, keep=number < KEPT_ALIVE)
            for number in range(KEPT_ALIVE + ONE_EACH)
        ] + [
            calling(self._depot, self._url, f"{self._name}-sdk{number}", self.sdk, stop)
            for number in range(SDK_CLIENTS)
        ]
        self._tasks = [asyncio.create_task(one) for one in work]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.wrk is not None and not self.wrk.summary:
            with contextlib.suppress(AssertionError):
                await self.wrk.end()

    async def goes_on(self, *, orders: int = 80, calls: int = 1) -> None:
        """Wait until so many more orders are answered."""
        answered, called = self.tally.answered + orders, self.sdk.answered + calls
        await until(
            lambda: (self.tally.answered >= answered and self.sdk.answered >= called) or self._ended_early(),
            "orders are answered",
        )
        for task in self._tasks:
            if task.done() and task.exception() is not None:
                await task

    def _ended_early(self) -> bool:
        return any(task.done() for task in self._tasks)

    async def finished(self, *, stop: bool = True) -> None:
        """Wait for the clients' end; without `stop` they end because nobody listens any more."""
        if stop:
            self._stop.set()
        await asyncio.gather(*self._tasks)
        assert self.wrk is not None
        await self.wrk.end()

    @property
    def acknowledged(self) -> list[str]:
        return self.tally.acknowledged + self.sdk.acknowledged

    def failures(self, *, wrk: bool = True) -> list[str]:
        assert self.wrk is not None
        return self.tally.failures() + self.sdk.failures() + (self.wrk.failures() if wrk else [])

    def __str__(self) -> str:
        assert self.wrk is not None
        return f"  sockets: {self.tally}\n  SDK: {self.sdk}\n  wrk: {self.wrk.summary}"


def wrong_orders(depot: Depot, load: Load) -> list[str]:
    """What the database says against the load: doubled orders, and acknowledged ones that are not there."""
    assert load.wrk is not None
    with contextlib.closing(sqlite3.connect(depot.database)) as db:
        counts = dict(db.execute("SELECT transaction_id, count(*) FROM orders GROUP BY transaction_id"))
        sound = db.execute("PRAGMA integrity_check").fetchone()[0]
    found = [f"{count} orders for {name}" for name, count in counts.items() if count != 1]
    found += [f"no order for {name}, which was acknowledged" for name in load.acknowledged if name not in counts]
    by_wrk = sum("-wrk-" in name for name in counts)
    if by_wrk < load.wrk.summary["answered"] - load.wrk.summary["status"]:
        found.append(f"{by_wrk} orders for {load.wrk.summary} of wrk")
    return found if sound == "ok" else [*found, "the database is damaged"]
