"""A listener whose time passes when told, connections that can be looked at, and clients with bad manners.

Deadlines are tested with a clock that stands still: "not before" and "then" are exact, and a slow machine changes
nothing. Only the network is real.
"""

import asyncio
import contextlib
import gc
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from http_shell import LOOPS, NOW, PATIENCE, FakeClock, Recorder

from server.http import accepting, connection, keeper
from server.http.accepting import Acceptor, Entrance
from server.http.application import Peer
from server.http.connection import Connection, Phase
from server.http.keeper import ConnectionLimits, Keeper

LIMITS = ConnectionLimits(
    header_seconds=0.25,
    body_seconds=0.5,
    idle_seconds=0.375,
    exchange_seconds=2.0,
    linger_seconds=0.125,
    bytes_a_second=1024,
)
"""Short, and each another, so that a deadline of the wrong phase is seen. Fractions of two: sums of them are exact."""

INSTANT = 1 / 1024
"""The time that is left when a deadline has not passed."""

QUICK_TICK = 0.002
MIB = 1024 * 1024
LARGE = 8 * MIB
"""An answer that no two buffers of a connection hold together."""

SMALL_BUFFER = 4096
A_READ = 256 * 1024
"""The most that a loop hands over at once."""


class WatchedConnection(Connection):
    """Can be asked for its phase and how many bytes it has heard."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.heard = 0
        self.most_waiting = 0
        self.made_at = self.lost_at = 0.0
        self.phases = {self._phase}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.made_at = time.monotonic()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.lost_at = time.monotonic()

    def _to(self, phase: Phase) -> None:
        super()._to(phase)
        self.phases.add(phase)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.heard += len(data)
        self.most_waiting = max(self.most_waiting, self.waiting)

    @property
    def phase(self) -> Phase:
        return self._phase

    @property
    def peer(self) -> Peer:
        return self._peer

    @property
    def waiting(self) -> int:
        """How many bytes were read and not yet taken as requests."""
        return self._reader.waiting


class WatchedKeeper(Keeper):
    """Counts how often it looked at the deadlines."""

    looks = 0

    def _tick(self) -> None:
        super()._tick()
        self.looks += 1


@dataclass
class World:
    """What a test of slow clients holds in its hands."""

    recorder: Recorder
    keeper: WatchedKeeper
    acceptor: Acceptor
    address: tuple[str, int]
    clock: FakeClock
    begun: float
    connections: list[WatchedConnection] = field(default_factory=list)

    async def pass_to(self, seconds: float) -> None:
        """Let it be so many seconds after the beginning, and let all deadlines be looked at."""
        self.clock.now = self.begun + seconds
        looks = self.keeper.looks
        await until(lambda: self.keeper.looks > looks + 1 or not self.keeper.open_connections)

    async def phase_is(self, phase: Phase, number: int = 0) -> WatchedConnection:
        """Wait until a connection is in a phase."""
        await until(
            lambda: (
                len(self.connections) > number
                and self.connections[number].made
                and self.connections[number].phase is phase
            )
        )
        return self.connections[number]

    async def phase_was(self, phase: Phase) -> None:
        """Wait until the first connection is in a phase, or was."""
        await until(lambda: bool(self.connections) and phase in self.connections[0].phases)

    async def empty(self) -> None:
        """Wait until there are no connections."""
        await until(lambda: not self.keeper.open_connections)

    @property
    def reasons(self) -> list[tuple[int, str]]:
        """Status and reason of each refusal."""
        return [(status, reason) for _, status, reason in self.recorder.refusals]

    def reasons_of(self, address: str) -> list[str]:
        """The reasons of the refusals of one address."""
        return [reason for peer, _, reason in self.recorder.refusals if peer.address == address]


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is true; the patience of `run` bounds it."""
    while not true():  # noqa: ASYNC110  nothing tells of all that is waited for
        await asyncio.sleep(0.001)


