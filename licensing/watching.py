"""Waiting for changes to containers: any number of waiters, one query for all of them, nothing held in between.

A change in this process is noticed at once, one in another process at the next look.
"""

import asyncio
import contextlib
from dataclasses import dataclass, field

from storage import Storage
from storage.commands import WatchContainers
from storage.errors import StorageError

MOST_AT_ONCE = 500
"""Containers that one query asks about."""

Seen = tuple[int, int]
"""The server's epoch, and the number of a container that rises with every change."""


@dataclass(eq=False, slots=True)
class _Waiter:
    serial: str
    firm_code: int
    seen: Seen
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class Watcher:
    """Lets requests wait for changes. `look_seconds` is the time between two looks, `least_seconds` the shortest.

    Belongs to one event loop. The looking task lives only while somebody waits.
    """

    def __init__(
        self, storage: Storage, *, look_seconds: float = 1.0, least_seconds: float = 0.05, longest_seconds: float = 50.0
    ) -> None:
        self.longest_seconds = longest_seconds
        self._storage = storage
        self._look_seconds = look_seconds
        self._least_seconds = least_seconds
        self._waiters: set[_Waiter] = set()
        self._nudged = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many requests wait now."""
        return len(self._waiters)

    async def seen(self, serial: str, firm_code: int) -> Seen:
        """Give what `wait` compares with: take it before looking whether there is something to wait for."""
        found = await self._storage.query(WatchContainers(serials=(serial,)))
        return found.current_epoch, found.changes.get((serial, firm_code), 0)

    async def wait(self, serial: str, firm_code: int, *, seen: Seen, seconds: float) -> None:
        """Return when something has changed since `seen`, after `seconds`, or when the server stops."""
        if self._closed or seconds <= 0:
            return
        waiter = _Waiter(serial=serial, firm_code=firm_code, seen=seen)
        self._waiters.add(waiter)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look())
        self.nudge()
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await waiter.woken.wait()
        finally:
            self._waiters.discard(waiter)

    def nudge(self) -> None:
        """Look soon: something in this process has changed."""
        if self._waiters:
            self._nudged.set()

    @property
    def closed(self) -> bool:
        """Whether the server stops, so that nobody may wait any more."""
        return self._closed

    def close(self) -> None:
        """Let nobody wait any more: the server stops."""
        self._closed = True
        for waiter in self._waiters:
            waiter.woken.set()
        self._nudged.set()

    async def _look(self) -> None:
        while self._waiters and not self._closed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._look_seconds):
                    await self._nudged.wait()
            self._nudged.clear()
            # A database that is busy or gone is the next look's matter; the waiters' own time limits still hold.
            with contextlib.suppress(StorageError):
                await self._compare()
            await asyncio.sleep(self._least_seconds)

    async def _compare(self) -> None:
        waiters = list(self._waiters)
        serials = sorted({waiter.serial for waiter in waiters})
        now: dict[tuple[str, int], int] = {}
        epoch = 0
        for start in range(0, len(serials), MOST_AT_ONCE):
            found = await self._storage.query(WatchContainers(serials=tuple(serials[start : start + MOST_AT_ONCE])))
            now |= found.changes
            epoch = found.current_epoch
        for waiter in waiters:
            if waiter.seen != (epoch, now.get((waiter.serial, waiter.firm_code), 0)):
                waiter.woken.set()
