"""All connections of a listener together: how many there may be, their deadlines, the drain."""

import asyncio
import contextlib
import ipaddress
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Protocol

from server.http.application import Application, Peer
from server.http.head import HeadLimits, HeadReader

TICK_SECONDS = 0.1
"""How often deadlines are looked at: they hold to within this."""

DRAIN_IDLE_SECONDS = 1.0
"""During a drain a connection that was silent for so long is closed; until then its next request is still answered."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionLimits:
    """What one connection, one address and the listener may take. Times in seconds, sizes in bytes.

    A body gets `body_seconds` and one more second for each `bytes_a_second` that have arrived; an answer is given the
    same by its size. `exchange_seconds` runs from the first byte of a request until its answer is ready.
    """

    head: HeadLimits = field(default_factory=HeadLimits)
    header_seconds: float = 5.0
    body_seconds: float = 10.0
    idle_seconds: float = 30.0
    exchange_seconds: float = 60.0
    linger_seconds: float = 2.0
    bytes_a_second: int = 1024
    ahead_bytes: int = 64 * 1024
    requests: int = 100_000
    connections: int = 10_000
    connections_an_address: int = 1_000


class Kept(Protocol):
    """A connection, as the keeper sees it."""

    deadline: float

    def overdue(self, now: float) -> None:
        """Hear that the deadline has passed."""
        ...

    def drain(self, now: float) -> None:
        """Hear that the server is on its way out."""
        ...

    def abort(self) -> None:
        """End at once."""
        ...


class Keeper:
    """Owns the connections of one or several listening sockets."""

    def __init__(
        self,
        application: Application,
        *,
        limits: ConnectionLimits,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self.application = application
        self.limits = limits
        self.heads = HeadReader(limits.head)
        self.monotonic = monotonic
        self.draining = False
        self.tasks: set[asyncio.Task[object]] = set()
        self._clock = clock
        self.date = self._date()
        self._connections: set[Kept] = set()
        self._addresses: Counter[str] = Counter()
        self._entered = 0
        self._gone = asyncio.Event()
        self._ticking: asyncio.TimerHandle | None = None

    @property
    def open_connections(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    def enter(self, address: str, *, relayed: bool = False) -> bool:
        """Count a connection from an address in, unless there are too many.

        `relayed`: it is a trusted proxy's, so it counts for nobody until it has said whose it is.
        """
        if self._entered >= self.limits.connections:
            self.application.refused(Peer(address=address), status=0, reason="too many connections")
            return False
        if not relayed and not self._count(address):
            return False
        self._entered += 1
        return True

    def counts_for(self, address: str) -> bool:
        """Count a relayed connection for the address that it is from, unless there are too many of that."""
        return self._count(address)

    def _count(self, address: str) -> bool:
        key = counted_as(address)
        if self._addresses[key] >= self.limits.connections_an_address:
            self.application.refused(Peer(address=address), status=0, reason="too many connections of one address")
            return False
        self._addresses[key] += 1
        return True

    def leave(self, counted: str | None) -> None:
        """Count a connection out; `counted` is the address that it counted for, None for nobody."""
        self._entered -= 1
        if counted is None:
            return
        key = counted_as(counted)
        self._addresses[key] -= 1
        if self._addresses[key] <= 0:
            del self._addresses[key]

    def add(self, connection: Kept) -> None:
        """Take a connection in."""
        self._connections.add(connection)
        if self._ticking is None:
            self._tick()
        if self.draining:
            connection.drain(self.monotonic())

    def remove(self, connection: Kept) -> None:
        """Let a connection go."""
        self._connections.discard(connection)
        if not self._connections:
            self._gone.set()

    def _tick(self) -> None:
        """Look at all deadlines, and again after a while, as long as there are connections."""
        self._ticking = None
        if self._connections:
            self._ticking = asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick)
        self.date = self._date()
        now = self.monotonic()
        for connection in [c for c in self._connections if c.deadline <= now]:
            connection.overdue(now)

    def _date(self) -> bytes:
        return format_datetime(self._clock().astimezone(UTC), usegmt=True).encode()

    async def drain(self, *, seconds: float) -> int:
        """Let what runs be answered, close what is idle, and cut what is left after so many seconds.

        Gives the number of connections that were cut.
        """
        self.draining = True
        now = self.monotonic()
        for connection in list(self._connections):
            connection.drain(now)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._all_gone()
        cut = list(self._connections)
        for connection in cut:
            connection.abort()
        await self._all_gone()
        if self.tasks:
            await asyncio.wait(self.tasks)
        if self._ticking is not None:
            self._ticking.cancel()
        return len(cut)

    async def _all_gone(self) -> None:
        while self._connections:
            self._gone.clear()
            await self._gone.wait()


def counted_as(address: str) -> str:
    """Give what an address counts as: itself, or for IPv6 its /64, since one customer has all of that."""
    if ":" not in address:
        return address
    parsed = ipaddress.IPv6Address(address.partition("%")[0])
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))
