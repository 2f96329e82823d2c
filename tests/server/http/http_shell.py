"""A listener with a small application that writes down what reaches it, and a client that sends bytes."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import uvloop
from http_cases import MOST, Read

from server.http.accepting import Acceptor, Entrance
from server.http.answers import PLAIN, Answer
from server.http.application import Peer, Trouble
from server.http.connection import Connection
from server.http.head import Head
from server.http.keeper import ConnectionLimits, Keeper

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DATE = b"Sun, 01 Mar 2026 12:00:00 GMT"
PATIENCE = 60.0
"""Seconds after which something has gone wrong for certain; nothing is expected to take a part of it."""


@dataclass(frozen=True)
class Seen:
    """A request, as the application saw it, and from where."""

    read: Read
    head: Head
    peer: Peer


@dataclass
class Recorder:
    """Writes down what it is asked, and answers it with its method, target and the length of its body.

    `answering` gives the answers in its place; `opening` the answers to heads.
    """

    answering: Callable[[Read], Answer | Coroutine[Any, Any, Answer]] | None = None
    opening: Callable[[Head], Answer | None] | None = None
    seen: list[Seen] = field(default_factory=list)
    refusals: list[tuple[Peer, int, str]] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    opened: int = 0
    sent: int = 0
    aborted: int = 0

    @property
    def reads(self) -> tuple[Read, ...]:
        return tuple(seen.read for seen in self.seen)

    def open(self, head: Head, peer: Peer) -> "RecordedExchange | Answer":
        answer = None if self.opening is None else self.opening(head)
        if answer is not None:
            return answer
        self.opened += 1
        return RecordedExchange(self, head, peer)

    def refused(self, peer: Peer, *, status: int, reason: str) -> None:
        self.refusals.append((peer, status, reason))


class RecordedExchange:
    def __init__(self, recorder: Recorder, head: Head, peer: Peer) -> None:
        self._recorder = recorder
        self._head = head
        self._peer = peer
        self._decided = self._over = False

    @property
    def most(self) -> int:
        return MOST

    def run(self, body: bytes) -> Answer | Coroutine[Any, Any, Answer]:
        self._decide()
        read = read_of(self._head, body)
        self._recorder.seen.append(Seen(read, self._head, self._peer))
        return plain(read) if self._recorder.answering is None else self._recorder.answering(read)

    def refuse(self, trouble: Trouble) -> Answer:
        if trouble is not Trouble.DEADLINE_PASSED:
            self._decide()
        self._recorder.troubles.append(trouble)
        status = {Trouble.BODY_TOO_LARGE: 413, Trouble.BODY_TOO_SLOW: 408, Trouble.DEADLINE_PASSED: 503}[trouble]
        return Answer(status=status, content_type=PLAIN, body=f"{trouble.value}\n".encode())

    def sent(self) -> None:
        self._end()
        self._recorder.sent += 1

    def aborted(self) -> None:
        self._end()
        self._recorder.aborted += 1

    def _decide(self) -> None:
        assert not self._decided, "run or refuse, and once"
        self._decided = True

    def _end(self) -> None:
        assert not self._over, "sent or aborted, and once"
        self._over = True


def plain(read: Read) -> Answer:
    return Answer(
        status=200, content_type=PLAIN, body=f"{read.method} {read.target} and {len(read.body)} bytes\n".encode()
    )


def read_of(head: Head, body: bytes) -> Read:
    return Read(head.method, head.path if head.query is None else f"{head.path}?{head.query}", body)


def run(
    scenario: Callable[[], Awaitable[None]], loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
) -> None:
    """Run a scenario to its end; nothing may have been left to the loop's exception handler."""
    escaped: list[dict[str, Any]] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: escaped.append(context))
        async with asyncio.timeout(PATIENCE):
            await scenario()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(watched())
    assert not escaped


@dataclass(frozen=True)
class Listening:
    recorder: Recorder
    keeper: Keeper
    address: tuple[str, int]


@contextlib.asynccontextmanager
async def listening(
    recorder: Recorder,
    *,
    limits: ConnectionLimits | None = None,
    proxied_from: Callable[[str], bool] | None = None,
    host: str = "127.0.0.1",
) -> AsyncIterator[Listening]:
    # Here time is the machine's own, which may be busy with others: nobody is to be too slow unless that is tested.
    limits = limits or ConnectionLimits(header_seconds=PATIENCE, body_seconds=PATIENCE)
    keeper = Keeper(recorder, limits=limits, clock=lambda: NOW, monotonic=time.monotonic)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family, backlog=512) as entrance:
        acceptor = Acceptor(Entrance(listening=entrance, proxied_from=proxied_from), keeper)
        acceptor.start()
        try:
            yield Listening(recorder, keeper, entrance.getsockname()[:2])
        finally:
            await acceptor.stop(last=False)
            await keeper.drain(seconds=0)


