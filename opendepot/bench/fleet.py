"""Several worker processes as one, and whether they were the limit."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

from opendepot.bench.pacing import Level, Tally
from opendepot.bench.scenarios import Target, shares

MOST_BUSY = 0.9
"""Share of its core from which on a worker may be what limits."""
MOST_LAG_SECONDS = 0.01
SOON_SECONDS = 0.3
LINE_LIMIT = 64 * 1024 * 1024


class BenchFailed(Exception):
    """The load test cannot go on. The message says why and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """A level that was carried out. `limited`: why the load tester itself may have been the limit, None where not."""

    level: Level
    tally: Tally
    limited: str | None

    @property
    def offered(self) -> float:
        """Operations a second that were due."""
        return self.level.rate

    @property
    def achieved(self) -> float:
        """Operations a second that ended well."""
        return len(self.tally.latencies) / self.level.seconds

    @property
    def failed(self) -> int:
        """Operations that were refused or not answered."""
        return self.tally.failures.total() + self.tally.unanswered


class Fleet:
    """Worker processes that wait for what to do."""

    def __init__(self, processes: list[asyncio.subprocess.Process]) -> None:
        self._processes = processes
        self._first = 0

    async def prepare(self, *, tickets: int, name: str) -> None:
        """Order this many tickets ahead. Raises BenchFailed."""
        parts = len(self._processes)
        await asyncio.gather(
            *(
                _ask(process, {"prepare": {"tickets": -(-tickets // parts), "name": name}})
                for process in self._processes
            )
        )

    async def carry_out(self, *, rate: float, seconds: float, warm_up: float) -> Measured:
        """Offer operations at a rate. Raises BenchFailed."""
        level = Level(rate=rate, seconds=seconds, warm_up=warm_up, begins=time.time() + SOON_SECONDS)
        parts = len(self._processes)
        answers = await asyncio.gather(
            *(
                _ask(process, {"level": asdict(level), "part": part, "parts": parts, "first": self._first})
                for part, process in enumerate(self._processes)
            )
        )
        self._first += int(rate * (seconds + warm_up)) + parts
        tally = Tally()
        for answer in answers:
            tally.merge(Tally.of(answer["tally"]))
        return Measured(level=level, tally=tally, limited=limit_of(tally))


def limit_of(tally: Tally) -> str | None:
    """Tell why the load tester may have been the limit of what was measured."""
    if tally.busy > MOST_BUSY:
        return f"a process of the load tester was busy for {tally.busy:.0%} of its core: take more --processes"
    lag, latency = tally.lags.quantile(0.99), tally.latencies.quantile(0.99)
    if lag > MOST_LAG_SECONDS and lag > 0.1 * latency:
        return f"1 % of the operations were sent {lag * 1000:.0f} ms late: test from another computer"
    return None


@asynccontextmanager
async def fleet(target: Target, *, processes: int) -> AsyncIterator[Fleet]:
    """Start worker processes and end them. Raises BenchFailed."""
    started: list[asyncio.subprocess.Process] = []
    try:
        for share in shares(target, processes):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "opendepot.bench.worker",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=LINE_LIMIT,
            )
            started.append(process)
            await _ask(process, {"target": asdict(share)})
        yield Fleet(started)
    finally:
        for process in started:
            if process.returncode is None:
                process.terminate()
        await asyncio.gather(*(process.wait() for process in started))


async def _ask(process: asyncio.subprocess.Process, question: Mapping[str, Any]) -> Mapping[str, Any]:
    assert process.stdin is not None  # noqa: S101  both are pipes
    assert process.stdout is not None  # noqa: S101
    process.stdin.write(json.dumps(question).encode() + b"\n")
    await process.stdin.drain()
    line = await process.stdout.readline()
    if not line:
        raise BenchFailed("a process of the load tester ended; its last words stand above")
    answer: Mapping[str, Any] = json.loads(line)
    if "error" in answer:
        raise BenchFailed(answer["error"])
    return answer
