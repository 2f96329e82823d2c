"""What a serving process does beside answering: seal the audit trail.

Every worker of every node tries; leases in the database let one of them do it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from licensing.audit import Sealed, Sealer
from observe import EventLog, Metrics
from server.app import Application, Core, utc_now
from storage.errors import StorageError

SEAL_SECONDS = 1.0
LATE_SECONDS = 60.0

Turn = Callable[[], Awaitable[None]]


@asynccontextmanager
async def housekeeping(core: Core, application: Application) -> AsyncIterator[None]:
    """Do the work beside the requests until the block ends."""
    sealing = Sealing(core.sealer, events=application.events, metrics=application.metrics)
    tasks = [asyncio.create_task(repeated("audit_seal", sealing.turn, seconds=SEAL_SECONDS, events=application.events))]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def repeated(name: str, turn: Turn, *, seconds: float, events: EventLog) -> None:
    """Take turns for ever; one that fails is told, and the next one comes all the same."""
    failing = False
    while True:
        await asyncio.sleep(seconds)
        try:
            await turn()
        except StorageError as error:
            if not failing:  # a database that is away for an hour is one event, not thousands
                events.warning(f"{name}_failed", code=error.code, reason=str(error))
            failing = True
        except Exception as error:  # noqa: BLE001  the rim: the work goes on, and the bug is told with its traceback
            if not failing:
                events.failure(f"{name}_failed", error)
            failing = True
        else:
            failing = False


class Sealing:
    """Turns of the sealer, with what an operator sees of them."""

    def __init__(
        self, sealer: Sealer, *, events: EventLog, metrics: Metrics, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._sealer = sealer
        self._events = events
        self._metrics = metrics
        self._clock = clock
        self._late = False

    async def turn(self) -> None:
        """Seal all that waits, in batches, unless another process does."""
        while True:
            sealed = await self._sealer.seal()
            self._tell(sealed)
            if not sealed.more:
                return

    def _tell(self, sealed: Sealed) -> None:
        left = sealed.unsealed - sealed.sealed
        lag = 0.0
        if left and sealed.oldest_at is not None:
            lag = max(0.0, (self._clock() - sealed.oldest_at).total_seconds())
        self._metrics.audit_unsealed.set(left)
        self._metrics.audit_seal_lag.set(lag)
        self._metrics.audit_sealed.inc(sealed.sealed)
        if sealed.took_over:
            self._events.info("audit_sealer_took_over")
        if (lag > LATE_SECONDS) is not self._late:
            self._late = not self._late
            if self._late:
                self._events.warning("audit_seal_late", unsealed=left, seconds=round(lag))
            else:
                self._events.info("audit_seal_caught_up")