class Client:
    """A TCP or Unix client that knows only bytes."""

    def __init__(self, address: tuple[str, int] | str) -> None:
        family = (
            socket.AF_UNIX if isinstance(address, str) else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        )
        self._address = address
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self.received = b""

    async def __aenter__(self) -> "Client":
        try:
            await self._connect()
        except OSError:
            self._socket.close()
            raise
        return self

    async def _connect(self) -> None:
        if not isinstance(self._address, str):
            await self._loop.sock_connect(self._socket, self._address)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return
        # A full queue of a Unix socket is an error at once, where TCP would wait.
        while True:
            try:
                self._socket.connect(self._address)
            except BlockingIOError:
                await asyncio.sleep(0.001)
            else:
                return

    async def __aexit__(self, *_: object) -> None:
        self._socket.close()

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    async def send(self, data: bytes) -> bool:
        """Send; False when the server does not take it any more."""
        try:
            await self._loop.sock_sendall(self._socket, data)
        except (ConnectionResetError, BrokenPipeError):
            return False
        return True

    def finish(self) -> None:
        """Say that no more will be sent."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    async def more(self) -> bool:
        """Take in some bytes; False at the end."""
        try:
            data = await self._loop.sock_recv(self._socket, 65536)
        except ConnectionResetError:
            return False
        self.received += data
        return bool(data)

    async def to_end(self) -> bytes:
        while await self.more():
            pass
        return self.received

    async def answers(self, methods: list[str], *, whole: bool = False) -> list["Received"]:
        """Read until there is an answer to each of the methods, or to the end of the connection if `whole`."""
        while True:
            found, _ = answers_in(self.received, methods)
            if not whole and len(found) >= len(methods):
                return found
            if not await self.more():
                return answers_in(self.received, methods, at_end=True)[0]


@dataclass(frozen=True)
class Received:
    """An answer, taken apart by rules of its own: nothing of the code under test reads it."""

    status: int
    fields: dict[str, str]
    body: bytes
    raw: bytes

    @property
    def closes(self) -> bool:
        return self.fields.get("connection") == "close"


def answers_in(data: bytes, methods: list[str], *, at_end: bool = False) -> tuple[list[Received], bytes]:
    """Give the final answers in `data`, and what is left of it; `methods` are those of the requests, in order."""
    asked: Iterator[str] = iter(methods)
    found = []
    while True:
        head, empty_line, rest = data.partition(b"\r\n\r\n")
        if not empty_line:
            assert not (at_end and data), f"the connection ended within an answer: {data!r}"
            return found, data
        first, *lines = head.decode("latin-1").split("\r\n")
        version, status, _ = first.split(" ", 2)
        assert version == "HTTP/1.1"
        fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        assert len(fields) == len(lines), f"a field stands twice: {head!r}"
        if status == "100":
            assert not lines
            data = rest
            continue
        method = next(asked, "GET")
        length = 0 if method == "HEAD" else int(fields["content-length"])
        if len(rest) < length:
            assert not at_end, f"the connection ended within an answer: {data!r}"
            return found, data
        whole = len(head) + 4 + length
        found.append(Received(int(status), fields, rest[:length], data[:whole]))
        data = data[whole:]


def refusal_bytes(status: int, phrase: str) -> bytes:
    """What every refused client gets: written down here once more, so that a change of it is seen."""
    body = f"{status} {phrase}\n".encode()
    return (
        b"HTTP/1.1 %d %b\r\ncontent-type: text/plain; charset=utf-8\r\ndate: %b\r\n"
        b"content-length: %d\r\nconnection: close\r\n\r\n%b"
    ) % (status, phrase.encode(), DATE, len(body), body)


class FakeTransport(asyncio.Transport):
    """The network in memory: takes what is written at once, or holds it when `slow`; ends when told."""

    def __init__(self, protocol: Connection, *, slow: bool = False) -> None:
        super().__init__({"peername": ("192.0.2.1", 4711)})
        self.protocol = protocol
        self.slow = slow
        self.written = b""
        self.reading = True
        self.finished = self.aborted = self._closing = self._lost = False
        protocol.connection_made(self)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def write(self, data: Any) -> None:
        assert not self.finished, "written after the end"
        if self._closing:
            return
        self.written += bytes(data)
        if self.slow:
            self.protocol.pause_writing()

    def take(self) -> None:
        """Let the network take what was held back."""
        self.slow = False
        self.protocol.resume_writing()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.finished = True

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True
        asyncio.get_running_loop().call_soon(self.lose)

    def abort(self) -> None:
        self.aborted = True
        self.close()

    def lose(self) -> None:
        """Tell the protocol that the connection is gone, once."""
        self._closing = True
        if not self._lost:
            self._lost = True
            self.protocol.connection_lost(None)

    def give(self, data: bytes) -> bool:
        """Hand bytes to the protocol; False when the connection takes none."""
        if self._closing:
            return False
        self.protocol.data_received(data)
        return True

    def end_of_bytes(self) -> None:
        """The client has finished."""
        if not self._closing and not self.protocol.eof_received():
            self.close()


class FakeClock:
    """Monotonic seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def settle() -> None:
    """Let everything run that is ready to run, and what that makes ready."""
    for _ in range(20):
        await asyncio.sleep(0)
