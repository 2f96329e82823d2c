"""When operations are due, and what became of them."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from opendepot.bench.latency import Latencies

MOST_UNDERWAY = 5_000
"""How many operations of a process may be under way. One that finds no place waits, and its time runs."""

Operation = Callable[[int], Awaitable[None]]
"""Carries out the operation with this number. Raises OperationFailed."""


class OperationFailed(Exception):
    """The server refused an operation or did not answer it; the message is the fault's code or the error's name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """How fast for how long. `begins` is on the clock of `time.time`, so that several processes begin together.

    What is due in the first `warm_up` seconds is carried out and not counted.
    """

    rate: float
    seconds: float
    warm_up: float
    begins: float
    drain: float = 10.0

    def due(self, *, part: int = 0, parts: int = 1) -> Iterator[float]:
        """Give the times at which the operations of one of several processes are due, in seconds from the beginning."""
        number, whole = part, self.warm_up + self.seconds
        while number / self.rate < whole:
            yield number / self.rate
            number += parts


@dataclass(kw_only=True, slots=True)
class Tally:
    """What became of the operations of a level that count.

    `latencies` are of those that ended well, `lags` of all: how much later than due the process sent them.
    `each_second` counts what ended well by the second in which it was due, with the slowest of them.
    """

    latencies: Latencies = field(default_factory=Latencies)
    lags: Latencies = field(default_factory=Latencies)
    failures: Counter[str] = field(default_factory=Counter)
    each_second: dict[int, tuple[int, float]] = field(default_factory=dict)
    unanswered: int = 0
    busy: float = 0.0

    def ended(self, *, due: float, seconds: float) -> None:
        """Count one that ended well."""
        self.latencies.add(seconds)
        count, slowest = self.each_second.get(int(due), (0, 0.0))
        self.each_second[int(due)] = (count + 1, max(slowest, seconds))

    def merge(self, other: "Tally") -> None:
        """Add what another process counted; `busy` becomes that of the busiest."""
        self.latencies.merge([other.latencies])
        self.lags.merge([other.lags])
        self.failures.update(other.failures)
        for second, (count, slowest) in other.each_second.items():
            mine = self.each_second.get(second, (0, 0.0))
            self.each_second[second] = (mine[0] + count, max(mine[1], slowest))
        self.unanswered += other.unanswered
        self.busy = max(self.busy, other.busy)

    def as_dict(self) -> dict[str, Any]:
        """Give everything as JSON has it."""
        return {
            "latencies": self.latencies.as_dict(),
            "lags": self.lags.as_dict(),
            "failures": dict(self.failures),
            "each_second": {str(second): list(found) for second, found in self.each_second.items()},
            "unanswered": self.unanswered,
            "busy": self.busy,
        }

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> "Tally":
        """Take up what `as_dict` gave."""
        return cls(
            latencies=Latencies.of(found["latencies"]),
            lags=Latencies.of(found["lags"]),
            failures=Counter(found["failures"]),
            each_second={int(second): (count, slowest) for second, (count, slowest) in found["each_second"].items()},
            unanswered=found["unanswered"],
            busy=found["busy"],
        )


async def carry_out(level: Level, operation: Operation, *, part: int, parts: int, first: int) -> Tally:
    """Carry out one process's part of a level; its operations are numbered from `first`.

    Each operation is started when it is due, whatever became of those before it. What has not ended `drain` seconds
    after the last was due is given up and counted as unanswered.
    """
    loop, tally, places = asyncio.get_running_loop(), Tally(), asyncio.Semaphore(MOST_UNDERWAY)
    zero = loop.time() + level.begins - time.time()
    tasks: set[asyncio.Task[None]] = set()
    before = time.process_time()
    for number, due in enumerate(level.due(part=part, parts=parts), start=first):
        wait = zero + due - loop.time()
        if wait > 0:
            await asyncio.sleep(wait)
        await places.acquire()
        task = loop.create_task(_one(operation, number, zero + due, due - level.warm_up, tally, places))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    took = max(loop.time() - zero, 1e-9)
    tally.busy = (time.process_time() - before) / took
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=level.drain)
        tally.unanswered += len(late)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
    return tally


async def _one(  # noqa: PLR0917  one call, just above
    operation: Operation, number: int, due: float, counted_at: float, tally: Tally, places: asyncio.Semaphore
) -> None:
    loop = asyncio.get_running_loop()
    counts = counted_at >= 0
    if counts:
        tally.lags.add(loop.time() - due)
    try:
        await operation(number)
    except OperationFailed as failed:
        if counts:
            tally.failures[str(failed)] += 1
    else:
        if counts:
            tally.ended(due=counted_at, seconds=loop.time() - due)
    finally:
        places.release()