@contextlib.asynccontextmanager
async def world(
    recorder: Recorder | None = None,
    *,
    limits: ConnectionLimits = LIMITS,
    tls: ssl.SSLContext | None = None,
    handshake_seconds: float = PATIENCE,
    proxied: bool = False,
    real_time: bool = False,
) -> AsyncIterator[World]:
    """Listen on the loopback until the block ends; then no connection, count or task of it may be left.

    `real_time`: the clock goes by itself.
    """
    clock = FakeClock()
    made: list[WatchedConnection] = []

    def make(*args: Any, **named: Any) -> WatchedConnection:
        made.append(WatchedConnection(*args, **named))
        return made[-1]

    recorder = recorder or Recorder()
    watched = WatchedKeeper(
        recorder, limits=limits, clock=lambda: NOW, monotonic=time.monotonic if real_time else clock
    )
    with (
        mock.patch.object(keeper, "TICK_SECONDS", QUICK_TICK),
        mock.patch.object(accepting, "Connection", make),
        mock.patch.object(connection, "_LAST_SECONDS", 1.0),
        socket.create_server(("127.0.0.1", 0), backlog=512) as listening,
    ):
        entrance = Entrance(
            listening=listening,
            tls=tls,
            handshake_seconds=handshake_seconds,
            proxied_from=(lambda _host: True) if proxied else None,
        )
        acceptor = Acceptor(entrance, watched)
        acceptor.start()
        try:
            yield World(recorder, watched, acceptor, listening.getsockname(), clock, clock.now, made)
        finally:
            await acceptor.stop(last=False)
            await watched.drain(seconds=0)
        assert watched.open_connections == 0
        assert not watched.tasks
        assert watched._addresses.total() == 0, "whoever came in was counted out"
        assert recorder.opened == recorder.sent + recorder.aborted


def run(scenario: Callable[[], Awaitable[None]], loop: str, *, escapes: list[dict[str, Any]] | None = None) -> None:
    """Run a scenario to its end; no exception may have escaped, and no task or descriptor may be left.

    `escapes`: takes what escaped, where something must.
    """
    escaped: list[dict[str, Any]] = [] if escapes is None else escapes

    async def watched() -> None:
        running = asyncio.get_running_loop()
        running.set_exception_handler(lambda _loop, context: escaped.append(context))
        async with asyncio.timeout(PATIENCE):
            await scenario()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(asyncio.sleep(0))  # the first loop of its kind opens what stays for the next ones
    gc.collect()
    before = descriptors()
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(watched())
    gc.collect()
    assert descriptors() == before, f"{descriptors() - before} descriptors are left"
    assert escapes is not None or not escaped, escaped


def descriptors() -> int:
    """How many descriptors this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


class Rude:
    """A client of bytes, which can read little, stop, finish or break off."""

    def __init__(self, address: tuple[str, int], *, small: bool = False, source: str | None = None) -> None:
        self._address = address
        self._loop = asyncio.get_running_loop()
        self.socket = socket.socket()
        self.socket.setblocking(False)
        if source is not None:
            self.socket.bind((source, 0))
        if small:
            # Before the connection is made, since its window is agreed then.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        self.received = b""
        self.was_reset = False

    async def __aenter__(self) -> "Rude":
        await self._loop.sock_connect(self.socket, self._address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.socket.close()

    async def send(self, data: bytes) -> bool:
        """Send; False when the server takes no more."""
        try:
            await self._loop.sock_sendall(self.socket, data)
        except (ConnectionResetError, BrokenPipeError):
            self.was_reset = True
            return False
        return True

    def send_now(self, data: bytes) -> int:
        """Send what the network takes without waiting, and give how much that was."""
        sent = 0
        with contextlib.suppress(BlockingIOError, ConnectionResetError, BrokenPipeError):
            while sent < len(data):
                sent += self.socket.send(data[sent : sent + 65536])
        return sent

    async def read(self, most: int) -> bytes:
        """Read some bytes; none at the end, which may be a reset."""
        try:
            data = await self._loop.sock_recv(self.socket, most)
        except ConnectionResetError:
            self.was_reset = True
            return b""
        self.received += data
        return data

    async def to_end(self) -> bytes:
        """Read all that comes."""
        pieces = [self.received]
        self.received = b""
        while data := await self.read(1024 * 1024):
            pieces.append(data)
            self.received = b""
        self.received = b"".join(pieces)
        return self.received

    def heard_nothing(self) -> bool:
        """Whether there is neither a byte nor an end to read."""
        try:
            self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def finish(self) -> None:
        """Say that no more will be sent."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Go away without a goodbye: the server gets a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


async def asked_ahead(here: World, client: Rude, request: bytes) -> int:
    """Ask again and again, until the server takes no more of it, and give how many bytes that were.

    Fails at 24 MiB: no buffers of the network hold so much.
    """
    many = request * (2 * MIB // len(request))
    total = still = 0
    while still < 50:
        begun = total % len(request)
        sent = client.send_now(many[begun:])
        total += sent
        assert total < 24 * MIB, "a client that never reads can send as much as it likes"
        still = 0 if sent else still + 1
        await asyncio.sleep(0.001)
    return total
